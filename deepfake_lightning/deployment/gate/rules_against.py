"""The paired test against what serves now: not worse by more than a margin, better if required."""

from __future__ import annotations

from collections.abc import Iterator

from deepfake_lightning.deployment.gate.decision import Check, waiting
from deepfake_lightning.deployment.gate.evidence import Compared, Evidence, Fault
from deepfake_lightning.deployment.gate.policy import GatePolicy
from deepfake_lightning.evaluation.comparison.words import difference
from deepfake_lightning.evaluation.words import NAMES
from deepfake_lightning.metrics import LOWER_IS_BETTER, PairedDifference


def against_champion(policy: GatePolicy, evidence: Evidence) -> Iterator[Check]:
    """It is not worse than what serves now by more than a margin, and better where required."""
    rule, found, one = policy.against, evidence.compared, evidence.champion
    names = [*(f"not worse: {_name(m)}" for m in rule.margins),
             *(f"better: {_name(m)}" for m in rule.better)]  # fmt: skip
    if one is None:
        for name in names:
            yield Check(name, "not applicable", "nothing serves that it could be held against")
    elif found is None:
        yield from map(waiting, names)
    elif isinstance(found, Fault):
        for name in names:
            yield Check(name, "failed", found.what, found.why, next_step=found.next_step)
    else:
        for metric, margin in rule.margins.items():
            yield _not_worse(metric, margin, found, one.version)
        for metric in rule.better:
            yield _better(metric, found, one.version)


def _not_worse(metric: str, margin: float, found: Compared, champion: str) -> Check:
    name, one = f"not worse: {_name(metric)}", found.differences.get(metric)
    worst = None if one is None else _worst(one)
    if one is None or worst is None:
        return Check(
            name, "failed", f"the difference to {champion} is undefined, or has no interval",
            "there are too few groups, or one class is missing",
            next_step="add people of both classes to the gate split",
        )  # fmt: skip
    says = f"{difference(one)} against {champion}; it may be worse by {margin:g}"
    if worst >= -margin:
        return Check(name, "passed", says, value=worst, limit=-margin)
    shown = one.verdict == "worse" or (one.difference or 0.0) * _sign(metric) < -margin
    why = (
        f"it is worse than {champion}"
        if shown
        else f"it cannot be told that it is not: the interval reaches to {abs(worst):.3f} worse"
    )
    step = (
        "train a better one"
        if shown
        else "add people to the gate split, which narrows the interval; or widen against.margins"
    )
    return Check(name, "failed", says, why, worst, -margin, step)


def _worst(one: PairedDifference) -> float | None:
    """Return the end of an interval that is worst, as a gain: below 0 the candidate is worse."""
    if one.low is None or one.high is None:
        return None
    return -one.high if one.name in LOWER_IS_BETTER else one.low


def _sign(metric: str) -> int:
    return -1 if metric in LOWER_IS_BETTER else 1


def _better(metric: str, found: Compared, champion: str) -> Check:
    name, one = f"better: {_name(metric)}", found.differences.get(metric)
    if one is None or one.p is None:
        return Check(
            name, "failed", f"the difference to {champion} is undefined, or has no test",
            "there are too few groups, or one class is missing",
            next_step="add people of both classes to the gate split",
        )  # fmt: skip
    says = f"{difference(one)} against {champion}: {one.verdict}"
    if one.verdict == "better":
        return Check(name, "passed", says, value=one.difference)
    return Check(
        name, "failed", says, f"the policy wants it to be better in {_name(metric)}",
        one.difference, next_step="train a better one; or take it out of against.better",
    )  # fmt: skip


def _name(metric: str) -> str:
    return NAMES.get(metric, metric)
