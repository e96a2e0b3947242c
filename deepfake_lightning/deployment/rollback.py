"""Back to a version that served before: verified, at once, with a reason."""

from __future__ import annotations

import time
from dataclasses import dataclass

from deepfake_lightning.deployment.acts import Act, ChangeRecord
from deepfake_lightning.deployment.environment import Environment, sole_version, whole
from deepfake_lightning.errors import DeepfakeLightningError, DeploymentError, UsageError
from deepfake_lightning.registry import Registry
from deepfake_lightning.registry.trust import serving_bundle
from deepfake_lightning.schemas.environment import EnvironmentRecord

_TRIES = 5  # others change what serves at the same time
_HISTORY = "deepfake-lightning registry history"


@dataclass(frozen=True)
class Rollback:
    """What was done.

    Attributes:
        before: what served.
        target: the version that has all the traffic now.
        change: its record; None where it had it already.
        taken: whether a running server has taken it; None where nothing was changed.
        seconds: from the change until then; None where none has.
    """

    before: EnvironmentRecord
    target: str
    change: ChangeRecord | None = None
    taken: bool | None = None
    seconds: float | None = None


def roll_back(
    environment: Environment,
    reason: str,
    *,
    to: str | None = None,
    by: str | None = None,
    decision: str | None = None,
    expected: EnvironmentRecord | None = None,
    wait_seconds: float = 5.0,
) -> Rollback:
    """Give a version all the traffic, and end a canary or an experiment with that.

    The target is verified before anything is changed, and its signature where one is asked for;
    what serves now may be damaged or gone.

    Args:
        environment: which.
        reason: why; there has to be one.
        to: the version; None: the one that had all the traffic before.
        by: who; None: the user of this process.
        decision: what it rests on, a file or folder below the workspace's ``deployment``.
        expected: only from this; None: from whatever serves.
        wait_seconds: for a running server to take it.

    Raises:
        UsageError: there is no reason, or no such version.
        RegistryError, BundleError: the target is not what was registered, or not signed.
        DeploymentError: there is no version to go back to, or what serves is not ``expected``.
        StorageError: the machine refused; what served before does so still.
    """
    if not reason.strip():
        raise UsageError(
            "a rollback needs a reason",
            why="whoever looks at the history later wants to know it",
            next_step='pass --reason "why"',
        )
    target = _verified(environment, to)
    for left in reversed(range(_TRIES)):
        before = expected if expected is not None else environment.record()
        if sole_version(before) == target and not before.shadow:
            return Rollback(before, target)
        try:
            change = environment.change(
                before, whole(target), Act("rollback", reason, by, decision)
            )
            break
        except DeploymentError:
            if expected is not None or not left:
                raise
    began = time.monotonic()
    taken = environment.wait_taken(change, wait_seconds)
    return Rollback(before, target, change, taken, time.monotonic() - began if taken else None)


def _verified(environment: Environment, to: str | None) -> str:
    """Return the name of the target, whose bundle is whole."""
    registry = Registry(environment.workspace)
    target = to if to is not None else environment.previous()
    if target is None:
        raise DeploymentError(
            f"no version served {environment.name} before",
            why="there is none to go back to by itself",
            next_step=f"name one: deepfake-lightning rollback --env {environment.name} "
            "--to VERSION --reason ...",
        )
    name = registry.get(target).version
    try:
        serving_bundle(registry, name, environment.name)
    except DeepfakeLightningError as error:
        others = [one for one in _served_before(environment) if one != name]
        advice = f"go back to another one, which served before: {', '.join(others)} (--to)"
        raise type(error)(
            error.what,
            why=f"{name} is what to go back to; nothing was changed",
            next_step=advice if others else error.next_step,
        ) from error
    return name


def _served_before(environment: Environment) -> list[str]:
    """Return the versions that had all the traffic, the latest first."""
    found = [sole_version(one.after) for one in environment.history.done(environment.name)]
    return [one for one in dict.fromkeys(reversed(found)) if one is not None]
