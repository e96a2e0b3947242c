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


def test_nothing_is_judged_by_the_few_that_are_left(evidence) -> None:
    (gone,) = decide(evidence, auroc_lost=0.9).failed
    assert "blur, sigma 4 px: too few are left to judge by, 0 real and 0 fake" in gone.says
    assert "100.0 % have no score" in gone.says
    three = Kept("shrunk to 1/4", 3, 150, 1.0, 0.0, 0.0, 0.0, 0.49)
    clips = Kept("H.264, CRF 28", 1, 9, 1.0, 0.0, 0.0, 0.0, 0.0, 4)  # 10 clips among pictures
    found = replace(MEASURED, degradations={"downscale_4": three, "h264_28": clips})
    (one,) = decide(evidence, found, auroc_lost=0.5, worst_of=("downscale_4",)).failed
    assert one.name == "robustness: worst degradation" and (one.value, one.limit) == (3, 50)
    assert "3 real and 150 fake of 50 each: 49.0 % have no score" in one.says
    named = {"h264_28": DegradedLimits(auroc=0.5, missed=0.9)}
    (one,) = decide(evidence, found, named=named).failed
    assert "1 real and 9 fake" in one.says and "4 could not be degraded" in one.says
    (one,) = decide(evidence, found, auroc_lost=0.5).failed
    assert one.says.endswith("; and 1 more such")


def test_it_counts_on_the_versions_own_data_or_those_of_the_gate(evidence, change) -> None:
    rules = {"auroc_lost": 0.1, "worst_of": ("jpeg_30",)}
    of_gate = of(decide(evidence, **rules))["robustness: data"]
    assert of_gate == ("passed", "faces: the data of the gate")
    other = replace(MEASURED, content_hash="e" * 64)
    (one,) = decide(evidence, other, **rules).failed
    assert one.name == "robustness: data" and "--data data/manifest.parquet" in one.next_step
    own = change(evidence, "candidate", trained="e" * 64)
    assert decide(own, other, **rules).goes
    # Before the gate split is looked at, nobody knows its data.
    policy = GatePolicy(robustness=Robustness(**rules))
    assert fails_before(policy, replace(evidence, robustness=other, measured=None)) == ()
    unknown = replace(MEASURED, content_hash=None)
    (one,) = decide(change(evidence, "candidate", trained=None), unknown, **rules).failed
    assert one.name == "robustness: data"


def test_limits_of_one_degradation(evidence) -> None:
    met = DegradedLimits(auroc=0.8, auroc_lost=0.06, false_alarms=0.02, missed=0.6, unscored=0)
    assert decide(evidence, named={"jpeg_30": met}).goes
    strict = DegradedLimits(auroc=0.8, false_alarms=0.1, missed=0.9, unscored=0.02)
    failed = [one.name for one in decide(evidence, named={"noise_20": strict}).failed]
    assert failed == [f"robustness: noise_20: {what}"
                      for what in ("AUROC", "missed fakes", "without a score")]  # fmt: skip


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
