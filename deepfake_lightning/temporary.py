"""Temporary folders of processes: gone when these end, those of killed ones when others begin."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deepfake_lightning.errors import StorageError

_LOCK = "lock"


@contextmanager
def temporary_folder(prefix: str, place: Path | None = None) -> Iterator[Path]:
    """Yield a folder of this user alone that is removed in the end.

    A lock on its file ``lock`` is held meanwhile. The kernel gives it back however the process
    ends, and so who asks next for a folder of that prefix removes what killed processes left
    (:func:`remove_abandoned`).

    Args:
        prefix: of its name; no other folders of the user's may have it there.
        place: where it is; it is made. None: the system's temporary folder.

    Raises:
        StorageError: it cannot be made there.
    """
    parent = place or Path(tempfile.gettempdir())
    remove_abandoned(prefix, parent)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        # Its name is given to it once it is locked: before, it would be taken for abandoned.
        hidden = Path(tempfile.mkdtemp(prefix=f".{prefix}", dir=parent))
        folder = parent / hidden.name.removeprefix(".")
        guard = (hidden / _LOCK).open("wb")
    except OSError as error:
        elsewhere = "" if place else ", or set TMPDIR to another folder"
        raise StorageError(
            f"{parent} takes no files for the time being: {error.strerror or error}",
            next_step=f"free space or fix permissions there{elsewhere}",
        ) from error
    with guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX)
            hidden.rename(folder)
            yield folder
        finally:  # links are removed, and not what they lead to
            shutil.rmtree(folder if folder.exists() else hidden, ignore_errors=True)


def remove_abandoned(prefix: str, place: Path) -> None:
    """Remove the folders of a prefix that killed processes left; what a living one holds stays."""
    for folder in place.glob(f"{prefix}*"):
        with suppress(OSError):  # it is held, or another process removes it
            if _is_ones_own(folder):
                with (folder / _LOCK).open("ab") as guard:
                    fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)


def _is_ones_own(folder: Path) -> bool:
    """Whether a folder, and no link to one, is of this user: others write there as well."""
    seen = folder.lstat()
    return stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.getuid()
