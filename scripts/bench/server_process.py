"""A server in processes of its own: started, watched, ended."""

from __future__ import annotations

import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

_ADDRESS = re.compile(r" on (http://\S+)")
_LOOK_EVERY = 0.25  # seconds


class Server:
    """A server that runs.

    Attributes:
        url: where it listens.
        pid: of its first process.
        memory: ``(seconds, MB)`` since :meth:`watch_memory` began: of all of its processes, each
            page that several share counted once (Linux: PSS).
    """

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid
        self.memory: list[tuple[float, float]] = []

    @contextmanager
    def watch_memory(self) -> Iterator[None]:
        """Fill :attr:`memory` for a while."""
        end, began = threading.Event(), time.monotonic()
        self.memory = []

        def watch() -> None:
            while not end.is_set():
                self.memory.append((time.monotonic() - began, memory(processes_of(self.pid))))
                end.wait(_LOOK_EVERY)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()

    @property
    def peak(self) -> float:
        """The most memory, MB."""
        return max(megabytes for _, megabytes in self.memory)

    def growth(self, skip: float) -> float:
        """Return how much larger the memory was in the last third than in the first, as a share.

        Args:
            skip: seconds at the beginning that do not count: pools fill.
        """
        values = [megabytes for second, megabytes in self.memory if second >= skip]
        third = max(1, len(values) // 3)
        return statistics.median(values[-third:]) / statistics.median(values[:third]) - 1


def wait_until_ready(url: str, seconds: float = 120.0) -> None:
    """Wait until a server answers; its socket takes connections before."""
    httpx.get(f"{url}/readyz", timeout=seconds).raise_for_status()


def processes_of(session: int) -> list[int]:
    """Return the processes of a session, orphans among them."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            number = int(folder.name)
            if os.getsid(number) == session:
                found.append(number)
    return found


def cpu_seconds(processes: Sequence[int]) -> float:
    """Return what processes have computed so far."""
    ticks = 0
    for number in processes:
        with suppress(OSError):
            fields = Path(f"/proc/{number}/stat").read_text("utf-8").rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(processes: Sequence[int]) -> float:
    """Return megabytes of processes, each page that several share counted once."""
    total = 0
    for number in processes:
        with suppress(OSError):
            text = Path(f"/proc/{number}/smaps_rollup").read_text("ascii")
            total += int(text.partition("\nPss:")[2].split()[0])
    return total / 1024


@contextmanager
def serving(
    workspace: Path, *flags: str, program: Sequence[str] = ("-m", "deepfake_lightning")
) -> Iterator[Server]:
    """Start ``serve`` with flags on a free port of this machine, and end it with SIGTERM.

    Args:
        workspace: for its logs.
        flags: of ``serve``.
        program: what Python runs instead of the package.
    """
    command = [sys.executable, *program, "serve", "--port", "0", "--workspace", str(workspace)]
    process = subprocess.Popen(
        [*command, *flags], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        found = _ADDRESS.search(first)
        if found is None:
            raise SystemExit(f"the server did not start: {first or 'it said nothing'}")
        wait_until_ready(found[1])
        yield Server(found[1], process.pid)
        process.terminate()
        process.wait(60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
