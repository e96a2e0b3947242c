"""What becomes of loops, told through the channels of the alerts: one alert an environment.

It fires where a loop fails or its version is refused, is told again with each further one, and is
over when a loop comes to its end. That there is nothing new to learn from is no alert.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from deepfake_lightning.errors import DeepfakeLightningError
from deepfake_lightning.monitoring.alerts.checking import deliver_due
from deepfake_lightning.monitoring.alerts.incidents import Incident, end, report
from deepfake_lightning.retraining.record import LoopRecord
from deepfake_lightning.storage import Workspace

logger = logging.getLogger(__name__)

RULE = "retraining"


def tell(workspace: Workspace, loop: LoopRecord, *, now_us: int) -> None:
    """Tell how a loop ended. What fails in that is logged: the loop's record says all of it, too.

    Args:
        workspace: whose.
        loop: that has an outcome.
        now_us: the time, microseconds since 1970, UTC.
    """
    with _logged(f"how loop {loop.number} ended"):
        if loop.outcome == "done":
            says = f"loop {loop.number}: {loop.version} came of {loop.base}"
            end(workspace, RULE, loop.environment, says, now_us=now_us)
        elif loop.outcome == "failed" or loop.version is not None:
            report(workspace, _incident(loop), now_us=now_us)


def tell_again(workspace: Workspace, *, now_us: int) -> None:
    """Deliver what channels have not taken: where nobody watches, no one else does."""
    with _logged("what was to be told"):
        deliver_due(workspace, now_us=now_us, wait_seconds=1.0)


def _incident(loop: LoopRecord) -> Incident:
    what = "was refused" if loop.outcome == "refused" else "failed"
    again = f"deepfake-lightning retrain --env {loop.environment} --reason again"
    look = f"deepfake-lightning compare {loop.base} {loop.version}"
    use = look if loop.outcome == "refused" and loop.version is not None else again
    return Incident(
        RULE, loop.environment,
        f"loop {loop.number}, which trains {loop.base} again, {what} at the step {loop.step}: "
        f"{loop.note.partition(chr(10))[0]}; what serves goes on",
        use, loop.environment,
    )  # fmt: skip


@contextmanager
def _logged(what: str) -> Iterator[None]:
    try:
        yield
    except DeepfakeLightningError as error:
        logger.error("nobody is told %s: %s", what, error.what)
