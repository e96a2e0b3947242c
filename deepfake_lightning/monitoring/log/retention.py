"""Old requests leave the log by themselves, in a thread of who writes it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from deepfake_lightning.errors import StorageError
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.overview import DAY_US
from deepfake_lightning.monitoring.log.pruning import prune

logger = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0


class _Ended(Exception):
    pass


class Retention:
    """Removes requests that are older than so many days, once an hour and at the beginning.

    What :func:`~deepfake_lightning.monitoring.log.pruning.prune` says holds: their sums by the
    minute stay. Of several processes one does it; the others look again an hour later. A log that
    cannot be written is tried again an hour later, and the server's own log says why.

    Args:
        log: the prediction log. It is not closed.
        days: that requests are kept, at least.
        clock: the time in microseconds since 1970, UTC.
    """

    def __init__(self, log: LogDatabase, days: int, *, clock: Callable[[], int]) -> None:
        self._log, self._days, self._clock = log, days, clock
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)
        self._thread.start()

    def close(self, timeout: float = 10.0) -> None:
        """End; what is left to remove goes the next time."""
        self._end.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                before_us = self._clock() - self._days * DAY_US
                removed = prune(self._log, before_us, waits=False, progress=self._progress)
            except _Ended:
                return
            except StorageError as error:
                logger.warning("old requests are not removed: %s", error.what)
            except Exception:  # the thread must not end before its time
                logger.exception("old requests are not removed")
            else:
                if removed:
                    logger.info("requests removed, older than %d days: %d", self._days, removed)
            self._end.wait(EVERY_SECONDS)

    def _progress(self, *done: object) -> None:
        if self._end.is_set():
            raise _Ended
