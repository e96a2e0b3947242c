"""How much the folder of kept media may hold, and for how long."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deepfake_lightning.errors import StorageError
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.request_ids import time_of
from deepfake_lightning.monitoring.review.media_files import (
    media_in,
    remove_media,
    remove_orphans,
)
from deepfake_lightning.monitoring.review.policy import ReviewPolicy
from deepfake_lightning.monitoring.review.queue import states_of
from deepfake_lightning.storage import lock, remove_unfinished

_DAY_US = 86_400_000_000
_AT_A_TIME = 200


@dataclass
class Room:
    """What is left of the folder's size, for who holds its lock.

    Attributes:
        free: bytes.
        reviewed: files that may go, the oldest first, and their sizes.
    """

    free: int
    reviewed: Iterator[tuple[Path, int]] = field(repr=False)

    def make(self, size: int) -> bool:
        """Make room for a file, if need be by removing the oldest that were reviewed.

        Returns:
            Whether there is room.
        """
        going: list[tuple[Path, int]] = []
        while self.free + sum(freed for _, freed in going) < size:
            oldest = next(self.reviewed, None)
            if oldest is None:  # all that may go would not do: it stays
                self.reviewed = iter(going)
                return False
            going.append(oldest)
        for path, freed in going:
            path.unlink(missing_ok=True)
            self.free += freed
        return True

    def took(self, size: int) -> None:
        """Note that a file was written."""
        self.free -= size


class MediaRoom:
    """The folder of kept media, shared by all processes of a server.

    Args:
        log: the prediction log.
        folder: of the media.
        policy: how much, and for how long.
    """

    def __init__(self, log: LogDatabase, folder: Path, policy: ReviewPolicy) -> None:
        self._log, self._folder, self._policy = log, folder, policy

    @contextmanager
    def held(self) -> Iterator[Room]:
        """Be the only one of all processes that writes files.

        Raises:
            StorageError: the folder cannot be made or read, or the log not be read.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _refused(self._folder, error) from error
        with lock(self._folder):
            used = sum(self._sizes().values())
            yield Room(round(self._policy.media_mb * 1e6) - used, self._reviewed())

    def sweep(self, now_us: int) -> int:
        """Remove what is kept for too long, or of no drawn request; return how many files.

        Raises:
            StorageError: the log cannot be read, or a file not be removed.
        """
        remove_unfinished(self._folder)
        oldest = now_us - round(self._policy.media_days * _DAY_US)
        old = [name for name in media_in(self._folder) if (time_of(name) or 0) < oldest]
        return remove_media(self._folder, old) + remove_orphans(self._log, self._folder)

    def _sizes(self) -> dict[str, int]:
        try:
            with os.scandir(self._folder) as found:
                return {one.name: one.stat().st_size for one in found if one.is_file()}
        except FileNotFoundError:  # one went meanwhile
            return self._sizes()
        except OSError as error:
            raise _refused(self._folder, error) from error

    def _reviewed(self) -> Iterator[tuple[Path, int]]:
        """Yield files of requests that nobody is to look at any more, the oldest first."""
        files, sizes = media_in(self._folder), self._sizes()
        names = sorted(files)  # an id begins with the time
        for start in range(0, len(names), _AT_A_TIME):
            some = names[start : start + _AT_A_TIME]
            states = states_of(self._log, some, self._policy)
            for name in some:
                if states.get(name) == "done":
                    yield files[name], sizes.get(files[name].name, 0)


def _refused(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{folder} takes no media: {error.strerror or error}",
        next_step="free space or fix permissions there",
    )
