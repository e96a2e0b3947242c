"""Roll-ups: totals of each minute and each hour, made again when rows, labels or erasures come.

What is written to the log names its minute in ``dirty_minutes``, in the same transaction. A
roll-up reads these names and the rows of their minutes in one state of the log, and takes away the
names that it has read, and no others: what comes meanwhile has a name of its own. An hour is the
sum of its minutes, and is made with them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, bindparam, delete, select

from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.rollup_rows import delete_rows, insert_rows, read_rows
from deepfake_lightning.monitoring.log.rollup_sums import add_rows
from deepfake_lightning.monitoring.log.tables import KEYS, dirty_minutes, log_state, rollups
from deepfake_lightning.monitoring.log.totals import TotalsTable
from deepfake_lightning.monitoring.log.writing import MINUTE_US

HOUR_US = 60 * MINUTE_US
MINUTE_S, HOUR_S = 60, 3600

Progress = Callable[[str, int, int], None]


def make_rollups(
    log: LogDatabase,
    *,
    wait_seconds: float = 0.0,
    progress: Progress | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> int:
    """Make the roll-ups of all minutes that have changed, the latest hour first.

    Writers are kept waiting only while the totals of an hour are written. Where another process
    makes them, or prunes, nothing is done.

    Args:
        log: of which.
        wait_seconds: how long to wait for another process.
        progress: told what is done, hours done, and hours to do.
        stop: asked before each hour; the rest is done another time.

    Returns:
        How many minutes were made.

    Raises:
        StorageError: the log could not be read or written.
    """
    with log.sole(seconds=wait_seconds) as alone:
        return make_dirty(log, progress=progress, stop=stop) if alone else 0


def make_dirty(
    log: LogDatabase,
    *,
    before_us: int | None = None,
    progress: Progress | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> int:
    """Do the work of :func:`make_rollups`, for one who is alone (``LogDatabase.sole``)."""
    query = select(dirty_minutes.c.start_us).distinct()
    if before_us is not None:
        query = query.where(dirty_minutes.c.start_us < before_us)
    with log.reading() as connection:
        starts = connection.scalars(query).all()
    hours = sorted({start - start % HOUR_US for start in starts}, reverse=True)
    made = 0
    for number, hour in enumerate(hours):
        if stop():
            break
        if progress is not None:
            progress("adding up", number, len(hours))
        made += _make_hour(log, hour)
    return made


def pruned_before(connection: Connection) -> int:
    """Return the time before which rows are gone and roll-ups final, microseconds."""
    return connection.scalar(select(log_state.c.pruned_before_us)) or 0


def _make_hour(log: LogDatabase, hour: int) -> int:
    in_hour = (dirty_minutes.c.start_us >= hour) & (dirty_minutes.c.start_us < hour + HOUR_US)
    table = TotalsTable()
    with log.reading() as connection:
        final = hour < pruned_before(connection)
        names = connection.execute(select(dirty_minutes).where(in_hour)).all()
        minutes = sorted({name.start_us for name in names})
        if not final:
            for start, end in _runs(minutes):
                add_rows(connection, table, start, end)
    done = [{"done": name.id} for name in names]
    with log.writing() as connection:
        if not final:
            delete_rows(connection, MINUTE_S, minutes)
            insert_rows(connection, MINUTE_S, table)
            _add_up_hour(connection, hour)
        if done:
            by_id = delete(dirty_minutes).where(dirty_minutes.c.id == bindparam("done"))
            connection.execute(by_id, done)
    return 0 if final else len(minutes)


def _add_up_hour(connection: Connection, hour: int) -> None:
    span = (rollups.c.start_us >= hour) & (rollups.c.start_us < hour + HOUR_US)
    rows, fields = read_rows(connection, (rollups.c.span_s == MINUTE_S) & span)
    table = TotalsTable()
    table.merge([(hour, *(row[name] for name in KEYS)) for row in rows], fields)
    delete_rows(connection, HOUR_S, [hour])
    insert_rows(connection, HOUR_S, table)


def _runs(minutes: Sequence[int]) -> list[tuple[int, int]]:
    """Return stretches of minutes that follow each other: from, and up to but without."""
    begun: dict[int, list[int]] = defaultdict(list)
    for place, start in enumerate(minutes):
        begun[start - place * MINUTE_US].append(start)
    return [(run[0], run[-1] + MINUTE_US) for run in begun.values()]
