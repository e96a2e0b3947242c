"""Temporary folders of processes: gone when these end, those of killed ones when others begin."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from deepfake_lightning.errors import StorageError

_LOCK = "lock"
_NAMELESS_SECONDS = 3600.0  # nobody is that long at making one


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
    with ExitStack() as stack:
        try:
            parent = place or Path(tempfile.gettempdir())
            parent.mkdir(parents=True, exist_ok=True)
            remove_abandoned(prefix, parent)
            # It has its name once it is locked: before, it would be taken for abandoned.
            hidden = Path(tempfile.mkdtemp(prefix=f".{prefix}", dir=parent))
            folder = parent / hidden.name.removeprefix(".")
            for path in (folder, hidden):  # of links what they lead to is left
                stack.callback(shutil.rmtree, path, ignore_errors=True)
            stack.enter_context(_held(hidden))
            hidden.rename(folder)
        except OSError as error:
            elsewhere = "" if place else ", or set TMPDIR to another folder"
            raise StorageError(
                f"{place or 'the temporary folder'} takes no files for the time being: "
                f"{error.strerror or error}",
                next_step=f"free space or fix permissions there{elsewhere}",
            ) from error
        yield folder


def remove_abandoned(prefix: str, place: Path) -> None:
    """Remove the folders of a prefix that killed processes left; what a living one holds stays."""
    named = [folder for folder in place.glob(f"{prefix}*") if _is_ones_own(folder)]
    for folder in (*named, *_nameless(prefix, place)):
        with suppress(OSError):  # it is held, or another process removes it
            with _held(folder):
                pass
            shutil.rmtree(folder, ignore_errors=True)


def _nameless(prefix: str, place: Path) -> Iterator[Path]:
    """Yield the folders whose makers were killed before they had their names."""
    old = time.time() - _NAMELESS_SECONDS
    for folder in place.glob(f".{prefix}*"):
        with suppress(OSError):
            if _is_ones_own(folder) and folder.lstat().st_mtime < old:
                yield folder


def _is_ones_own(folder: Path) -> bool:
    """Whether a folder, and no link to one, is of this user: others write there as well."""
    with suppress(OSError):  # it is gone
        seen = folder.lstat()
        return stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.getuid()
    return False


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder's locks.

    Raises:
        OSError: another process does, or it cannot be locked.
    """
    with (folder / _LOCK).open("ab") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # What tidies temporary folders up (systemd-tmpfiles) leaves those that are locked.
            with suppress(OSError):  # not all file systems lock folders
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            yield
        finally:
            os.close(handle)
