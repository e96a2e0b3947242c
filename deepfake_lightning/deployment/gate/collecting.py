"""Finds out what the gate judges by: what is cheap first, and no look at the split for nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from deepfake_lightning.deployment.gate.evidence import (
    Asked,
    Evidence,
    Facts,
    Fault,
    ServerTrial,
    Timed,
    fault_of,
)
from deepfake_lightning.deployment.gate.facts import facts_of
from deepfake_lightning.deployment.gate.judge import fails_before, fails_measured
from deepfake_lightning.deployment.gate.policy import GatePolicy
from deepfake_lightning.deployment.gate.recorded import recorded_tests, seen_in_staging
from deepfake_lightning.errors import DeepfakeLightningError
from deepfake_lightning.registry import Registry
from deepfake_lightning.registry.signatures import short
from deepfake_lightning.registry.trust import signer_of

if TYPE_CHECKING:
    from deepfake_lightning.evaluation.robustness.ledger import RobustnessRecord

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Collected:
    """What was found out.

    Attributes:
        evidence: the record of it.
        pages: further pages to keep beside the decision, name -> HTML.
    """

    evidence: Evidence
    pages: dict[str, str] = field(default_factory=dict)


def collect(
    registry: Registry,
    asked: Asked,
    champion: str | None,
    policy: GatePolicy,
    *,
    data: str | None = None,
    workers: int | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Collected:
    """Find out all that the rules ask for.

    Where a rule fails that needs no scores, the gate split is not looked at, unless the version is
    to be deployed in any case, which no force does with one that lacks its signature; likewise no
    server is started where a score is too low.

    Args:
        registry: of the workspace.
        asked: what is asked for.
        champion: what serves now; None for nothing.
        policy: the rules.
        data: that have a gate split; None: as the policy says.
        workers: processes that score; None: as many as there are cores.
        progress: told what is done, how much of it is, and how much there is (0: unknown).

    Raises:
        StorageError: the machine refused.
        RegistryError, DeploymentError: the registry or the history is damaged.
    """
    progress("verifying files", 0, 0)
    candidate = facts_of(registry, asked.version)
    found = Evidence(
        asked, candidate, None if champion is None else facts_of(registry, champion),
        staging=seen_in_staging(registry.workspace, asked.version, candidate.digest),
        signer=_signer(registry, asked, candidate),
        robustness=_robustness(registry, candidate.digest, policy),
    )  # fmt: skip
    unforceable = candidate.fault is not None or isinstance(found.signer, Fault)
    if unforceable or (fails_before(policy, found) and not asked.force):
        return Collected(found)
    # What is damaged cannot be held against anything: a forced deployment goes without.
    other = found.champion.version if found.champion and not found.champion.fault else None
    from deepfake_lightning.deployment.gate.measuring import measure  # slow

    seen = measure(
        registry, (asked.version, other), policy, data=data, workers=workers, progress=progress
    )
    found = replace(found, measured=seen.measured, compared=seen.compared)
    if other is None and found.champion is not None:
        found = replace(found, compared=found.champion.fault)
    pages = {} if seen.page is None else {"comparison.html": seen.page}
    if not isinstance(seen.measured, Fault) or asked.force:
        found = replace(found, timed=_timed(registry, asked.version, other, policy, progress))
    if fails_measured(policy, found) and not asked.force:
        return Collected(found, pages)
    return Collected(replace(found, tested=_tested(registry, found, policy, progress)), pages)


def _signer(registry: Registry, asked: Asked, candidate: Facts) -> str | Fault | None:
    if candidate.fault is not None:
        return None
    try:
        key = signer_of(registry, registry.bundle(asked.version), asked.environment)
    except DeepfakeLightningError as error:
        return fault_of(error)
    return None if key is None else f"{key.name} ({short(key.id)})"


def _robustness(
    registry: Registry, digest: str | None, policy: GatePolicy
) -> RobustnessRecord | None:
    if not policy.robustness.asks:
        return None
    from deepfake_lightning.evaluation.robustness.ledger import latest_robustness  # slow

    return latest_robustness(registry.workspace, digest)


def _timed(
    registry: Registry, candidate: str, other: str | None, policy: GatePolicy, progress: Progress
) -> Timed | Fault | None:
    if policy.cost.cpu_ms is None and policy.cost.slower is None:
        return None
    from deepfake_lightning.deployment.gate.timing import time_networks

    versions = [candidate] if other is None else [candidate, other]
    try:
        return time_networks(registry, versions, policy.cost.seconds, progress)
    except DeepfakeLightningError as error:
        return fault_of(error)


def _tested(
    registry: Registry, found: Evidence, policy: GatePolicy, progress: Progress
) -> ServerTrial | Fault | None:
    """Return the integration tests: those on record, or new ones."""
    asked, rule = found.asked, policy.integration
    if asked.environment not in rule.environments:
        return None
    now = datetime.fromisoformat(asked.at)
    known = recorded_tests(registry.workspace, found.candidate.digest, now, rule)
    if known is not None:
        return known
    from deepfake_lightning.deployment.integration import run_integration_tests

    other = found.champion.version if found.champion and not found.champion.fault else None
    try:
        report = run_integration_tests(
            registry.workspace,
            asked.version,
            other,
            rule.plan,
            progress=lambda what, done: progress(what, round(1000 * done), 1000),
        )
    except DeepfakeLightningError as error:
        return fault_of(error)
    return ServerTrial(
        report.checks, report.not_run, report.notes, round(report.seconds, 1), asked.at
    )
