"""What the commands that write a report have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deepfake_lightning.errors import UsageError
from deepfake_lightning.storage import Workspace, atomic_folder, atomic_new_folder


def check_options(draws: int, workers: int | None, out: str | None) -> None:
    """Refuse what could only fail once everything is scored.

    Raises:
        UsageError: nothing would be drawn, nobody would work, or ``out`` holds something.
    """
    if draws < 1:
        raise UsageError(f"--draws {draws} draws nothing", next_step="pass 1 or more")
    if workers is not None and workers < 1:
        raise UsageError(f"--workers {workers} leaves nobody to work", next_step="pass 1 or more")
    if out is not None and Path(out).exists() and not _is_empty(Path(out)):
        raise UsageError(
            f"--out {out} is there already",
            why="another report may be in it",
            next_step="name a new folder",
        )


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


@contextmanager
def report_folder(out: str | None, workspace: Workspace, name: str) -> Iterator[tuple[Path, Path]]:
    """Give the folder of a report, and one to fill that becomes it, whole or not at all.

    Args:
        out: the folder, where one was named.
        workspace: where it is otherwise, under a name that is not taken.
        name: of it there.
    """
    if out is None:
        with atomic_new_folder(workspace.reports, name) as folders:
            yield folders
    else:
        with atomic_folder(Path(out)) as aside:
            yield Path(out), aside
