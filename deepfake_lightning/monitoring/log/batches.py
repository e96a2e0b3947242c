"""One batch into the log: all of it, or what can be kept of it, and a note of what was lost."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import insert
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoConnection

from deepfake_lightning.monitoring.log.database import fault_of
from deepfake_lightning.monitoring.log.prediction_log import PredictionLog
from deepfake_lightning.monitoring.log.records import LoggedRequest
from deepfake_lightning.monitoring.log.tables import gaps
from deepfake_lightning.monitoring.log.writing import (
    Draw,
    Shadow,
    known_among,
    score_key,
    scored_among,
    write_rows,
)

logger = logging.getLogger(__name__)

Entry = LoggedRequest | Shadow

_LATE_SECONDS = 60.0  # a shadow's score waits this long for its request
_MOST_LATE = 10_000
_QUIET_US, _LONGEST_GAP_US = 1_000_000, 60_000_000


@dataclass(slots=True)
class _Gap:
    from_us: int
    to_us: int
    lost: int
    reason: str


class BatchWriter:
    """Writes batches for one thread; others may tell it of losses.

    Args:
        log: where they go.
        clock: the time in microseconds since 1970, UTC.
        draw: says which requests are to be reviewed.
    """

    def __init__(
        self, log: PredictionLog, clock: Callable[[], int], draw: Draw | None = None
    ) -> None:
        self._log = log
        self._draw = draw
        self._clock = clock
        self._late: deque[tuple[float, Shadow]] = deque(maxlen=_MOST_LATE)
        self._unsure: list[Entry] = []
        self._gap: _Gap | None = None
        self._gap_lock = threading.Lock()
        self.refused = 0

    def write(self, batch: list[Entry]) -> None:
        """Write a batch in a transaction, and what waited for its requests.

        Args:
            batch: what is written or refused is taken out of it.

        Raises:
            SQLAlchemyError: the database cannot be written at the moment; what is left in
                ``batch`` is to be tried again.
        """
        if not batch and not self._late:
            return
        try:
            self._drop_written(batch)
            self._write(batch)
        except Exception as error:
            if _is_passing(error):
                raise
            self._write_singly(batch)
        else:
            batch.clear()

    def _write_singly(self, batch: list[Entry]) -> None:
        # One row that the database refuses must not take the others with it.
        while batch:
            try:
                self._write(batch[:1])
            except Exception as error:
                if _is_passing(error):
                    raise
                self.refused += 1
                self.lose(1, f"refused: {fault_of(error)}")
                logger.error("a request is not logged: %s", fault_of(error))
            del batch[0]

    def _drop_written(self, batch: list[Entry]) -> None:
        """Take out what was kept when a line was cut before it said so."""
        if not self._unsure:
            return
        rows = [entry for entry in self._unsure if isinstance(entry, LoggedRequest)]
        shadows = [entry for entry in self._unsure if not isinstance(entry, LoggedRequest)]
        with self._log.transaction() as connection:
            there = known_among(connection, {row.id for row in rows})
            scored = scored_among(connection, {request for request, _ in shadows})
        written = {id(row) for row in rows if row.id in there}
        written |= {id(shadow) for shadow in shadows if score_key(*shadow) in scored}
        batch[:] = [entry for entry in batch if id(entry) not in written]
        left = [late for late in self._late if id(late[1]) not in written]
        self._late = deque(left, maxlen=_MOST_LATE)
        self._unsure = []

    def _write(self, batch: Sequence[Entry]) -> None:
        try:
            self._write_all(batch)
        except Exception as error:
            tried = [*batch, *(shadow for _, shadow in self._late)]
            self._unsure = tried if _is_passing(error) else []
            raise

    def _write_all(self, batch: Sequence[Entry]) -> None:
        rows = [entry for entry in batch if isinstance(entry, LoggedRequest)]
        now = time.monotonic()
        shadows = [(until, one) for until, one in self._late if until > now]
        shadows += _late(batch)
        with self._log.transaction() as connection:
            unknown = write_rows(connection, rows, [one for _, one in shadows], draw=self._draw)
        ids = {request_id for request_id, _ in unknown}
        self._late = deque([late for late in shadows if late[1][0] in ids], maxlen=_MOST_LATE)

    def lose(self, number: int, reason: str) -> None:
        """Note that requests or scores are lost."""
        now = self._clock()
        with self._gap_lock:
            if self._gap is None:
                self._gap = _Gap(now, now, 0, reason)
            self._gap.to_us = now
            self._gap.lost += number

    def write_gap(self, *, last: bool) -> None:
        """Write what was lost, once no more is, or a minute of it.

        Args:
            last: write it in any case.

        Raises:
            SQLAlchemyError: the database cannot be written at the moment; the gap is kept.
        """
        with self._gap_lock:
            gap, now = self._gap, self._clock()
            if gap is None:
                return
            is_over = now - gap.to_us >= _QUIET_US or now - gap.from_us >= _LONGEST_GAP_US
            if not (is_over or last):
                return
            self._gap = None
        try:
            with self._log.transaction() as connection:
                connection.execute(insert(gaps).values(asdict(gap)))
        except Exception:
            with self._gap_lock:
                later = self._gap
                self._gap = gap
                if later is not None:
                    gap.to_us, gap.lost = later.to_us, gap.lost + later.lost
            raise


def _late(batch: Sequence[Entry]) -> list[tuple[float, Shadow]]:
    """Return the shadows' scores of a batch, with how long they wait for their requests."""
    until = time.monotonic() + _LATE_SECONDS
    return [(until, entry) for entry in batch if not isinstance(entry, LoggedRequest)]


def _is_passing(error: Exception) -> bool:
    """Whether the database is at fault (locked, full, stopped) and not what was to be written."""
    if isinstance(error, DBAPIError):
        refused = (IntegrityError, DataError, InterfaceError, ProgrammingError)
        return error.connection_invalidated or not isinstance(error, refused)
    return isinstance(error, NoConnection)
