"""What a long piece of work is at: on a terminal, with a bar and the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def steps(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Show what is being done; a bar on a terminal only.

    Yields:
        What to tell it: what is done, how much of it is, and how much there is (0: unknown).
    """
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task("", total=None)
        yield lambda what, done, total: progress.update(
            task, description=what, completed=done, total=total or None
        )
