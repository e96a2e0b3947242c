"""``serve`` as an operator starts it, in a session of its own, and who asks it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx

GONE = (httpx.TransportError, OSError)  # what a client of a killed server gets


class ServeProcess:
    """A server that has said its address.

    ``url`` is where it listens, ``pid`` the first process.
    """

    def __init__(self, workspace: Path, *flags: object) -> None:
        command = [sys.executable, "-m", "deepfake_lightning", "serve", "--port", "0",
                   "--workspace", str(workspace), *map(str, flags)]  # fmt: skip
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        self.pid = self.process.pid
        said = self.process.stdout.readline()
        found = re.search(r" on (http://\S+)", said)
        assert found, said + self.process.stderr.read()
        self.url = found[1]
        try:
            self.wait_until_up()
        except BaseException:
            self.destroy()
            raise

    def wait_until_up(self, seconds: float = 180.0) -> None:
        """Wait until it answers."""
        end = time.monotonic() + seconds
        while True:
            with suppress(*GONE):
                if httpx.get(f"{self.url}/readyz", timeout=seconds).status_code == 200:
                    return
            assert time.monotonic() < end, "it does not answer"
            time.sleep(0.05)

    def all_processes(self) -> dict[int, str]:
        """Return the command lines of all processes of its session, orphans among them."""
        return {pid: line for pid, (line, _) in self._alive().items()}

    def children(self) -> list[int]:
        """Return the server processes of a first one that only watches over them."""
        return [
            pid for pid, (line, parent) in self._alive().items()
            if parent == self.pid and "spawn_main" in line
        ]  # fmt: skip

    def seconds_until_gone(self, at_most: float = 20.0) -> float:
        """Return how long it takes until no process is left."""
        began = time.monotonic()
        while left := self.all_processes():
            assert time.monotonic() - began < at_most, f"they stay: {left}"
            time.sleep(0.02)
        return time.monotonic() - began

    def stop(self) -> tuple[int, str]:
        """End it with SIGTERM; return its exit code and what it wrote to stderr."""
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said

    def destroy(self) -> None:
        """End all that is left of it."""
        for pid in self.all_processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.communicate()

    def _alive(self) -> dict[int, tuple[str, int]]:
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                state, parent, session = fields[0], int(fields[1]), int(fields[3])
                if session == self.pid and state != "Z":
                    line = (folder / "cmdline").read_text().replace("\0", " ")
                    found[int(folder.name)] = (line, parent)
        return found


class Traffic:
    """Threads that send a body again and again until the server is gone or they are stopped.

    ``answers`` are ``(second, status, request id)`` of what was answered, ``lost`` how many were
    not; ``pause`` is what each thread waits between two, seconds.
    """

    def __init__(self, url: str, body: bytes, threads: int = 3, pause: float = 0.0) -> None:
        self._url = f"{url}/v1/predict?already_cropped=true"
        self._body, self._pause = body, pause
        self._end = threading.Event()
        self.answers: list[tuple[float, int, str]] = []
        self.lost = 0
        self._threads = [threading.Thread(target=self._send) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End it."""
        self._end.set()
        for thread in self._threads:
            thread.join(60)

    def _send(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self._end.is_set():
                try:
                    answer = client.post(self._url, content=self._body)
                except GONE:
                    self.lost += 1
                    time.sleep(0.02)
                    continue
                name = answer.headers.get("X-Request-Id", "")
                self.answers.append((time.monotonic(), answer.status_code, name))
                self._end.wait(self._pause)
