"""A canary under way: one decision after the other, and its end by hand."""

from __future__ import annotations

from datetime import UTC, datetime

from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.canary.beginning import shared
from deepfake_lightning.deployment.canary.decision import CanaryDecision, how_it_ended
from deepfake_lightning.deployment.canary.judging import Judgement, Situation, judge
from deepfake_lightning.deployment.canary.minutes import read_minutes
from deepfake_lightning.deployment.canary.state import (
    FOLDER,
    CanaryState,
    End,
    Standing,
    read_state,
    standing,
    state_path,
    time_us,
)
from deepfake_lightning.deployment.environment import Environment, whole
from deepfake_lightning.deployment.rollback import Rollback, roll_back
from deepfake_lightning.errors import DeploymentError
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.storage import lock, write_json


def step(
    environment: Environment,
    *,
    log: LogDatabase | None,
    now: datetime,
    wait_seconds: float = 5.0,
) -> CanaryDecision:
    """Decide once, and do what was decided.

    Args:
        environment: whose canary.
        log: the prediction log; None where there is none.
        now: the time.
        wait_seconds: for a running server to take a change.

    Raises:
        DeploymentError: there never was a canary.
        RegistryError, BundleError: the champion that is to take over again is damaged.
        StorageError: the log cannot be read, or the machine refused a change.
    """
    with lock(state_path(environment)):
        state = _there(environment)
        try:
            return _step(environment, state, log, now, wait_seconds)
        except DeploymentError:
            at = standing(environment, state)
            if at.end is None:
                raise
            # Somebody was faster, and ended it.
            return _ended(environment, state, at, log, time_us(now.isoformat()))


def look(environment: Environment, *, log: LogDatabase | None, now: datetime) -> CanaryDecision:
    """Return what :func:`step` would decide, and do nothing.

    Raises:
        DeploymentError, StorageError: as there.
    """
    state = _there(environment)
    at = standing(environment, state)
    now_us = time_us(now.isoformat())
    if at.end is not None:
        return _ended(environment, state, at, log, now_us)
    found = judge(_situation(environment, state, at, log, now_us), state.policy)
    return CanaryDecision(found.verdict, found.reasons, state, at.share, at.step, now_us, found,
                          answered=found.answered if log else None)  # fmt: skip


def abort(
    environment: Environment, reason: str, *, by: str | None = None, wait_seconds: float = 5.0
) -> Rollback:
    """Take the candidate out by hand.

    Raises:
        DeploymentError: no canary runs.
        UsageError: there is no reason.
        RegistryError, BundleError, StorageError: as :func:`roll_back` has them.
    """
    state = _there(environment)
    at = standing(environment, state)
    if at.end is not None:
        raise DeploymentError(
            f"the canary of {state.candidate} in {environment.name} has ended",
            next_step=f"deepfake-lightning canary status --env {environment.name}",
        )
    return roll_back(
        environment, reason, to=state.champion, by=by, expected=at.record,
        wait_seconds=wait_seconds,
    )  # fmt: skip


def _there(environment: Environment) -> CanaryState:
    state = read_state(environment)
    if state is None:
        raise DeploymentError(
            f"there never was a canary in {environment.name}",
            next_step=f"deepfake-lightning deploy VERSION --env {environment.name} --canary true",
        )
    return state


def _situation(
    environment: Environment, state: CanaryState, at: Standing, log: LogDatabase | None, now_us: int
) -> Situation:
    times = [time_us(one.at) for one in at.changes]
    minutes = log and read_minutes(
        log, environment.name, state.champion, state.candidate,
        from_us=times[0], now_us=now_us, without=times,
    )  # fmt: skip
    return Situation(
        state.champion, state.candidate, at.step, times[0], times[-1], now_us,
        environment.taken(at.changes[-1]), minutes or None,
    )  # fmt: skip


def _step(
    environment: Environment,
    state: CanaryState,
    log: LogDatabase | None,
    now: datetime,
    wait_seconds: float,
) -> CanaryDecision:
    at = standing(environment, state)
    now_us = time_us(now.isoformat())
    if at.end is not None:
        return _ended(environment, state, at, log, now_us)
    found = judge(_situation(environment, state, at, log, now_us), state.policy)
    change, taken = None, None
    if found.verdict != "hold":
        basis = _keep(environment, state, at, found, now)
        reason = "; ".join(found.reasons)
        if found.verdict == "roll_back":
            reason = f"canary of {state.candidate}: {reason}"
            done = roll_back(
                environment, reason, to=state.champion, decision=basis, expected=at.record,
                wait_seconds=wait_seconds,
            )  # fmt: skip
            change, taken = done.change, done.taken
        else:
            after = whole(state.candidate)
            if found.verdict == "advance":
                after = shared(state, state.policy.steps[at.step + 1])
            change = environment.change(at.record, after, Act("canary", reason, decision=basis))
            taken = environment.wait_taken(change, wait_seconds)
    ends: dict[str, End] = {"done": "done", "roll_back": "rolled_back"}
    return CanaryDecision(
        found.verdict, found.reasons, state, at.share, at.step, now_us, found, change, taken,
        ends.get(found.verdict), found.answered if log else None,
    )  # fmt: skip


def _keep(
    environment: Environment, state: CanaryState, at: Standing, found: Judgement, now: datetime
) -> str:
    """Write what a change rests on; return where, below ``deployment``."""
    name = f"{now.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{found.verdict}.json"
    path = f"{FOLDER}/{state.experiment}/{name}"
    record = {
        "schema": 1, "environment": state.environment, "champion": state.champion,
        "candidate": state.candidate, "share": at.share, "at": now.astimezone(UTC).isoformat(),
        **found.to_dict(), "policy": state.policy.to_dict(),
    }  # fmt: skip
    write_json(environment.workspace.deployment / path, record)
    return path


def _ended(
    environment: Environment,
    state: CanaryState,
    at: Standing,
    log: LogDatabase | None,
    now_us: int,
) -> CanaryDecision:
    answered = None
    if log is not None and at.changes:
        end_us = time_us(at.ended_by.at) if at.ended_by else now_us
        answered = read_minutes(
            log, environment.name, state.champion, state.candidate,
            from_us=time_us(at.changes[0].at), now_us=end_us,
        ).answered  # fmt: skip
    return CanaryDecision(
        "ended", (how_it_ended(state, at),), state, at.share, at.step, now_us,
        change=at.ended_by, end=at.end, answered=answered,
    )  # fmt: skip
