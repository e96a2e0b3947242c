"""What has to hold of the gate split's scores whatever serves now; each method by itself."""

from __future__ import annotations

from collections.abc import Iterator

from deepfake_lightning.deployment.gate.decision import Check, waiting
from deepfake_lightning.deployment.gate.evidence import (
    Evidence,
    Fault,
    KindMeasured,
    Measured,
    MethodMeasured,
)
from deepfake_lightning.deployment.gate.policy import GatePolicy, MethodFloors
from deepfake_lightning.evaluation.words import counted, number, share_with_interval, with_interval
from deepfake_lightning.schemas.calibration import NOUNS, MediaType, percent


def floors(policy: GatePolicy, evidence: Evidence) -> Iterator[Check]:
    """It reaches what has to hold whatever serves now."""
    rule, found = policy.floors, evidence.measured
    has_scores = isinstance(found, Measured)
    if rule.auroc is not None:
        name = "floor: AUROC"
        yield (
            _held(name, with_interval(found.auroc), found.auroc.value, rule.auroc)
            if isinstance(found, Measured)
            else waiting(name, found)
        )
    for kind in policy.media:
        one = _of_kind(found, kind)
        for name, limit, at_most in (
            ("recall", rule.recall, False), ("false alarms", rule.false_alarms, True),
        ):  # fmt: skip
            if limit is not None:
                shown = f"{name} of {NOUNS[kind]}"
                yield _rate(shown, one, limit, at_most) if has_scores else waiting(shown, found)


def _of_kind(found: Measured | Fault | None, kind: MediaType) -> KindMeasured | None:
    kinds = found.kinds if isinstance(found, Measured) else ()
    return next((one for one in kinds if one.kind == kind), None)


def _rate(name: str, one: KindMeasured | None, limit: float, at_most: bool) -> Check:
    if one is None:
        return Check(name, "not applicable", "there are none in the gate split")
    rate = one.false_alarms if at_most else one.recall
    says = f"{share_with_interval(rate)} at the deployed threshold"
    return _held(name, says, rate.value, limit, at_most=at_most, percents=True)


def calibration_error(policy: GatePolicy, evidence: Evidence) -> Iterator[Check]:
    """Its probabilities are about as often right as they say."""
    limit, found = policy.floors.ece, evidence.measured
    if limit is None:
        return
    for kind in policy.media:
        name = f"calibration of {NOUNS[kind]}"
        one = _of_kind(found, kind)
        if not isinstance(found, Measured):
            yield waiting(name, found)
        elif one is None:
            yield Check(name, "not applicable", "there are none in the gate split")
        else:
            says = f"expected calibration error {number(one.ece)}"
            yield _held(name, says, one.ece, limit, at_most=True)


def methods(policy: GatePolicy, evidence: Evidence) -> Iterator[Check]:
    """It finds the fakes of every method of manipulation."""
    rule, found = policy.methods, evidence.measured
    if not isinstance(found, Measured):
        yield waiting("methods", found)
        return
    there = {one.name: one for one in found.methods}
    for name in rule.named.keys() - there.keys():
        yield Check(
            f"method {name}", "failed", "the gate split has no fakes of it",
            "the policy names it", next_step="add some, or take it out of methods.named",
        )  # fmt: skip
    if not there and not rule.named:
        yield Check("methods", "not applicable", "the gate split does not name any")
    for name, one in there.items():
        yield from _method(rule.named.get(name, rule.floors), one, rule.least, name in rule.named)


def _method(wanted: MethodFloors, one: MethodMeasured, least: int, named: bool) -> Iterator[Check]:
    if one.fake < least:
        yield Check(
            f"method {one.name}", "failed" if named else "not applicable",
            f"{counted(one.fake, 'fake')}, fewer than {least}: too few to judge by",
            "the policy names it" if named else "", one.fake, least,
            "add some to the gate split" if named else "",
        )  # fmt: skip
        return
    for name, floor, rate, shown in (
        ("AUROC", wanted.auroc, one.auroc, with_interval(one.auroc)),
        ("recall", wanted.recall, one.recall, share_with_interval(one.recall)),
    ):
        if floor is not None:
            says = f"{shown} of {counted(one.fake, 'fake')}"
            yield _held(f"method {one.name}: {name}", says, rate.value, floor,
                        percents=name == "recall")  # fmt: skip


def _held(
    name: str, says: str, value: float | None, limit: float, *, at_most: bool = False,
    percents: bool = False,
) -> Check:  # fmt: skip
    """Return the check of a value that has to be at least, or at most, a limit."""
    wanted = (
        f"{'at most' if at_most else 'at least'} {percent(limit) if percents else f'{limit:g}'}"
    )
    if value is not None and (value <= limit if at_most else value >= limit):
        return Check(name, "passed", f"{says}; {wanted} is wanted", value=value, limit=limit)
    why = "it is undefined" if value is None else f"the policy wants {wanted}"
    step = "train a better one, or one that is calibrated anew; the policy's floors can be lowered"
    return Check(name, "failed", says, why, value, limit, step)
