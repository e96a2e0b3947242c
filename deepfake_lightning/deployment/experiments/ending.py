"""Ends of an experiment: all traffic goes to the control, or to a winner that the gate lets in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from deepfake_lightning.deployment.acts import Act, ChangeRecord
from deepfake_lightning.deployment.deploying import Deployment, Wish, deploy
from deepfake_lightning.deployment.environment import Environment, utc_now, whole
from deepfake_lightning.deployment.experiments.decision import ChallengerFinding, ExperimentDecision
from deepfake_lightning.deployment.experiments.experiment import Experiment
from deepfake_lightning.errors import DeploymentError, UsageError
from deepfake_lightning.registry import Registry
from deepfake_lightning.registry.trust import serving_bundle
from deepfake_lightning.schemas.environment import EnvironmentRecord
from deepfake_lightning.storage import Workspace


def stop(
    environment: Environment,
    experiment: Experiment,
    reason: str,
    *,
    keep: str | None = None,
    by: str | None = None,
    decision: Path | None = None,
) -> ChangeRecord:
    """End an experiment: the control, verified, has all the traffic again.

    Args:
        environment: in which it runs.
        experiment: which.
        reason: why.
        keep: the control, for who wants to name it; another version has to be promoted.
        by: who; None: the user of this process.
        decision: folder of what is known now; it is kept with the change.

    Raises:
        UsageError: another version than the control is to be kept.
        DeploymentError: it does not run, or the environment was changed meanwhile.
        RegistryError, BundleError: the control is not what was registered.
        StorageError: the machine refused; the experiment goes on.
    """
    before = check_stop(environment, experiment, keep)
    kept = decision and decision.relative_to(environment.workspace.deployment).as_posix()
    return environment.change(
        before, whole(experiment.control), Act("abtest", reason, by, kept or None)
    )


def check_stop(
    environment: Environment, experiment: Experiment, keep: str | None
) -> EnvironmentRecord:
    """Return what serves, where an experiment can be stopped; raises as :func:`stop` does."""
    before = _running(environment, experiment)
    registry = Registry(environment.workspace)
    if keep is not None and registry.get(keep).version != experiment.control:
        raise UsageError(
            f"{keep} is not the control, which is {experiment.control}",
            why="another version gets all the traffic through the gate alone",
            next_step=f"deepfake-lightning abtest promote {keep} --env {environment.name}",
        )
    serving_bundle(registry, experiment.control, environment.name)
    return before


def promote(
    workspace: Workspace,
    experiment: Experiment,
    found: ExperimentDecision,
    wish: Wish,
    *,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
    clock: Callable[[], datetime] = utc_now,
) -> Deployment:
    """Give a winner all the traffic, if the gate lets it in; that ends the experiment.

    Both are one change of what serves. While the gate looks, the experiment goes on; where the
    gate says no, it does so afterwards.

    Args:
        workspace: where.
        experiment: which.
        found: what it says.
        wish: what to deploy, and how; ``version`` is a challenger. With ``force`` and a reason a
            version is promoted whatever experiment and gate say.
        progress: told what the gate does.
        clock: gives the time, with its zone.

    Raises:
        UsageError: it is no challenger, or a wish that cannot work.
        DeploymentError: the experiment does not run, or does not say that the version is better.
        StorageError: the machine refused; the experiment goes on.
    """
    environment = Environment(workspace, experiment.environment, clock=clock)
    one = check_promotion(environment, experiment, found, wish.version, force=wish.force)
    reason = wish.reason or f"{experiment.name}: {one.says}"
    full = replace(wish, version=one.version, environment=experiment.environment, event="promote",
                   reason=reason)  # fmt: skip
    return deploy(workspace, full, progress=progress, clock=clock)


def winner_of(found: ExperimentDecision) -> str:
    """Return the challenger that is better, the best of several.

    Raises:
        DeploymentError: there is none.
    """
    if found.winner is None:
        raise DeploymentError(
            f"{found.experiment.name} has no winner",
            why="; ".join([*found.alarms, *(one.says for one in found.challengers)]),
            next_step=found.next_step,
        )
    return found.winner.version


def check_promotion(
    environment: Environment,
    experiment: Experiment,
    found: ExperimentDecision,
    name: str,
    *,
    force: bool,
) -> ChallengerFinding:
    """Return what is known of a version that may be promoted; raises as :func:`promote` does."""
    _running(environment, experiment)
    version = Registry(environment.workspace).get(name).version
    one = next((one for one in found.challengers if one.version == version), None)
    if one is None:
        raise UsageError(
            f"{version} is no challenger of {experiment.name}",
            next_step=f"name one of {', '.join(experiment.challengers)}; to keep the control:"
            f" deepfake-lightning abtest stop --env {experiment.environment}",
        )
    against = [*([] if one.verdict == "better" else [one.says]), *one.holds_back]
    if against and not force:
        raise DeploymentError(
            f"{experiment.name} does not say that {version} should be promoted",
            why="; ".join(against),
            next_step=found.next_step + '; or --force true --reason "..."',
        )
    return one


def _running(environment: Environment, experiment: Experiment) -> EnvironmentRecord:
    record = environment.record()
    if not experiment.serves_in(record):
        raise DeploymentError(
            f"{experiment.name} does not run: {record.says} serves in {environment.name}",
            why="whatever changes an environment ends its experiment",
            next_step="deepfake-lightning abtest list; registry history tells what happened",
        )
    return record
