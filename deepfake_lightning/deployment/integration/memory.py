"""The memory of a server, all of its processes together."""

from __future__ import annotations

import statistics
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

_LOOK_EVERY = 0.5  # seconds
_LOOKS, _BETWEEN_LOOKS = 5, 0.05  # seconds


def processes_of(session: int) -> list[int]:
    """Return the living processes of a session, orphans among them; none where Linux' ``/proc``
    is not.
    """
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            fields = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(folder.name))
    return found


def memory_mb(session: int) -> float | None:
    """Return the resident memory of a session's processes, each page that several share counted
    once (Linux: PSS), MB; None where it cannot be known.
    """
    total = 0
    for number in processes_of(session):
        with suppress(OSError, IndexError):
            text = Path(f"/proc/{number}/smaps_rollup").read_text("ascii")
            total += int(text.partition("\nPss:")[2].split()[0])
    return total / 1024 if total else None


def settled_memory_mb(session: int) -> float | None:
    """Return the middle one of some looks at the memory: requests under way come and go."""
    found = []
    for _ in range(_LOOKS):
        if (megabytes := memory_mb(session)) is not None:
            found.append(megabytes)
        time.sleep(_BETWEEN_LOOKS)
    return statistics.median(found) if found else None


class MemoryWatch:
    """Looks at the memory of a session's processes twice a second, in a thread.

    Args:
        session: whose processes.

    Attributes:
        peak: the most that was seen, MB; None where it cannot be known.
    """

    def __init__(self, session: int) -> None:
        self._session = session
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak: float | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            megabytes = memory_mb(self._session)
            if megabytes is not None:
                self.peak = max(megabytes, self.peak or 0.0)
            if self._end.wait(_LOOK_EVERY):
                return
