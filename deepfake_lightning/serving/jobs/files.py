"""The files of jobs: what was sent, while it is needed, and the pictures that were asked for."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deepfake_lightning.errors import StorageError
from deepfake_lightning.storage import remove_unfinished, sync_folder


class JobFiles:
    """A folder of uploads and one of overlays; a job's files have its id for a name.

    Args:
        folder: both are made below it.

    Raises:
        StorageError: they cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._uploads = folder / "uploads"
        self._overlays = folder / "overlays"
        try:
            for each in (self._uploads, self._overlays):
                each.mkdir(mode=0o700, parents=True, exist_ok=True)  # of people's faces
        except OSError as error:
            raise _refused(folder, error) from error

    def upload(self, job_id: str) -> Path:
        """Return where a job's upload lies."""
        return self._uploads / job_id

    def overlay(self, job_id: str) -> Path:
        """Return where a job's picture with boxes and scores lies."""
        return self._overlays / f"{job_id}.jpg"

    @contextmanager
    def taken_in(self, path: Path, job_id: str) -> Iterator[int]:
        """Move a file in, and hold it until its job is written; yield its size in bytes.

        Where that fails, the file is gone. Where the process is killed, :meth:`sweep` finds the
        file without a job and without a holder.

        Raises:
            StorageError: the file cannot be moved: it is missing, or on another file system.
        """
        kept = self.upload(job_id)
        if kept.exists():  # another job's, which must not be touched
            raise StorageError(f"{kept} is there already", next_step="send it again")
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                os.fsync(file.fileno())
                path.rename(kept)
                sync_folder(self._uploads)
                yield os.fstat(file.fileno()).st_size
        except BaseException as error:
            kept.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise _refused(kept, error) from error
            raise

    def remove(self, job_id: str, *, overlay: bool) -> None:
        """Remove a job's upload, and its overlay as well where that is said."""
        self.upload(job_id).unlink(missing_ok=True)
        if overlay:
            self.overlay(job_id).unlink(missing_ok=True)

    def sweep(self, needs_upload: Callable[[str], bool], has_overlay: Callable[[str], bool]) -> int:
        """Remove what killed processes left; return how many files that were.

        Args:
            needs_upload: whether the job of that id is there, and not at its end.
            has_overlay: whether it is there, and may have an overlay.
        """
        removed = 0
        for file in self._uploads.iterdir():
            # A file that a living process is taking in is locked until its job is written.
            if not needs_upload(file.name) and _is_free(file) and not needs_upload(file.name):
                file.unlink(missing_ok=True)
                removed += 1
        for file in self._overlays.glob("*.jpg"):
            if not file.name.startswith(".") and not has_overlay(file.stem):
                file.unlink(missing_ok=True)
                removed += 1
        remove_unfinished(self._overlays)
        return removed


def _is_free(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} could not be written: {error.strerror or error}",
        next_step="free space or fix permissions there",
    )
