"""Media that are kept for reviewers: a folder of files that are named after their requests.

A file goes when its request does. Who erases a request removes its row first and then the file;
who writes a file looks for the row once more when it is there. So whichever comes last removes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

from sqlalchemy import select

from deepfake_lightning.errors import StorageError
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.tables import review_queue
from deepfake_lightning.storage import Workspace

_FOLDER = "media"
HEAD_BYTES = 16
"""First bytes of a file that :func:`suffix_of` looks at."""
_STARTS = ((b"\xff\xd8", "jpg"), (b"\x89PNG", "png"), (b"BM", "bmp"), (b"II", "tif"),
           (b"MM", "tif"), (b"\x1aE\xdf\xa3", "mkv"))  # fmt: skip
_RIFF = {b"WEBP": "webp", b"AVI ": "avi"}
_OTHER = "media"
_AT_A_TIME = 500  # SQLite allows a statement 999 parameters, or more


def media_folder(workspace: Workspace, log: LogDatabase) -> Path:
    """Return where media of a log's requests are kept: ``monitoring/media`` of the workspace.

    A log that lies elsewhere has a folder of its own beside it. What belongs to no request of its
    log is removed, and must not be another log's.
    """
    usual = workspace.monitoring / "predictions.db"
    if log.file is not None and log.file.resolve() == usual.resolve():
        return workspace.monitoring / _FOLDER
    name = str(log.file.resolve()) if log.file is not None else log.name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return workspace.monitoring / f"{_FOLDER}-{digest}"


def suffix_of(head: bytes) -> str:
    r"""Return a file's suffix by its first bytes: what its sender called it plays no part.

    Example:
        >>> suffix_of(b"RIFF\0\0\0\0WEBPVP8 "), suffix_of(b"?")
        ('webp', 'media')
    """
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12], _OTHER)
    if head[4:8] == b"ftyp":
        return "mov" if head[8:10] == b"qt" else "mp4"
    return next((suffix for start, suffix in _STARTS if head.startswith(start)), _OTHER)


def media_in(folder: Path) -> dict[str, Path]:
    """Return the files of a folder by the ids of their requests; what is being written is not one.

    Raises:
        StorageError: the folder cannot be read.
    """
    try:
        return {path.stem: path for path in folder.iterdir() if not path.name.startswith(".")}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be read: {error.strerror or error}", next_step="fix permissions there"
        ) from error


def remove_media(folder: Path, request_ids: Collection[str]) -> int:
    """Remove what is kept of requests that are no longer in the log; return how many files.

    Raises:
        StorageError: one of them cannot be removed.
    """
    gone = 0
    try:
        for name in request_ids:
            # An id is letters and digits; what else it may be must not match other files.
            if name.replace("-", "").replace("_", "").isalnum():
                for path in folder.glob(f"{name}.*"):
                    path.unlink(missing_ok=True)
                    gone += 1
    except OSError as error:
        raise StorageError(
            f"media in {folder} cannot be removed: {error.strerror or error}",
            why="they may be of somebody who wants them erased",
            next_step="fix permissions there, then run the command again",
        ) from error
    return gone


def remove_orphans(log: LogDatabase, folder: Path) -> int:
    """Remove media of requests that are not in the review queue, or no longer; return how many.

    Raises:
        StorageError: the log cannot be read, or a file not be removed.
    """
    files = media_in(folder)
    return remove_media(folder, files.keys() - queued(log, files)) if files else 0


def queued(log: LogDatabase, request_ids: Collection[str]) -> set[str]:
    """Return those of some requests that are in the review queue.

    Raises:
        StorageError: the log cannot be read.
    """
    names = sorted(request_ids)
    found: set[str] = set()
    with log.reading() as connection:
        for start in range(0, len(names), _AT_A_TIME):
            some = review_queue.c.request_id.in_(names[start : start + _AT_A_TIME])
            found.update(connection.scalars(select(review_queue.c.request_id).where(some)))
    return found
