"""Progress of a sweep: trials done, the best so far, the time left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

if TYPE_CHECKING:
    from deepfake_lightning.tuning.record import TrialRecord


class SweepProgress(Progress):
    """A bar on a terminal, and a line for each trial that is done.

    Args:
        console: where it is shown.
        asked: how many trials there are to be.
        objective: what they are chosen by.
    """

    def __init__(self, console: Console, asked: int, objective: str) -> None:
        super().__init__(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._asked, self._objective = asked, objective
        self._bar = self.add_task("reading", total=asked, left="")
        self._told: set[int] | None = None
        self._first = 0
        self._started = time.monotonic()

    def show(self, what: str, trials: Sequence[TrialRecord]) -> None:
        """Be told what is being done, and the trials."""
        from deepfake_lightning.tuning.record import ENDED

        if not trials:
            self.update(self._bar, description=what)
            return
        ended = [one for one in trials if one.state in ENDED]
        told = {one.number for one in trials if one.state in (*ENDED, "interrupted")}
        if self._told is None:  # those of before
            self._told, self._first, self._started = told, len(ended), time.monotonic()
            if ended:
                self._say(f"{len(ended)} trials were done before")
        new = [one for one in trials if one.number in told - self._told]
        self._told |= told
        left = self._left(len(ended))
        for one in new:
            self._say(self._line(one, len(ended), left))
        running = sum(one.state == "running" for one in trials)
        self.update(
            self._bar, completed=len(ended), left=left,
            description=f"{what}: {running} under way" if what == "searching" else what,
        )  # fmt: skip

    def _left(self, done: int) -> str:
        new = done - self._first
        if not new:
            return ""
        seconds = (time.monotonic() - self._started) / new * max(self._asked - done, 0)
        minutes, rest = divmod(round(seconds), 60)
        return f"about {minutes} min left" if minutes else f"about {rest} s left"

    def _line(self, one: TrialRecord, done: int, left: str) -> str:
        said = f"trial {one.number}: {one.state}"
        if one.value is not None:
            said += f", {self._objective} {one.value:.4f}"
        if one.seconds is not None:
            said += f" in {one.seconds:.0f} s"
        if one.state in ("failed", "interrupted"):
            said += f" ({one.reason})"
        return f"{said}; {done} of {self._asked}{', ' if left else ''}{left}"

    def _say(self, line: str) -> None:
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)
