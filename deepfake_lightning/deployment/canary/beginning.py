"""A canary's beginning: the first share of what another version serves alone."""

from __future__ import annotations

from datetime import UTC, datetime

from deepfake_lightning.deployment.acts import Act, ChangeRecord
from deepfake_lightning.deployment.canary.policy import CanaryPolicy
from deepfake_lightning.deployment.canary.state import CanaryState, state_path, write_state
from deepfake_lightning.deployment.environment import Environment, sole_version
from deepfake_lightning.errors import DeploymentError
from deepfake_lightning.registry import Registry
from deepfake_lightning.registry.trust import serving_bundle
from deepfake_lightning.schemas.environment import EnvironmentRecord, Serving
from deepfake_lightning.storage import lock


def begin(
    environment: Environment,
    candidate: str,
    policy: CanaryPolicy,
    act: Act,
    *,
    now: datetime,
    expected: EnvironmentRecord | None = None,
) -> tuple[CanaryState, ChangeRecord]:
    """Give a version the first share of what another one serves alone.

    Args:
        environment: which.
        candidate: a registered version; its bundle is verified.
        policy: how it goes on.
        act: what is done, why, by whom, and the decision that it rests on.
        now: the time.
        expected: what the decision was made from; None: whatever serves.

    Raises:
        DeploymentError: nothing serves yet, several versions do, the candidate does already, or
            what serves is not ``expected``.
        UsageError, RegistryError, BundleError: the candidate is not there, not whole, or not
            signed where that is asked for.
        StorageError: the machine refused; what served before does so still.
    """
    registry = Registry(environment.workspace)
    candidate = registry.get(candidate).version
    serving_bundle(registry, candidate, environment.name)
    stamp = now.astimezone(UTC)
    with lock(state_path(environment)):
        before = environment.record() if expected is None else environment.check(expected)
        state = CanaryState(
            environment=environment.name,
            champion=_champion(environment, before, candidate),
            candidate=candidate,
            experiment=f"{environment.name}-{candidate}-{stamp:%Y%m%dT%H%M%S%fZ}"[-100:],
            begun=stamp.isoformat(timespec="microseconds"),
            policy=policy,
        )
        write_state(environment, state)  # first: a canary whose file is missing cannot be judged
        change = environment.change(before, shared(state, policy.steps[0]), act)
    return state, change


def shared(state: CanaryState, share: float) -> EnvironmentRecord:
    """Return the record in which the candidate has a share, and the champion the rest."""
    # The candidate is last: as its share grows its clients stay with it.
    rest = Serving(version=state.champion, share=1 - share)
    return EnvironmentRecord(
        serving=(rest, Serving(version=state.candidate, share=share)), experiment=state.experiment
    )


def _champion(environment: Environment, record: EnvironmentRecord, candidate: str) -> str:
    champion, name = sole_version(record), environment.name
    if champion is None or len(record.versions) > 1:
        what = "several versions serve" if record.versions else "nothing serves"
        raise DeploymentError(
            f"{what} in {name}",
            why="a canary takes its share from the one version that serves alone, and is judged by "
            "it",
            next_step=f"end what is on: deepfake-lightning rollback --env {name} --reason ..."
            if record.versions
            else "deploy without a canary",
        )
    if champion == candidate:
        raise DeploymentError(f"{candidate} serves {name} already, with all the traffic")
    return champion
