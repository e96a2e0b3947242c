"""Deploy a version: the gate decides, the decision is kept, then what serves is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_lightning.deployment.acts import Act, ChangeRecord, Event
from deepfake_lightning.deployment.environment import Environment, utc_now, whole
from deepfake_lightning.deployment.gate.collecting import Collected, Progress, collect
from deepfake_lightning.deployment.gate.decision import FILE, PAGE, GateDecision
from deepfake_lightning.deployment.gate.evidence import Asked, Evidence, Facts
from deepfake_lightning.deployment.gate.judge import judge
from deepfake_lightning.deployment.gate.page import decision_page
from deepfake_lightning.deployment.gate.policy import GatePolicy
from deepfake_lightning.errors import DeploymentError, UsageError
from deepfake_lightning.registry import Registry
from deepfake_lightning.registry.registering import user
from deepfake_lightning.schemas.environment import EnvironmentRecord
from deepfake_lightning.storage import Workspace, atomic_folder, write_json

if TYPE_CHECKING:
    from deepfake_lightning.deployment.canary import CanaryPolicy

DECISIONS = "decisions"


@dataclass(frozen=True)
class Wish:
    """What is to be deployed, where, and how.

    Attributes:
        version: of the registry, ``latest``, or an environment whose version it is.
        environment: where it is to serve.
        policy: the rules.
        reason: why; there has to be one with ``force``.
        force: deploy it although the gate says no.
        by: who asks; None: the user of this process.
        data: that have a gate split; None: as the policy says.
        canary: begin with a small share of the traffic, by this policy; None: all of it at once.
        event: how the change is to be called; ``promote`` may end an experiment.
        licences: of training data that are let through by name.
        policy_from: where the policy comes from, in words.
        dry_run: decide, and change nothing.
        workers: processes that score; None: as many as there are cores.
    """

    version: str
    environment: str
    policy: GatePolicy = field(default_factory=GatePolicy)
    reason: str = ""
    force: bool = False
    by: str | None = None
    data: str | None = None
    canary: CanaryPolicy | None = None
    event: Event = "deploy"
    licences: tuple[str, ...] = ()
    policy_from: str = "the defaults"
    dry_run: bool = False
    workers: int | None = None


@dataclass(frozen=True)
class Deployment:
    """What became of a wish.

    Attributes:
        decision: of the gate.
        folder: where it is kept, with its page.
        change: of what serves; None where nothing was changed.
    """

    decision: GateDecision
    folder: Path
    change: ChangeRecord | None


def deploy(
    workspace: Workspace,
    wish: Wish,
    *,
    progress: Progress = lambda what, done, total: None,
    clock: Callable[[], datetime] = utc_now,
) -> Deployment:
    """Deploy a version, if the gate lets it through.

    The decision is kept, also where it is no. Whoever is interrupted at any moment has changed
    nothing, or all of it.

    Args:
        workspace: where.
        wish: what.
        progress: told what is done, how much of it is, and how much there is (0: unknown).
        clock: gives the time, with its zone.

    Raises:
        UsageError: there is no such version or environment, or a wish that cannot work.
        DeploymentError: several versions share the environment, or it was changed meanwhile.
        RegistryError, BundleError: a canary's champion is not signed, where that is asked for.
        StorageError: the machine refused; what served before does so still.
    """
    environment = Environment(workspace, wish.environment, clock=clock)
    expected, registry = environment.record(), Registry(workspace)
    now = clock().astimezone(UTC)
    asked = _asked(registry, wish, now)
    _check(wish, asked, expected)
    champion = champion_of(expected, asked.version)
    found = _found(registry, asked, expected, champion, wish, progress)
    decision = judge(wish.policy, found.evidence)
    folder = _keep(workspace, decision, found.pages, now)
    if not decision.goes or wish.dry_run:
        return Deployment(decision, folder, None)
    progress("deploying", 0, 0)
    event: Event = "force" if decision.outcome == "forced" else wish.event
    kept = folder.relative_to(workspace.deployment).as_posix()
    act = Act(event, wish.reason, asked.by, kept)
    if wish.canary is None:
        change = environment.change(expected, whole(asked.version), act)
    else:
        from deepfake_lightning.deployment.canary import begin

        _, change = begin(
            environment, asked.version, wish.canary, act, now=clock(), expected=expected
        )
    return Deployment(decision, folder, change)


def champion_of(record: EnvironmentRecord, candidate: str) -> str | None:
    """Return what a candidate is held against: who else has most of the traffic; None: nobody."""
    others = [one for one in record.serving if one.version != candidate and one.share > 0]
    return max(others, key=lambda one: one.share).version if others else None


def _asked(registry: Registry, wish: Wish, now: datetime) -> Asked:
    version = registry.get(wish.version).version
    return Asked(
        version, wish.environment, wish.event, now.isoformat(timespec="seconds"),
        wish.by or user(), wish.reason, wish.force, wish.licences, wish.policy_from,
        wish.canary is not None, wish.dry_run,
    )  # fmt: skip


def _check(wish: Wish, asked: Asked, now: EnvironmentRecord) -> None:
    """Refuse what cannot work, before anything is scored."""
    if wish.force and not wish.reason.strip():
        raise UsageError(
            "--force needs a reason",
            why="whoever reads the history has to understand why the gate was passed by",
            next_step='--force true --reason "..."',
        )
    if wish.data is not None and not Path(wish.data).exists():
        raise UsageError(
            f"there is no {wish.data}",
            why="the gate split is looked for there (--data)",
            next_step="check the path; `deepfake-lightning data split` makes a manifest",
        )
    if len(now.versions) > 1 and wish.event != "promote":
        names = " and ".join(now.versions)
        raise DeploymentError(
            f"{names} share {asked.environment}: a canary or an experiment is under way",
            why="a deployment would end it without a verdict",
            next_step="deepfake-lightning canary status, or abtest status; `deepfake-lightning"
            f" rollback --env {asked.environment}` gives all the traffic to one",
        )
    if wish.canary is not None and champion_of(now, asked.version) is None:
        if asked.version in now.versions:
            return  # nothing is to be done
        raise UsageError(
            f"nothing serves in {asked.environment} that a canary could be held against",
            next_step="deploy the first version without --canary",
        )


def _found(
    registry: Registry, asked: Asked, now: EnvironmentRecord, champion: str | None, wish: Wish,
    progress: Progress,
) -> Collected:  # fmt: skip
    if now.versions == (asked.version,):
        return Collected(Evidence(asked, Facts(asked.version), serves_already=True))
    _check_licences(registry, asked)
    return collect(
        registry, asked, champion, wish.policy, data=wish.data, workers=wish.workers,
        progress=progress,
    )  # fmt: skip


def _check_licences(registry: Registry, asked: Asked) -> None:
    there = registry.get(asked.version).licences
    for name in asked.licences:
        if name not in there:
            raise UsageError(
                f"{asked.version} was not trained on data under {name!r}",
                why=f"its licences: {', '.join(there) or 'none is known'}",
                next_step="name one of these, as it is spelt, or leave --allow_licence out",
            )


def _keep(
    workspace: Workspace, decision: GateDecision, pages: dict[str, str], now: datetime
) -> Path:
    """Keep a decision with its page, whole or not at all."""
    asked = decision.evidence.asked
    name = f"{now:%Y%m%dT%H%M%S%f}Z-{asked.environment}-{asked.version}"
    folder = workspace.deployment / DECISIONS / name
    with atomic_folder(folder) as aside:
        write_json(aside / FILE, decision.to_dict())
        (aside / PAGE).write_text(decision_page(decision, tuple(pages)), "utf-8")
        for page, content in pages.items():
            (aside / page).write_text(content, "utf-8")
    return folder
