"""Whether there is a gate split, and whether it can carry a decision."""

from __future__ import annotations

from collections.abc import Iterator

from deepfake_lightning.deployment.gate.decision import Check, waiting
from deepfake_lightning.deployment.gate.evidence import Evidence, Fault, Measured
from deepfake_lightning.deployment.gate.policy import Data, GatePolicy
from deepfake_lightning.evaluation.words import counted
from deepfake_lightning.schemas.calibration import percent

_NAME = "gate split"


def gate_split(policy: GatePolicy, evidence: Evidence) -> Iterator[Check]:
    """There is a gate split that can carry a decision."""
    found = evidence.measured
    if found is None:
        yield waiting(_NAME)
    elif isinstance(found, Fault):
        why = found.why or "without it nothing is known of the candidate"
        yield Check(_NAME, "failed", found.what, why, next_step=found.next_step)
    else:
        one = (
            _too_small(found, policy.data)
            or _unscored(found, policy.data)
            or _worn_out(found, policy.data)
            or _leaks(found, policy.training.allowed)
        )
        says = f"{_rests(found)}; {_seen(found)}"
        yield one or Check(
            _NAME, "passed", says, value=min(found.real, found.fake), limit=policy.data.items
        )


def _rests(found: Measured) -> str:
    groups = counted(found.groups, "group")
    return f"{found.real:,} real and {found.fake:,} fake items of {groups}"


def _seen(found: Measured) -> str:
    return f"scored {counted(found.looks, 'time')}, {counted(found.detectors, 'detector')}"


def _too_small(found: Measured, rule: Data) -> Check | None:
    fewest = min(found.real, found.fake)
    if fewest >= rule.items and found.groups >= rule.groups:
        return None
    return Check(
        _NAME, "failed",
        f"{_rests(found)}; {rule.items:,} of each class, of {rule.groups:,} groups, are wanted",
        "so few say too little to decide by", fewest, rule.items,
        "add people to the gate split, or lower data.items and data.groups",
    )  # fmt: skip


def _unscored(found: Measured, rule: Data) -> Check | None:
    share = found.unscored / (found.real + found.fake + found.unscored)
    if share <= rule.unscored:
        return None
    return Check(
        _NAME, "failed",
        f"{found.unscored:,} items, {percent(round(share, 4))}, have no score; at most "
        f"{percent(rule.unscored)} may",
        "what it cannot score is in no figure", share, rule.unscored,
        "look at them with `deepfake-lightning evaluate`",
    )  # fmt: skip


def _worn_out(found: Measured, rule: Data) -> Check | None:
    if rule.detectors is None or found.detectors <= rule.detectors:
        return None
    return Check(
        _NAME, "failed", f"{_rests(found)}; {_seen(found)}",
        "what is chosen by a split is not measured by it", found.detectors, rule.detectors,
        "put new people into the gate split",
    )  # fmt: skip


def _leaks(found: Measured, allowed: tuple[str, ...]) -> Check | None:
    leaks = [
        one for one in found.findings or () if one.severity == "error" and one.kind not in allowed
    ]
    if not leaks:
        return None
    return Check(
        _NAME, "failed", f"{found.origin} leaks: {'; '.join(one.what for one in leaks)}",
        "what it says of the candidate may be better than it is",
        next_step=leaks[0].next_step or "split the data anew",
    )  # fmt: skip
