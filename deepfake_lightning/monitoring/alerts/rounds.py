"""Drift and alerts, looked after in the background of whoever watches."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from deepfake_lightning.errors import StorageError
from deepfake_lightning.monitoring.alerts.checking import check_alerts, deliver_due
from deepfake_lightning.monitoring.alerts.machine import opened
from deepfake_lightning.monitoring.alerts.records import AlertRound
from deepfake_lightning.monitoring.alerts.state import read_state, sole_round
from deepfake_lightning.storage import Workspace

logger = logging.getLogger(__name__)

_IN_MEMORY = "the state of alerts is kept in memory only"


def now_us() -> int:
    """Return the time in microseconds since 1970, UTC."""
    return time.time_ns() // 1000


class Rounds:
    """Checks drift, then alerts, in a thread of its own.

    Of several, in whatever processes, one does the work: where another has just done it, messages
    are delivered and all else of a round is left out. What fails is reported once for each kind of
    failure, and tried again.

    Args:
        workspace: whose.
        log_place: of the prediction log, a path or URL.
        environment: whose requests.
        every_seconds: from one round to the next.
        clock: the time in microseconds since 1970, UTC.
    """

    def __init__(
        self,
        workspace: Workspace,
        log_place: str | Path,
        environment: str,
        every_seconds: float = 60.0,
        *,
        clock: Callable[[], int] = now_us,
    ) -> None:
        self._workspace, self._place, self._environment = workspace, log_place, environment
        self._every, self._clock = every_seconds, clock
        self._reported: set[str] = set()
        self._last: AlertRound | None = None
        self._fault: str | None = None
        self._faults: list[str] = []  # of the round that goes on
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alert-rounds", daemon=True)
        self._thread.start()

    @property
    def last(self) -> AlertRound | None:
        """What the last round of this process came to, None before the first."""
        return self._last

    @property
    def fault(self) -> str | None:
        """What failed first in the last round of this process, None where nothing did."""
        return self._fault

    def close(self, timeout: float = 10.0) -> None:
        """End; a round that takes longer than ``timeout`` seconds is left to itself."""
        self._end.set()
        self._thread.join(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def _run(self) -> None:
        while True:
            self._faults = []
            self._attempt("alerts are not judged", self._round)
            self._fault = next(iter(self._faults), None)
            if self._end.wait(self._every):
                return

    def _round(self) -> None:
        if self._just_done():
            self._attempt("messages are not delivered", self._deliver)
            return
        self._attempt("drift is not looked for", self._check_drift)
        if self._end.is_set():
            return
        self._last = check_alerts(
            self._workspace, self._place, environment=self._environment, now_us=self._clock()
        )
        if self._last.fault:
            self._report(_IN_MEMORY, self._last.fault)

    def _deliver(self) -> None:
        """Deliver what is due: who did the round may lack the secrets that this process has."""
        fault = deliver_due(self._workspace, now_us=self._clock(), wait_seconds=self._every)
        if fault:
            self._report(_IN_MEMORY, fault)

    def _just_done(self) -> bool:
        last = read_state(self._workspace).rounds.get(self._environment)
        return last is not None and 0 <= self._clock() - last < 0.8e6 * self._every

    def _check_drift(self) -> None:
        from deepfake_lightning.monitoring.drift import check_drift

        with (
            sole_round(self._workspace, seconds=self._every),
            opened(self._place) as (log, _),
        ):
            if log is not None:
                check_drift(log, self._workspace, environment=self._environment,
                            now_us=self._clock())  # fmt: skip

    def _attempt(self, what: str, do: Callable[[], None]) -> None:
        try:
            do()
        except Exception as error:  # whatever it is, the next round may find it gone
            fault = error.what if isinstance(error, StorageError) else str(error)
            self._report(what, fault or type(error).__name__)

    def _report(self, what: str, fault: str) -> None:
        says = f"{what}: {fault}".partition("\n")[0]
        self._faults.append(says)
        if says not in self._reported:
            self._reported.add(says)
            logger.error("%s", says)
