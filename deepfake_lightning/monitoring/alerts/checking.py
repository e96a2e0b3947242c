"""One round: take the figures, judge, keep, deliver."""

from __future__ import annotations

from dataclasses import replace

from deepfake_lightning.monitoring.alerts.delivering import Tried, deliver, messages_of
from deepfake_lightning.monitoring.alerts.history import folder_of
from deepfake_lightning.monitoring.alerts.judging import judge
from deepfake_lightning.monitoring.alerts.machine import Place
from deepfake_lightning.monitoring.alerts.measuring import measure
from deepfake_lightning.monitoring.alerts.policy import AlertPolicy
from deepfake_lightning.monitoring.alerts.policy_files import policy_of
from deepfake_lightning.monitoring.alerts.records import AlertEvent, AlertRound
from deepfake_lightning.monitoring.alerts.situation import Situation
from deepfake_lightning.monitoring.alerts.state import (
    AlertState,
    change_state,
    read_state,
    sole_round,
)
from deepfake_lightning.storage import Workspace


def check_alerts(
    workspace: Workspace,
    log_place: Place,
    *,
    environment: str,
    now_us: int,
    wait_seconds: float = 60.0,
) -> AlertRound:
    """Judge the alerts of an environment, keep them, and deliver what is to be told.

    What was decided is on disk before anybody is told, and told again after a kill in between.

    Args:
        workspace: whose; its ``monitoring/alerts`` holds policy and state.
        log_place: of the prediction log, a path or URL; or the log, which is left open.
        environment: whose requests.
        now_us: the time, microseconds since 1970, UTC.
        wait_seconds: for another process that is at it.

    Raises:
        UsageError: policy or address cannot work.
        DataError: the state is damaged.
        StorageError: another process was at it all the time, or nothing can be locked there.
    """
    policy = policy_of(workspace)
    with sole_round(workspace, seconds=wait_seconds):
        situation = measure(
            workspace, log_place, policy.rules, environment=environment, now_us=now_us,
            alerts=read_state(workspace).alerts,
        )  # fmt: skip
        return settle(workspace, policy, situation, now_us=now_us)


def settle(
    workspace: Workspace, policy: AlertPolicy, situation: Situation, *, now_us: int
) -> AlertRound:
    """Judge, keep and deliver; the caller is the only one at it.

    Raises:
        DataError, StorageError: as :func:`check_alerts` has them.
    """
    events: list[AlertEvent] = []

    def judged(state: AlertState) -> AlertState:
        alerts, events[:] = judge(policy.rules, situation, state.alerts, state.silences, now_us)
        return replace(
            state,
            alerts=alerts,
            silences=tuple(one for one in state.silences if one.until_us > now_us),
            outbox=(*state.outbox, *messages_of(events, policy)),
            unwritten=(*state.unwritten, *events),
            rounds={**state.rounds, situation.environment: now_us},
        )

    _, fault = change_state(workspace, judged, hold=True)
    tried, state, later = send_outbox(workspace, policy, now_us=now_us)
    delivered = tuple((one.event.id, one.channel) for one in tried.delivered)
    return AlertRound(state.alerts, tuple(events), delivered, state.undelivered, later or fault)


def deliver_due(workspace: Workspace, *, now_us: int, wait_seconds: float = 60.0) -> str | None:
    """Deliver what waits in the outbox and is due, without judging anything.

    Args:
        workspace: whose.
        now_us: the time, microseconds since 1970, UTC.
        wait_seconds: for another process that is at it.

    Returns:
        Why what came of it could not be kept on disk; None where it was, or nothing waits.

    Raises:
        UsageError: the policy cannot work.
        DataError: the state is damaged.
        StorageError: another process was at it all the time, or nothing can be locked there.
    """
    if all(one.given_up_us is not None for one in read_state(workspace).outbox):
        return None
    with sole_round(workspace, seconds=wait_seconds):
        *_, fault = send_outbox(workspace, policy_of(workspace), now_us=now_us)
    return fault


def send_outbox(
    workspace: Workspace, policy: AlertPolicy, *, now_us: int
) -> tuple[Tried, AlertState, str | None]:
    """Deliver what is due, and note that; the caller is the only one at it.

    Returns:
        What came of it, the state after it, and why that could not be kept.
    """
    before = read_state(workspace)
    tried = deliver(before.outbox, policy, folder_of(workspace), now_us=now_us)
    if tried.left == before.outbox:
        return tried, before, None
    left = {one.key: one for one in tried.left}
    looked_at = {one.key for one in before.outbox}

    def noted(state: AlertState) -> AlertState:
        outbox = (left.get(one.key) if one.key in looked_at else one for one in state.outbox)
        return replace(state, outbox=tuple(one for one in outbox if one is not None))

    after, fault = change_state(workspace, noted, hold=True)
    return tried, after, fault
