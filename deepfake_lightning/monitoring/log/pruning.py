"""Old rows out of the log. Their roll-ups stay, and are final from then on."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, select, text, update

from deepfake_lightning.errors import StorageError, UsageError
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.rollups import (
    HOUR_US,
    Progress,
    make_dirty,
    pruned_before,
)
from deepfake_lightning.monitoring.log.tables import (
    dirty_minutes,
    item_scores,
    labels,
    log_state,
    requests,
    rollups,
)

_ROWS_AT_A_TIME = 2000  # with their scores some hundredths of a second
_WAIT_SECONDS, _SHORT_SECONDS = 60.0, 2.0


@dataclass(frozen=True)
class Prunable:
    """What lies in a log before a time.

    Attributes:
        before_us: the time, a whole hour, microseconds since 1970, UTC.
        requests, scores, labels: how many.
    """

    before_us: int
    requests: int
    scores: int
    labels: int


def prunable(log: LogDatabase, before_us: int) -> Prunable:
    """Return what :func:`prune` would remove.

    Raises:
        StorageError: the log could not be read.
    """
    before_us -= before_us % HOUR_US
    old = requests.c.ts_us < before_us
    number = select(func.count())
    with log.reading() as connection:
        counts = [
            connection.scalar(number.select_from(source).where(old)) or 0
            for source in (requests, requests.join(item_scores), requests.join(labels))
        ]
    return Prunable(before_us, *counts)


def prune(
    log: LogDatabase, before_us: int, *, waits: bool = True, progress: Progress | None = None
) -> int:
    """Remove requests that came before a time, with their scores and labels.

    Their roll-ups are made first where they have changed, and never again. Rows go a few thousand
    at a time, so that writers wait for a moment only. Interrupted, the rest goes the next time.

    Args:
        log: of which.
        before_us: microseconds since 1970, UTC; the hour that it lies in is kept.
        waits: whether to wait a minute, and not two seconds, where another process prunes or makes
            roll-ups; without it nothing is done where that goes on, and no error raised.
        progress: told what is done, requests removed, and requests to remove.

    Returns:
        How many requests were removed.

    Raises:
        StorageError: the log could not be written, or another process prunes it or makes
            roll-ups all the time.
    """
    before_us -= before_us % HOUR_US
    with log.sole(seconds=_WAIT_SECONDS if waits else _SHORT_SECONDS) as alone:
        if not alone and not waits:
            return 0
        if not alone:
            raise StorageError(
                f"another process prunes {log.name} or makes its roll-ups",
                next_step="wait for it to end, then run the command again",
            )
        while not _finalise(log, before_us):
            make_dirty(log, before_us=before_us, progress=progress)
        todo = prunable(log, before_us).requests
        removed = 0
        while gone := _remove_some(log, before_us):
            removed += gone
            if progress is not None:
                progress("removing old requests", removed, max(todo, removed))
    return removed


def prune_rollups(log: LogDatabase, before_us: int) -> int:
    """Remove roll-ups of before a time; return how many.

    Raises:
        UsageError: there are rows of before that time: prune them first.
        StorageError: the log could not be written.
    """
    before_us -= before_us % HOUR_US
    with log.writing() as connection:
        if before_us > pruned_before(connection):
            raise UsageError(
                "roll-ups cannot go before the requests that they are made of",
                why="they would be made again, or be missing where requests are still kept",
                next_step="prune the requests of that time first",
            )
        gone = connection.execute(delete(rollups).where(rollups.c.start_us < before_us))
    return gone.rowcount


def _finalise(log: LogDatabase, before_us: int) -> bool:
    """Declare the roll-ups of before a time final; not while one of them is out of date."""
    with log.writing() as connection:
        if log.file is None:  # wait for who has written one and not ended its transaction
            connection.execute(text("LOCK TABLE dirty_minutes IN SHARE ROW EXCLUSIVE MODE"))
        already = pruned_before(connection)
        stale = (dirty_minutes.c.start_us < before_us) & (dirty_minutes.c.start_us >= already)
        if connection.scalar(select(func.count()).select_from(dirty_minutes).where(stale)):
            return False
        connection.execute(update(log_state).values(pruned_before_us=max(before_us, already)))
    return True


def _remove_some(log: LogDatabase, before_us: int) -> int:
    some = select(requests.c.id).where(requests.c.ts_us < before_us).limit(_ROWS_AT_A_TIME)
    with log.writing() as connection:
        return connection.execute(delete(requests).where(requests.c.id.in_(some))).rowcount
