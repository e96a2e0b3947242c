"""Roll-ups, made every few seconds."""

from __future__ import annotations

import logging
import threading

from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.rollups import make_rollups

logger = logging.getLogger(__name__)


class RollupThread:
    """Makes roll-ups of what has changed, in a thread of its own.

    Of several on one log, in whatever processes, one works at a time. A log that fails is reported
    once for each kind of failure, and tried again.

    Args:
        log: of which. It is not closed.
        every_seconds: between two looks.
    """

    def __init__(self, log: LogDatabase, every_seconds: float = 5.0) -> None:
        self._log = log
        self._every = every_seconds
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-rollups", daemon=True)
        self._thread.start()

    def close(self, timeout: float = 5.0) -> None:
        """End; a roll-up that takes longer than ``timeout`` seconds is left undone."""
        self._end.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        reported: set[str] = set()
        while not self._end.wait(self._every):
            try:
                make_rollups(self._log, stop=self._end.is_set)
            except Exception as error:  # whatever it is, the next look may find it gone
                fault = str(error)
                if fault not in reported:
                    reported.add(fault)
                    logger.error("roll-ups of the prediction log are not made: %s", fault)
