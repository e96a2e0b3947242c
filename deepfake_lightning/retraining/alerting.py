"""That a loop failed, told through the channels of the alerts."""

from __future__ import annotations

import logging

from deepfake_lightning.errors import DeepfakeLightningError
from deepfake_lightning.monitoring.alerts.history import folder_of
from deepfake_lightning.monitoring.alerts.policy_files import policy_of
from deepfake_lightning.monitoring.alerts.records import Alert, AlertEvent, alert_id
from deepfake_lightning.monitoring.alerts.sending import send
from deepfake_lightning.retraining.record import LoopRecord
from deepfake_lightning.storage import Workspace

logger = logging.getLogger(__name__)

RULE = "retraining"


def tell_failure(workspace: Workspace, loop: LoopRecord) -> list[str]:
    """Tell that a loop failed, once, through each channel; return the names of those told.

    A channel that does not take it is noted in the log: the loop's record says all of it, too.
    """
    at_us = loop.finished_us or loop.started_us
    subject = f"{loop.environment}/loop-{loop.number}"
    alert = Alert(
        alert_id(RULE, subject, at_us), RULE, subject, "firing", "warning", loop.started_us,
        fired_us=at_us, environment=loop.environment, told_us=at_us,
        says=f"retraining {loop.base} failed at the step {loop.step}: {loop.note}",
        next_step=f"deepfake-lightning retrain --env {loop.environment} --reason again; what "
        "serves goes on",
    )  # fmt: skip
    event = AlertEvent(f"{alert.id}-firing", "firing", at_us, alert)
    told: list[str] = []
    try:
        channels = policy_of(workspace).channels
    except DeepfakeLightningError as error:
        logger.error("nobody is told that a loop failed: %s", error.what)
        return told
    for channel in channels:
        try:
            send(channel, event, folder_of(workspace))
            told.append(channel.name)
        except DeepfakeLightningError as error:
            logger.error("channel %s was not told that a loop failed: %s", channel.name, error.what)
    return told
