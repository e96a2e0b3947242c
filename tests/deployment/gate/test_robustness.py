"""The gate's rules on degraded media: off, met, missed, and not measured."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from deepfake_lightning.deployment.gate.decision import GateDecision
from deepfake_lightning.deployment.gate.judge import fails_before, judge
from deepfake_lightning.deployment.gate.policy import DegradedLimits, GatePolicy, Robustness
from deepfake_lightning.evaluation.robustness.ledger import Kept, RobustnessRecord

MEASURED = RobustnessRecord(
    "b" * 64, "v1.1.0", "test", "faces", "c" * 64, "2030-01-02T03:04:05Z", 150, 150,
    {
        "jpeg_30": Kept("JPEG, quality 30", 150, 150, 0.84, 0.06, 0.02, 0.6, 0.0),
        "noise_20": Kept("noise, sigma 20 levels", 140, 150, 0.7, 0.2, 0.0, 0.98, 0.03),
        "blur_4": Kept("blur, sigma 4 px", 0, 0, None, None, None, None, 1.0),
    },
)  # fmt: skip


def decide(evidence, found=MEASURED, **rules) -> GateDecision:
    policy = GatePolicy(robustness=Robustness(**rules))
    return judge(policy, replace(evidence, robustness=found))


def of(decision: GateDecision) -> dict[str, tuple[str, str]]:
    return {one.name: (one.status, one.says) for one in decision.checks
            if one.name.startswith("robustness")}  # fmt: skip


def test_nothing_is_asked_unless_the_policy_does(evidence) -> None:
    decision = judge(GatePolicy(), evidence)
    assert decision.goes and of(decision) == {}


def test_a_version_that_was_not_measured_is_told_the_command(evidence) -> None:
    rules = {"auroc_lost": 0.1, "worst_of": ("jpeg_30",)}
    decision = decide(evidence, None, **rules)
    (one,) = decision.failed
    assert decision.outcome == "refused" and one.says.startswith("not measured")
    assert one.next_step == "deepfake-lightning evaluate v1.1.0 --robustness true"
    # It is found before the gate split is looked at.
    before = fails_before(GatePolicy(robustness=Robustness(**rules)), evidence)
    assert [check.name for check in before] == ["robustness"]


def test_the_worst_that_is_listed_decides(evidence) -> None:
    listed = decide(evidence, auroc_lost=0.1, worst_of=("jpeg_30",))
    assert listed.goes
    status, says = of(listed)["robustness: worst degradation"]
    assert status == "passed" and "0.060 of AUROC lost, 0.840 left" in says
    both = decide(evidence, auroc_lost=0.1, worst_of=("jpeg_30", "noise_20"))
    (one,) = both.failed
    assert (one.value, one.limit) == (0.2, 0.1)
    assert "noise, sigma 20 levels: 0.200 of AUROC lost" in one.says
    (gone,) = decide(evidence, auroc_lost=0.9).failed
    assert "nothing can be ranked, 100.0 % of the items have no score" in gone.says


def test_limits_of_one_degradation(evidence) -> None:
    met = DegradedLimits(auroc=0.8, auroc_lost=0.06, false_alarms=0.02, missed=0.6, unscored=0)
    assert decide(evidence, named={"jpeg_30": met}).goes
    strict = DegradedLimits(auroc=0.8, false_alarms=0.1, missed=0.9, unscored=0.02)
    failed = [one.name for one in decide(evidence, named={"noise_20": strict}).failed]
    assert failed == [f"robustness: noise_20: {what}"
                      for what in ("AUROC", "missed fakes", "without a score")]  # fmt: skip
    gone = decide(evidence, named={"blur_4": DegradedLimits(auroc=0.5)})
    assert "undefined" in gone.failed[0].says


def test_what_was_not_measured_never_passes(evidence) -> None:
    for rules in (
        {"auroc_lost": 0.5, "worst_of": ("jpeg_30", "h264_28")},
        {"named": {"h264_28": DegradedLimits(auroc=0.1)}},
    ):
        (one,) = decide(evidence, **rules).failed
        assert one.says == "not measured: h264_28" and "--data" in one.next_step
    (one,) = decide(evidence, auroc_lost=0.9, items=151, worst_of=("jpeg_30",)).failed
    assert "fewer than 151 of a class" in one.says and "--robustness_items 302" in one.next_step


def test_names_that_there_are_not_are_refused() -> None:
    with pytest.raises(ValidationError, match="'jpg_30' is no degradation: use jpeg_95"):
        Robustness(worst_of=("jpg_30",))
    with pytest.raises(ValidationError, match="no degradation"):
        Robustness(named={"sepia": DegradedLimits()})
