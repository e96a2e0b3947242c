"""Rules and evidence in, a decision with its reasons out: no file, network, server or clock."""

from __future__ import annotations

from deepfake_lightning.deployment.gate.decision import Check, GateDecision, Outcome
from deepfake_lightning.deployment.gate.evidence import Evidence
from deepfake_lightning.deployment.gate.policy import GatePolicy
from deepfake_lightning.deployment.gate.rules_against import against_champion
from deepfake_lightning.deployment.gate.rules_cost import latency, server, size
from deepfake_lightning.deployment.gate.rules_floors import calibration_error, floors, methods
from deepfake_lightning.deployment.gate.rules_robustness import robustness
from deepfake_lightning.deployment.gate.rules_split import gate_split
from deepfake_lightning.deployment.gate.rules_version import (
    audit,
    bundle,
    champion,
    demo,
    licences,
    media,
    signed,
    staging_first,
)

_BEFORE = (bundle, signed, champion, staging_first, demo, licences, audit, media, size, robustness)
_SCORED = (gate_split, against_champion, floors, calibration_error, methods)
_RUN = (latency, server)


def judge(policy: GatePolicy, evidence: Evidence) -> GateDecision:
    """Decide whether a version is deployed.

    It is where no check fails. With ``asked.force`` it is, too, where none of those fails that
    nobody gets past: a bundle that is not what was registered or not signed where it has to be, and
    a server that does not work.

    Args:
        policy: the rules.
        evidence: what is known. What is None was not looked at, and waits for what fails before it.
    """
    if evidence.serves_already:
        return GateDecision("nothing to do", (_same(evidence),), evidence, policy)
    rules = (*_BEFORE, *_SCORED, *_RUN)
    checks = tuple(check for rule in rules for check in rule(policy, evidence))
    return GateDecision(_outcome(checks, evidence), checks, evidence, policy)


def fails_before(policy: GatePolicy, evidence: Evidence) -> tuple[Check, ...]:
    """Return what fails already without a look at the gate split."""
    return _failed(tuple(check for rule in _BEFORE for check in rule(policy, evidence)))


def fails_measured(policy: GatePolicy, evidence: Evidence) -> tuple[Check, ...]:
    """Return what fails already without a server."""
    rules = (*_BEFORE, *_SCORED, latency)
    return _failed(tuple(check for rule in rules for check in rule(policy, evidence)))


def _failed(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    return tuple(one for one in checks if one.status == "failed")


def _outcome(checks: tuple[Check, ...], evidence: Evidence) -> Outcome:
    failed = _failed(checks)
    if not failed:
        waiting = [one.name for one in checks if one.waits]
        assert not waiting, f"nothing fails, and yet {waiting} were not looked at"
        return "passed"
    if evidence.asked.force and all(one.forceable for one in failed):
        return "forced"
    return "refused"


def _same(evidence: Evidence) -> Check:
    asked = evidence.asked
    return Check(
        "already there", "passed",
        f"{asked.version} serves all of {asked.environment} already: nothing is to be done, and the"
        " gate split was not looked at",
    )  # fmt: skip
