"""A canary watched until it ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from deepfake_lightning.deployment.canary.decision import CanaryDecision
from deepfake_lightning.deployment.canary.minutes import SETTLED_US
from deepfake_lightning.deployment.canary.running import step
from deepfake_lightning.deployment.canary.state import read_state, standing
from deepfake_lightning.deployment.environment import Environment, utc_now
from deepfake_lightning.errors import SignatureError, StorageError
from deepfake_lightning.monitoring.log import existing_log

logger = logging.getLogger(__name__)

_LOOK_EVERY = 1.0  # seconds, for what others do
_TRIES, _TRY_AGAIN = 5, 60.0  # seconds: a database may be away for a while


def watch(
    environment: Environment,
    place: str | Path,
    *,
    tell: Callable[[CanaryDecision, float], None],
    clock: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> CanaryDecision:
    """Decide after each minute, until the canary ends; return the last decision.

    It may be interrupted at any time: the canary stays at its step, and another watch, or
    :func:`~deepfake_lightning.deployment.canary.running.step`, goes on.

    Args:
        environment: whose canary.
        place: of the prediction log, a path or URL.
        tell: told each decision, and the seconds until the next one; again each second.
        clock: gives the time, with its zone.
        sleep: waits seconds.

    Raises:
        DeepfakeLightningError: as :func:`~deepfake_lightning.deployment.canary.running.step` has
            them; a StorageError after five in a row. A SignatureError is logged each minute until
            what is to serve is signed, or somebody ends the canary.
    """
    failed = 0
    while True:
        try:
            with existing_log(place) as log:
                decision = step(environment, log=log, now=clock())
            failed = 0
        except StorageError as error:
            failed += 1
            if failed == _TRIES:
                raise
            logger.warning("%s; trying again in a minute", error.what)
            sleep(_TRY_AGAIN)
            continue
        except SignatureError as error:  # who leaves now leaves a broken candidate its traffic
            logger.error("%s; the canary stays as it is, and is looked at again in a minute. %s",
                         error.what, error.next_step)  # fmt: skip
            sleep(_TRY_AGAIN)
            continue
        if decision.end is not None:
            tell(decision, 0.0)
            return decision
        _wait(environment, decision, tell, clock, sleep)


def _wait(
    environment: Environment,
    decision: CanaryDecision,
    tell: Callable[[CanaryDecision, float], None],
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> None:
    """Wait until the next minute is over and in the log, or somebody ends the canary."""
    settled = timedelta(microseconds=SETTLED_US)
    ends = (clock() - settled).replace(second=0, microsecond=0) + timedelta(minutes=1) + settled
    while (left := (ends - clock()).total_seconds()) > 0:
        tell(decision, left)
        sleep(min(_LOOK_EVERY, left))
        state = read_state(environment)
        if state is None or standing(environment, state).end is not None:
            return
