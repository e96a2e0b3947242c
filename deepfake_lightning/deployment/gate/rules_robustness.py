"""What has to hold of degraded media, as an evaluation before this one measured it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deepfake_lightning.deployment.gate.decision import Check, waiting
from deepfake_lightning.deployment.gate.evidence import Evidence, Measured
from deepfake_lightning.deployment.gate.policy import DegradedLimits, GatePolicy, Robustness
from deepfake_lightning.evaluation.words import number, share
from deepfake_lightning.schemas.calibration import percent

if TYPE_CHECKING:
    from deepfake_lightning.evaluation.robustness.ledger import Kept, RobustnessRecord

_NAME = "robustness"
_WHY = "what users send has been compressed and shrunk on its way"
_STEP = "train with stronger augmentation (data.augmentation); or change the policy's robustness"


def robustness(policy: GatePolicy, evidence: Evidence) -> Iterator[Check]:
    """It stands what happens to media on their way, where the policy asks for that."""
    rule, found = policy.robustness, evidence.robustness
    if not rule.asks or evidence.candidate.fault is not None:
        return
    command = f"deepfake-lightning evaluate {evidence.asked.version} --robustness true"
    if found is None:
        yield Check(
            _NAME, "failed", "not measured: there are no scores of degraded media of this bundle",
            _WHY, next_step=command,
        )  # fmt: skip
        return
    fewest = min(found.real, found.fake)
    if fewest < rule.items:
        more = f"{command} --robustness_items {max(300, 2 * rule.items)}"
        yield Check(
            _NAME, "failed", f"{_measured(found)}: fewer than {rule.items} of a class",
            "so few say too little to judge by", fewest, rule.items, more,
        )  # fmt: skip
        return
    yield Check(_NAME, "passed", _measured(found), value=fewest, limit=rule.items)
    yield _data(found, evidence, command)
    if rule.auroc_lost is not None:
        yield _worst(rule, rule.auroc_lost, found, command)
    for key, limits in rule.named.items():
        yield from _named(key, limits, rule.items, found, command)


def _data(found: RobustnessRecord, evidence: Evidence, command: str) -> Check:
    """Return whether it was measured on the version's own data, or on those of the gate."""
    name, gate = f"{_NAME}: data", evidence.measured
    theirs = found.content_hash
    if theirs is not None and theirs == evidence.candidate.trained:
        return Check(name, "passed", f"{found.origin}: the data of its training")
    if gate is None:
        return waiting(name)
    if isinstance(gate, Measured) and theirs == gate.content_hash:
        return Check(name, "passed", f"{found.origin}: the data of the gate")
    where = f", or add --data {gate.origin}" if isinstance(gate, Measured) else ""
    return Check(
        name, "failed", f"{found.origin}: neither the data of its training nor those of the gate",
        "other data may be easier, and nobody has asked for them", next_step=f"{command}{where}",
    )  # fmt: skip


def _measured(found: RobustnessRecord) -> str:
    return (
        f"measured on {found.real:,} real and {found.fake:,} fake items of the {found.split} split"
        f" of {found.origin} ({found.when[:10]})"
    )


def _worst(rule: Robustness, limit: float, found: RobustnessRecord, command: str) -> Check:
    name = f"{_NAME}: worst degradation"
    wanted = rule.worst_of or tuple(found.degradations)
    missing = [key for key in wanted if key not in found.degradations]
    if missing or not wanted:
        return _missing(name, ", ".join(missing) or "any", command)
    kept = [found.degradations[key] for key in wanted]
    if few := [one for one in kept if _left(one) < rule.items]:
        return _too_few(name, min(few, key=_left), rule.items, command, len(few) - 1)
    one = max(kept, key=lambda one: float("inf") if one.lost is None else one.lost)
    says = (
        f"{one.words}: {number(one.lost)} of AUROC lost, {number(one.auroc)} left; at most"
        f" {limit:g} is wanted"
    )
    if one.lost is not None and one.lost <= limit:
        return Check(name, "passed", says, value=one.lost, limit=limit)
    return Check(name, "failed", says, _WHY, one.lost, limit, _STEP)


def _left(one: Kept) -> int:
    return min(one.real, one.fake)


def _too_few(name: str, one: Kept, wanted: int, command: str, more: int = 0) -> Check:
    """Return that the rest of the items says nothing: it may well be the easy ones."""
    unmade = f", {one.unmade:,} could not be degraded" if one.unmade else ""
    others = f"; and {more} more such" if more else ""
    return Check(
        name, "failed",
        f"{one.words}: too few are left to judge by, {one.real:,} real and {one.fake:,} fake of"
        f" {wanted} each: {share(one.unscored)} have no score{unmade}{others}",
        "those that are left may be the easy ones", _left(one), wanted,
        f"{command} --robustness_items {max(300, 4 * wanted)}, on data that have more of such"
        " media; train with stronger augmentation where most lose their score",
    )  # fmt: skip


def _named(
    key: str, limits: DegradedLimits, items: int, found: RobustnessRecord, command: str
) -> Iterator[Check]:
    one = found.degradations.get(key)
    if one is None:
        yield _missing(f"{_NAME}: {key}", key, command)
        return
    if _left(one) < items:
        yield _too_few(f"{_NAME}: {key}", one, items, command)
        return
    rules = (
        ("AUROC", one.auroc, limits.auroc, True),
        ("AUROC lost", one.lost, limits.auroc_lost, False),
        ("false alarms", one.false_alarms, limits.false_alarms, False),
        ("missed fakes", one.missed, limits.missed, False),
        ("without a score", one.unscored, limits.unscored, False),
    )
    for what, value, limit, at_least in rules:
        if limit is not None:
            yield _held(f"{_NAME}: {key}: {what}", one, value, limit, at_least, "AUROC" in what)


def _held(
    name: str, one: Kept, value: float | None, limit: float, at_least: bool, plain: bool
) -> Check:
    shown, bound = (number(value), f"{limit:g}") if plain else (share(value), percent(limit))
    says = f"{one.words}: {shown}; at {'least' if at_least else 'most'} {bound} is wanted"
    if value is not None and (value >= limit if at_least else value <= limit):
        return Check(name, "passed", says, value=value, limit=limit)
    return Check(name, "failed", says, _WHY, value, limit, _STEP)


def _missing(name: str, what: str, command: str) -> Check:
    return Check(
        name, "failed", f"not measured: {what}", "the policy asks for it; H.264 is measured on"
        " clips alone", next_step=f"{command}, on data that have such media (--data)",
    )  # fmt: skip
