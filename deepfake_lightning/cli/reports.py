"""What the commands that write a report have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    if out is not None:
        _check_place(Path(out))


def _check_place(folder: Path) -> None:
    try:
        taken = folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))
        above = next(parent for parent in folder.absolute().parents if parent.exists())
    except OSError as error:
        raise UsageError(
            f"--out {str(folder)[:80]} cannot be a folder: {error.strerror}",
            next_step="name another",
        ) from error
    if taken:
        raise UsageError(
            f"--out {folder} is there already",
            why="another report may be in it",
            next_step="name a new folder",
        )
    if not above.is_dir():
        raise UsageError(
            f"--out {folder} cannot be made: {above} is a file", next_step="name another folder"
        )


def refuse_unused(targets: Sequence[str], workspace: Workspace, **given: str | None) -> None:
    """Refuse flags that would have no part in anything, since all has scores already.

    Args:
        targets: what is measured.
        workspace: where versions are.
        given: the flags' values, None where one was not given.

    Raises:
        UsageError: one was given in vain, or a target is nothing that there is.
    """
    from deepfake_lightning.evaluation.subjects.targets import find_target

    found = [find_target(target, workspace) for target in targets]
    flags = [f"--{name}" for name, value in given.items() if value is not None]
    if flags and not any(one.is_scored for one in found):
        raise UsageError(
            f"{' and '.join(targets)} have scores already: {' and '.join(flags)} would have no part"
            " in them",
            next_step="leave that out, or name a detector instead",
        )


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
