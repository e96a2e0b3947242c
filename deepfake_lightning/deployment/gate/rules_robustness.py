"""What has to hold of degraded media, as an evaluation before this one measured it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deepfake_lightning.deployment.gate.decision import Check
from deepfake_lightning.deployment.gate.evidence import Evidence
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
    if rule.auroc_lost is not None:
        yield _worst(rule, rule.auroc_lost, found, command)
    for key, limits in rule.named.items():
        yield from _named(key, limits, found, command)


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
    # What leaves nothing to rank has lost all there was.
    kept = [found.degradations[key] for key in wanted]
    one = max(kept, key=lambda one: float("inf") if one.lost is None else one.lost)
    says = f"{one.words}: {_lost(one)}; at most {limit:g} is wanted"
    if one.lost is not None and one.lost <= limit:
        return Check(name, "passed", says, value=one.lost, limit=limit)
    return Check(name, "failed", says, _WHY, one.lost, limit, _STEP)


def _lost(one: Kept) -> str:
    if one.lost is None:
        return f"nothing can be ranked, {share(one.unscored)} of the items have no score"
    return f"{number(one.lost)} of AUROC lost, {number(one.auroc)} left"


def _named(
    key: str, limits: DegradedLimits, found: RobustnessRecord, command: str
) -> Iterator[Check]:
    one = found.degradations.get(key)
    if one is None:
        yield _missing(f"{_NAME}: {key}", key, command)
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
