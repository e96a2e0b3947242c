"""Rows from a bounded buffer into the log, off the way of who answers requests."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from deepfake_lightning.monitoring.log.batches import BatchWriter, Entry
from deepfake_lightning.monitoring.log.database import fault_of
from deepfake_lightning.monitoring.log.prediction_log import PredictionLog
from deepfake_lightning.monitoring.log.records import ItemScore, LoggedRequest
from deepfake_lightning.monitoring.log.rollup_thread import RollupThread
from deepfake_lightning.monitoring.log.writing import Draw

logger = logging.getLogger(__name__)

BATCH = 1000
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds between tries while the database is away


def now_us() -> int:
    """Return the time in microseconds since 1970, UTC."""
    return time.time_ns() // 1000


class LogWriter:
    """Writes what it is given in batches, in a thread of its own.

    A batch is a transaction. While the database is locked, full or stopped the batch is tried again
    and again, and the buffer holds what comes; what it cannot hold is counted, and noted in the
    log's table ``gaps`` once the database is back. A process that is killed loses what was put in
    its last ``flush_seconds``, :meth:`close` nothing.

    Args:
        log: where rows go. It is not closed.
        capacity: of the buffer, requests and scores.
        flush_seconds: how long what is put waits at most, while the database keeps up.
        rollup_seconds: how often roll-ups are made of what has changed, by one process of all;
            None never does.
        clock: the time in microseconds since 1970, UTC.
        on_fault: told, in the writer's thread, why the database cannot be written, and None when
            it can again.
        draw: says which requests are to be reviewed; they are queued as they are written.
    """

    def __init__(
        self,
        log: PredictionLog,
        *,
        capacity: int = 10_000,
        flush_seconds: float = 0.5,
        rollup_seconds: float | None = 5.0,
        clock: Callable[[], int] = now_us,
        on_fault: Callable[[str | None], None] = lambda fault: None,
        draw: Draw | None = None,
    ) -> None:
        self._on_fault = on_fault
        self._batches = BatchWriter(log, clock, draw)
        self._capacity = capacity
        # Half of it is left for the writing itself.
        self._wait = flush_seconds / 2
        self._changed = threading.Condition()
        self._waiting: deque[Entry] = deque()
        self._accepted = self._settled = self._flush_to = self._full = 0
        self._closing = self._given_up = False
        self._fault: str | None = None
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()
        self._rollups = RollupThread(log, rollup_seconds) if rollup_seconds is not None else None

    @property
    def dropped(self) -> int:
        """How many requests and scores were not kept: the buffer was full, or they were refused."""
        return self._full + self._batches.refused

    @property
    def waiting(self) -> int:
        """How many requests and scores are not written yet."""
        return self._accepted - self._settled

    @property
    def fault(self) -> str | None:
        """Why the database cannot be written at the moment, None while it can."""
        return self._fault

    def put(self, request: LoggedRequest) -> bool:
        """Take a request with its items, without waiting; return whether there was room."""
        return self._put(request)

    def put_shadow(self, request_id: str, score: ItemScore) -> bool:
        """Take what a shadow version found out; return whether there was room.

        It is written once its request is. Where that does not come within a minute, or was erased,
        it is let go.
        """
        return self._put((request_id, score))

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until all is written that was put before; return whether that is so in time."""
        with self._changed:
            target = self._flush_to = self._accepted
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._settled >= target, timeout)

    def close(self, timeout: float = 30.0) -> int:
        """Write all, take no more, and end; return how many could not be written in time."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._rollups is not None:
            self._rollups.close()
        self._thread.join(timeout)
        with self._changed:
            self._given_up = True
            left = self.waiting
        if left:
            logger.error("%d requests and scores could not be logged: %s", left, self._fault)
        return left

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def _put(self, entry: Entry) -> bool:
        with self._changed:
            if self._closing or self.waiting >= self._capacity:
                self._full += 1
                if not self._closing:
                    self._batches.lose(1, self._fault or "the buffer was full")
                return False
            self._waiting.append(entry)
            self._accepted += 1
            if len(self._waiting) == BATCH:  # sooner than its time
                self._changed.notify_all()
            return True

    def _run(self) -> None:
        pause = 0.0
        while True:
            with self._changed:
                if pause:
                    self._changed.wait_for(lambda: self._given_up, pause)
                else:
                    self._changed.wait_for(self._is_due, self._wait)
                if self._given_up:
                    return
                closing = self._closing
            try:
                self._write_all(last=closing)
            except Exception as error:  # the thread must not end before its time
                pause = min(2 * pause, _LONGEST_PAUSE) or _FIRST_PAUSE
                self._report(error)
                continue
            pause = 0.0
            self._report(None)
            if closing and not self.waiting:
                return

    def _is_due(self) -> bool:
        """Whether to write before the time is up."""
        return self._closing or len(self._waiting) >= BATCH or self._flush_to > self._settled

    def _write_all(self, *, last: bool) -> None:
        while True:
            batch = self._take()
            taken = len(batch)
            try:
                self._batches.write(batch)
            finally:
                with self._changed:
                    self._waiting.extendleft(reversed(batch))  # what is to be tried again
                    self._settled += taken - len(batch)
                    self._changed.notify_all()
            if taken < BATCH:
                break
        self._batches.write_gap(last=last)

    def _take(self) -> list[Entry]:
        with self._changed:
            return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]

    def _report(self, error: Exception | None) -> None:
        fault = None
        if error is not None:
            fault = fault_of(error) if isinstance(error, SQLAlchemyError) else repr(error)
        if fault and self._fault is None:
            logger.error("requests are answered and not logged for now: %s", fault)
        if fault is None and self._fault is not None:
            logger.warning("requests are logged again")
        if fault != self._fault:
            self._on_fault(fault)
        self._fault = fault
