"""A workspace for one server: its own log, uploads and environments, and the real registry."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deepfake_lightning.errors import StorageError
from deepfake_lightning.storage import Workspace

PREFIX = "deepfake-integration-"


@contextmanager
def throwaway_workspace(workspace: Workspace) -> Iterator[Workspace]:
    """Give a workspace in the system's temporary folder that is removed in the end.

    Its registry is a link to the real one, which a server only reads. Whoever uses it holds a lock
    on it, so that what a killed process left is known, and removed by the next one.

    Args:
        workspace: whose registry it has.

    Raises:
        StorageError: the machine refused.
    """
    place = Path(tempfile.gettempdir())
    _remove_abandoned(place)
    try:
        folder = Path(tempfile.mkdtemp(dir=place, prefix=PREFIX))
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise StorageError(
            f"no server can be tested in {place}: {error.strerror or error}",
            next_step="free space there, or set TMPDIR to another folder",
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        (folder / "registry").symlink_to(workspace.registry.resolve(), target_is_directory=True)
        yield Workspace(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # links are removed, and not what they lead to
        os.close(handle)


def _remove_abandoned(place: Path) -> None:
    for folder in place.glob(f"{PREFIX}*"):
        # Its maker locks it right after it has made it.
        with suppress(OSError):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                made = os.fstat(handle)
                if made.st_uid == os.getuid() and time.time() - made.st_mtime > 1.0:
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)
