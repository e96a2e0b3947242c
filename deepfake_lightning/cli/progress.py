"""A bar over many files: how many a second, and the time left; in a log, a line now and then."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_SECONDS_BETWEEN_LINES = 30.0


class FileProgress(Progress):
    """Progress over files.

    Args:
        console: where it is shown; a bar on a terminal only.
        what: what is being done, ``extracting``.
    """

    def __init__(self, console: Console, what: str) -> None:
        super().__init__(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
            console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._what = what
        self._bar = self.add_task(what, total=None, rate="")
        self._todo = self._done = self._frames = 0
        self._started = self._told = time.monotonic()

    def begin(self, todo: int, what: str | None = None) -> None:
        """Be told how many files there are, and what is done with them from now on."""
        self._what = what or self._what
        self._todo, self._done, self._frames = todo, 0, 0
        self._started = self._told = time.monotonic()
        self.reset(self._bar, total=todo, rate="", description=self._what)

    def advance_by(self, frames: int) -> None:
        """Be told of a file that is done, and how many of its frames were looked at."""
        self._done += 1
        self._frames += frames
        now = time.monotonic()
        seconds = max(now - self._started, 1e-6)
        rate = f"{self._done / seconds:.1f} files/s"
        if self._frames:
            rate += f", {self._frames / seconds:.0f} frames/s"
        self.update(self._bar, advance=1, rate=rate)
        if self.disable and now - self._told > _SECONDS_BETWEEN_LINES:
            self._told = now
            left = (self._todo - self._done) * seconds / self._done
            done = f"{self._what}: {self._done:,} of {self._todo:,} files"
            self.console.print(f"{done}, {rate}, {left:.0f} s left", soft_wrap=True)
