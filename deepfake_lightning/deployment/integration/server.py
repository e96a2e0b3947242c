"""A real server in processes of its own, which end with whoever tests it."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx

from deepfake_lightning.deployment.integration.memory import processes_of
from deepfake_lightning.deployment.integration.plan import IntegrationPlan
from deepfake_lightning.storage import Workspace

ENVIRONMENT = "staging"
# The command itself; only that it ends when its parent is killed, which can end nothing any more.
_PROGRAM = (
    "import runpy; from deepfake_lightning.processes import end_with_parent; end_with_parent(); "
    "runpy.run_module('deepfake_lightning', run_name='__main__', alter_sys=True)"
)
_ADDRESS = re.compile(r" on (http://\S+) ")  # the space: the line is whole
_LOOK_EVERY = 0.05  # seconds
_ANSWER_SECONDS = 40.0  # the server's own deadline is 30
_LONGEST_REASON = 400


class ServerDown(Exception):
    """The server does not come up, or is gone; the text says why."""


class StagingServer:
    """``serve --env staging`` on a free port of this machine, with a token of its own.

    Args:
        workspace: a throw-away one, whose environment's file it follows.
        plan: the device, and how many ask at a time.

    Attributes:
        process: the first of its processes; all are in its session.
        url: where it listens; empty before it does.
        headers: that a request needs.
        timed_out: whether it was killed as the tests took too long.
    """

    def __init__(self, workspace: Workspace, plan: IntegrationPlan) -> None:
        token = secrets.token_urlsafe(32)
        self.headers = {"Authorization": f"Bearer {token}"}
        self.url = ""
        self.timed_out = False
        self._said, self._log = workspace.root / "stdout.txt", workspace.root / "stderr.txt"
        key = workspace.root / "token"
        key.write_text(token, encoding="ascii")  # the folder is this user's alone
        command = [
            sys.executable, "-c", _PROGRAM, "serve", "--env", ENVIRONMENT, "--port", "0",
            "--workspace", str(workspace.root), "--device", plan.device, "--logs", "-",
            "--queue", str(max(32, plan.concurrency)), "--token_file", str(key),
            "--log", str(workspace.root / "tried.db"),  # whatever the environment names
        ]  # fmt: skip
        with self._said.open("wb") as said, self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def client(self) -> httpx.Client:
        """Return who asks it, with its token."""
        # Not through a proxy that this machine's environment names.
        return httpx.Client(
            base_url=self.url, headers=self.headers, timeout=_ANSWER_SECONDS, trust_env=False
        )

    def wait_until_ready(self, seconds: float) -> float:
        """Wait until it serves; return how long that took, from now.

        Raises:
            ServerDown: it ends, or takes longer.
        """
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if (gone := self.why_gone()) is not None:
                raise ServerDown(gone)
            if not self.url and (found := _ADDRESS.search(self._said.read_text("utf-8"))):
                self.url = found[1]
            with suppress(httpx.HTTPError):
                if self.url and self._state().get("serving"):
                    return time.monotonic() - began
            time.sleep(_LOOK_EVERY)
        raise ServerDown(f"it does not serve after {seconds:g} s")

    def refused(self) -> str | None:
        """Return why it does not do what the environment's file says; None where it does."""
        refused: str | None = self._state().get("refused")
        return refused

    def why_gone(self) -> str | None:
        """Return why it is gone; None while it runs."""
        if self.timed_out:
            return "the tests took longer than they may, and it was killed"
        return None if self.process.poll() is None else self._last_words()

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", errors="replace").splitlines()
        reasons = [text for text in map(_reason_in, lines) if text]
        said = reasons or [line.strip() for line in lines if line.strip()]
        if said:
            return said[-1][:_LONGEST_REASON]
        return f"its process ended with exit code {self.process.poll()} and said nothing"

    def wait_until_gone(self, seconds: float) -> int | None:
        """Return the exit code once no process is left; None where some are, after seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            code = self.process.poll()
            if code is not None and not processes_of(self.process.pid):
                return code
            time.sleep(0.02)
        return None

    def kill(self) -> None:
        """End all of its processes at once."""
        # A group that is empty is left alone: its number may be another's by now.
        while self.process.poll() is None or processes_of(self.process.pid):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            time.sleep(0.01)
        self.process.wait()

    def _state(self) -> dict[str, Any]:
        answer = httpx.get(
            f"{self.url}/readyz", headers=self.headers, timeout=_ANSWER_SECONDS, trust_env=False
        )
        state: dict[str, Any] = answer.json()
        return state


@contextmanager
def staging_server(workspace: Workspace, plan: IntegrationPlan) -> Iterator[StagingServer]:
    """Start a server; whatever happens, nothing of it is left in the end.

    It is killed, too, where the tests take longer than the plan allows.
    """
    server = StagingServer(workspace, plan)

    def end() -> None:
        server.timed_out = True
        server.kill()

    watchdog = threading.Timer(plan.seconds, end)
    watchdog.daemon = True
    try:
        watchdog.start()
        yield server
    finally:
        watchdog.cancel()
        server.kill()


def _reason_in(line: str) -> str:
    """Return what a line of its log gives as a reason, nothing where it gives none."""
    line = line.strip()
    if not line.startswith("{"):
        return line.removeprefix("error: ") if line.startswith("error: ") else ""
    try:
        record = json.loads(line)
    except ValueError:
        return ""
    return str(record.get("message", "")) if record.get("level") in {"error", "critical"} else ""
