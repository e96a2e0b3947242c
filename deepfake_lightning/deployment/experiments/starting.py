"""Let versions share an environment, or score beside the one that answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from deepfake_lightning.deployment.acts import Act, ChangeRecord
from deepfake_lightning.deployment.environment import Environment, utc_now
from deepfake_lightning.deployment.experiments.experiment import (
    Experiment,
    Mode,
    find,
    keep,
    path_of,
    run_of,
)
from deepfake_lightning.deployment.experiments.policy import ExperimentPolicy
from deepfake_lightning.errors import DeploymentError, UsageError
from deepfake_lightning.registry import Registry
from deepfake_lightning.registry.registering import user
from deepfake_lightning.registry.trust import serving_bundle
from deepfake_lightning.schemas.environment import ENVIRONMENTS, EnvironmentRecord, Serving
from deepfake_lightning.storage import Workspace, lock

_LEAST_SHARE = 0.01
_PASSED = ("deploy", "canary", "promote")  # changes that a gate let through


@dataclass(frozen=True)
class Start:
    """What is to be tried.

    Attributes:
        challengers: versions to hold against the one that serves.
        environment: in which.
        mode: ``share`` or ``shadow``.
        share: of the requests for each challenger; None: the same for all versions.
        name: of the experiment; None: made of the versions.
        policy: the rules.
        reason: why; there has to be one with ``force``.
        force: take versions that passed no gate.
        by: who; None: the user of this process.
    """

    challengers: tuple[str, ...]
    environment: str = "production"
    mode: Mode = "share"
    share: float | None = None
    name: str | None = None
    policy: ExperimentPolicy = field(default_factory=ExperimentPolicy)
    reason: str = ""
    force: bool = False
    by: str | None = None


def start(
    workspace: Workspace, wish: Start, *, clock: Callable[[], datetime] = utc_now
) -> tuple[Experiment, ChangeRecord]:
    """Start an experiment: what serves is the control, and all versions are verified first.

    Whoever is interrupted at any moment has changed nothing of what serves, or all of it.

    Args:
        workspace: where.
        wish: what.
        clock: gives the time, with its zone.

    Returns:
        What was set up, and the change that began it.

    Raises:
        UsageError: a wish that cannot work.
        DeploymentError: nothing serves alone there, a challenger passed no gate, the name is
            taken, or the environment was changed meanwhile.
        RegistryError, BundleError: a version is not what was registered, or not signed where that
            is asked for.
        StorageError: the machine refused; what served before does so still.
    """
    environment = Environment(workspace, wish.environment, clock=clock)
    before = environment.record()
    control = _control(environment, before)
    challengers = _challengers(workspace, wish, control)
    untried = _untried(environment, challengers)
    if untried and not wish.force:
        raise _refused(untried, wish.environment)
    if wish.force and not wish.reason.strip():
        raise UsageError("--force needs a reason", next_step='pass --reason "why"')
    registry = Registry(workspace)
    for version in (control, *challengers):
        serving_bundle(registry, version, wish.environment)
    with lock(workspace.deployment / "experiments"):
        experiment = Experiment(
            name=_name(workspace, wish, control, challengers),
            environment=wish.environment,
            mode=wish.mode,
            arms=_arms(wish, control, challengers),
            policy=wish.policy,
            set_up=clock().astimezone(UTC).isoformat(timespec="microseconds"),
            by=wish.by or user(),
            reason=wish.reason,
            untried=untried,
        )
        keep(workspace, experiment)
    kept = path_of(workspace, experiment.name).relative_to(workspace.deployment).as_posix()
    act = Act("abtest", wish.reason or f"starts {experiment.name}", wish.by, kept)
    return experiment, environment.change(before, experiment.serving(), act)


def _control(environment: Environment, now: EnvironmentRecord) -> str:
    name = environment.name
    if not now.versions:
        raise DeploymentError(
            f"nothing serves in {name}",
            why="an experiment holds others against the version that serves",
            next_step=f"deepfake-lightning deploy VERSION --env {name}",
        )
    if len(now.versions) > 1:
        what = f"the experiment {now.experiment}" if now.experiment else "a canary"
        raise DeploymentError(
            f"{' and '.join(now.versions)} share {name}: {what} is under way",
            why="two at once would be told apart by neither",
            next_step=f"deepfake-lightning abtest stop --env {name}, or canary status; rollback"
            " ends both",
        )
    return now.versions[0]


def _challengers(workspace: Workspace, wish: Start, control: str) -> tuple[str, ...]:
    registry = Registry(workspace)
    names = tuple(registry.get(one).version for one in wish.challengers)
    if not names:
        raise UsageError(
            "an experiment needs a version to try",
            next_step=f"deepfake-lightning abtest start VERSION --env {wish.environment}",
        )
    if control in names:
        raise UsageError(f"{control} is what serves: it is the control", next_step="name others")
    if len(set(names)) != len(names):
        raise UsageError("a version is named twice", next_step="name each once")
    return names


def _arms(wish: Start, control: str, challengers: tuple[str, ...]) -> tuple[Serving, ...]:
    number = len(challengers)
    if wish.mode == "shadow":
        if wish.share is not None:
            raise UsageError(
                "--share does not go with --mode shadow",
                why="versions in the shadow answer nobody",
                next_step="leave one of them out",
            )
        shares = [1.0, *[0.0] * number]
    else:
        share = 1 / (number + 1) if wish.share is None else wish.share
        rest = 1 - number * share
        if not (share >= _LEAST_SHARE and rest >= _LEAST_SHARE - 1e-9):
            raise UsageError(
                f"a share of {share:g} for each of {number} leaves {rest:.4g} for {control}",
                why=f"each version needs {_LEAST_SHARE:g} at least",
                next_step=f"pass --share between {_LEAST_SHARE:g} and {1 / (number + 1):.2g}",
            )
        shares = [rest, *[share] * number]
    return tuple(
        Serving(version=version, share=one)
        for version, one in zip((control, *challengers), shares, strict=True)
    )


def _untried(environment: Environment, challengers: tuple[str, ...]) -> tuple[str, ...]:
    """Return the challengers that no gate let through; staging is where all may be tried."""
    if environment.name == ENVIRONMENTS[0]:
        return ()
    passed = {
        one.version
        for change in environment.history.changes()
        if change.event in _PASSED
        for one in change.after.serving
    }
    return tuple(one for one in challengers if one not in passed)


def _refused(untried: tuple[str, ...], environment: str) -> DeploymentError:
    names = " and ".join(untried)
    return DeploymentError(
        f"{names} never passed a gate",
        why=f"in {environment} people would get its answers, and nobody knows whether it works",
        next_step=f"deepfake-lightning deploy {untried[0]} --env {ENVIRONMENTS[0]}; or"
        ' --force true --reason "..."',
    )


def _name(workspace: Workspace, wish: Start, control: str, challengers: tuple[str, ...]) -> str:
    if wish.name is not None:
        if wish.name == wish.environment:
            raise DeploymentError(
                f"an experiment cannot be called {wish.name}, like its environment",
                why="requests of an experiment are told from others by its name",
                next_step="pass another --name, or leave it out",
            )
        if _is_taken(workspace, wish.name):
            raise DeploymentError(
                f"there was an experiment {wish.name}",
                why="its clients would be dealt as before, and its labels counted in",
                next_step="pass another --name, or leave it out",
            )
        return wish.name
    base = f"{'-'.join(challengers)}-against-{control}".replace("+", "_")[:70]
    number = 1
    while _is_taken(workspace, name := base if number == 1 else f"{base}-{number}"):
        number += 1
    return name


def _is_taken(workspace: Workspace, name: str) -> bool:
    """Whether a name is of an experiment that came to serve; one that did not gives it back."""
    found = find(workspace, name)
    if found is None:
        return False
    return run_of(found, Environment(workspace, found.environment)).state != "set up"
