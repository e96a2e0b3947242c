"""Incidents: what another part of the program says of itself, and no rule measures.

They are alerts like others: kept, told until the message arrives, acknowledged, silenced. But no
round judges them: who reports one says when it is over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from deepfake_lightning.errors import DeepfakeLightningError, StorageError
from deepfake_lightning.monitoring.alerts.checking import deliver_due
from deepfake_lightning.monitoring.alerts.delivering import messages_of
from deepfake_lightning.monitoring.alerts.judging import (
    in_order,
    kept_us,
    resolved,
    silenced_until,
    told,
)
from deepfake_lightning.monitoring.alerts.policy import AlertPolicy
from deepfake_lightning.monitoring.alerts.policy_files import policy_of
from deepfake_lightning.monitoring.alerts.records import Alert, Kind, Severity, alert_id
from deepfake_lightning.monitoring.alerts.state import AlertState, change_state
from deepfake_lightning.storage import Workspace

logger = logging.getLogger(__name__)

_WAIT_SECONDS = 5.0  # for a round, which delivers it otherwise


@dataclass(frozen=True)
class Incident:
    """Something that went wrong.

    Attributes:
        rule: what kind of incident it is; where a policy names channels for a rule of that name,
            they are told, else all.
        subject: what it happened to; of one rule and subject one alert at most is open.
        says: one sentence.
        next_step: what to do, a command where there is one.
        environment: whose; None for what all share.
        severity: of the alert.
    """

    rule: str
    subject: str
    says: str
    next_step: str = ""
    environment: str | None = None
    severity: Severity = "warning"


def report(workspace: Workspace, incident: Incident, *, now_us: int) -> None:
    """Keep an incident and tell it; where the same one is open already, it is told again.

    Args:
        workspace: whose.
        incident: what happened.
        now_us: the time, microseconds since 1970, UTC.

    Raises:
        DataError, StorageError: it cannot be kept.
    """

    def happened(before: Alert | None) -> tuple[Alert, Kind]:
        alert = before or Alert(
            alert_id(incident.rule, incident.subject, now_us), incident.rule, incident.subject,
            "firing", incident.severity, now_us, fired_us=now_us,
            environment=incident.environment, reported=True,
        )  # fmt: skip
        now = replace(alert, says=incident.says, next_step=incident.next_step,
                      severity=incident.severity)  # fmt: skip
        return now, "firing" if before is None else "reminder"

    _change(workspace, (incident.rule, incident.subject), happened, now_us)


def end(workspace: Workspace, rule: str, subject: str, says: str, *, now_us: int) -> None:
    """Say that an incident is over, which is told; nothing is done where none is open.

    Args:
        workspace: whose.
        rule: of the incident.
        subject: of the incident.
        says: why it is over, one sentence.
        now_us: the time, microseconds since 1970, UTC.

    Raises:
        DataError, StorageError: it cannot be kept.
    """

    def ended(before: Alert | None) -> tuple[Alert, Kind] | None:
        return None if before is None else (resolved(before, now_us, says), "resolved")

    _change(workspace, (rule, subject), ended, now_us)


def _change(
    workspace: Workspace,
    key: tuple[str, str],
    to: Callable[[Alert | None], tuple[Alert, Kind] | None],
    now_us: int,
) -> None:
    policy = _policy(workspace)

    def edit(state: AlertState) -> AlertState:
        its = [one for one in state.alerts if one.reported and one.open and one.key == key]
        found = to(its[0] if its else None)
        if found is None:
            return state
        alert, kind = found
        until = silenced_until(alert, state.silences, now_us)
        alert, event = told(replace(alert, silenced_until_us=until), kind, now_us)
        others = [one for one in state.alerts if one not in its]
        return replace(
            state, alerts=in_order([alert, *others], now_us, kept_us(policy.rules)),
            outbox=(*state.outbox, *messages_of([event], policy)),
            unwritten=(*state.unwritten, event),
        )  # fmt: skip

    _, fault = change_state(workspace, edit, hold=True)
    try:
        deliver_due(workspace, now_us=now_us, wait_seconds=_WAIT_SECONDS)
    except DeepfakeLightningError as error:  # it waits in the outbox
        logger.warning("%s of %s: it is told later: %s", *key, error.what)
    if fault:  # this process alone knows of it, and ends soon
        raise StorageError(f"the incident {key[0]} of {key[1]} could not be kept", why=fault)


def _policy(workspace: Workspace) -> AlertPolicy:
    try:
        return policy_of(workspace)
    except DeepfakeLightningError as error:
        logger.error("an incident is kept, and nobody is told of it: %s", error.what)
        return AlertPolicy(channels=())
