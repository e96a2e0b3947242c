"""The gate's decisions, from evidence alone: no file, no network, no server."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from deepfake_lightning.data.audit import Finding
from deepfake_lightning.deployment.gate.evidence import Facts, Fault, ServerTrial, Staging
from deepfake_lightning.deployment.gate.judge import fails_before, judge
from deepfake_lightning.deployment.gate.policy import (
    Against,
    Floors,
    GatePolicy,
    MethodFloors,
    Methods,
    TrainingData,
)
from deepfake_lightning.deployment.integration import IntegrationCheck

BESIDE = runpy.run_path(str(Path(__file__).with_name("conftest.py")))
difference, share, AT = BESIDE["difference"], BESIDE["share"], BESIDE["AT"]
LEAK = Finding("identity_across_splits", "error", "ada stands in train and gate", {}, "split anew")
WEAK = Finding("shortcut", "warning", "file size tells fakes", {})
DAMAGED = Fault("model.onnx is changed", "it is not what was registered", "copy it back")


def decide(found, policy=None):
    return judge(policy or GatePolicy(), found)


def failed(decision):
    return [one.name for one in decision.failed]


def check(decision, name):
    (found,) = [one for one in decision.checks if one.name == name]
    return found


def test_a_better_candidate_passes(evidence):
    decision = decide(evidence)
    assert (decision.outcome, decision.goes, failed(decision)) == ("passed", True, [])
    assert not any(one.waits for one in decision.checks)
    assert check(decision, "not worse: AUROC").value == pytest.approx(0.01)
    assert check(decision, "method faceswap: recall").status == "passed"


def test_every_failed_check_says_why_and_what_next(evidence, change):
    found = replace(
        evidence, candidate=Facts("v1.1.0", "b" * 64, is_demo=True, size_mb=900),
        champion=Facts("v1.0.0", fault=DAMAGED), staging=Staging(), measured=DAMAGED,
        compared=DAMAGED, timed=DAMAGED, tested=DAMAGED,
    )  # fmt: skip
    decision = decide(found)
    assert len(decision.failed) == 11
    for one in decision.failed:
        assert one.says and one.why and one.next_step, one
    assert decision.outcome == "refused"


@pytest.mark.parametrize(
    ("by", "reach", "goes", "why"),
    [
        (0.0, 0.01, True, None),  # equal, and many items
        (-0.005, 0.01, True, None),  # a little worse, within the margin
        (0.0, 0.05, False, "cannot be told"),  # equal, and few items
        (-0.05, 0.01, False, "it is worse than v1.0.0"),
    ],
)
def test_a_margin_is_held_against_the_worse_end(evidence, change, by, reach, goes, why):
    found = change(evidence, "compared", differences={"auroc": difference(by=by, reach=reach)})
    one = check(decide(found), "not worse: AUROC")
    assert (one.status == "passed") is goes
    assert one.value == pytest.approx(by - reach)
    assert one.limit == -0.02
    assert why is None or why in one.why


def test_of_metrics_of_which_lower_is_better_the_upper_end_is_the_worse(evidence, change):
    policy = GatePolicy(against=Against(margins={"brier": 0.02}))
    for by, goes in ((0.005, True), (0.015, False)):
        found = {"brier": difference("brier", by)}
        decision = decide(change(evidence, "compared", differences=found), policy)
        assert check(decision, "not worse: Brier score").value == pytest.approx(-by - 0.01)
        assert decision.goes is goes


def test_better_goes_by_the_verdict(evidence, change):
    policy = GatePolicy(against=Against(margins={}, better=("auroc",)))
    assert decide(evidence, policy).goes
    equal = change(evidence, "compared", differences={"auroc": difference()})
    assert failed(decide(equal, policy)) == ["better: AUROC"]


def test_a_difference_that_is_undefined_passes_nothing(evidence, change):
    policy = GatePolicy(against=Against(better=("auroc",)))
    nothing = difference(low=None, high=None, p=None)
    for differences in ({"auroc": nothing}, {}):
        decision = decide(change(evidence, "compared", differences=differences), policy)
        assert failed(decision) == ["not worse: AUROC", "better: AUROC"]


def test_a_first_deployment_has_floors_alone(evidence, change):
    found = change(evidence, "timed", champion=None, ratio=None)
    found = replace(found, champion=None, compared=None)
    decision = decide(found)
    assert decision.outcome == "passed"
    assert "a first deployment" in check(decision, "what serves now").says
    assert check(decision, "not worse: AUROC").status == "not applicable"
    assert check(decision, "latency to what serves now").status == "not applicable"
    assert check(decision, "floor: AUROC").status == "passed"


def test_the_same_version_again_is_no_deployment(evidence):
    decision = decide(replace(evidence, serves_already=True))
    assert (decision.outcome, decision.goes) == ("nothing to do", False)
    (one,) = decision.checks
    assert "serves all of production already" in one.says


def test_a_damaged_champion_blocks_unless_forced(evidence, change):
    found = replace(evidence, champion=Facts("v1.0.0", "a" * 64, DAMAGED), compared=DAMAGED)
    decision = decide(found)
    assert failed(decision) == ["what serves now", "not worse: AUROC"]
    assert "rollback --env production" in check(decision, "what serves now").next_step
    assert decide(change(found, "asked", force=True)).outcome == "forced"


@pytest.mark.parametrize(
    ("part", "values", "name"),
    [
        ("candidate", {"is_demo": True}, "no demo"),
        ("staging", {"serves": False}, "staging first"),
        ("candidate", {"calibrated": ("video",)}, "calibrated for its media"),
        ("candidate", {"size_mb": 501.0}, "size"),
        ("candidate", {"findings": None}, "audit of its data"),
        ("candidate", {"findings": (LEAK,)}, "audit of its data"),
        ("candidate", {"licences": ("own", "Celeb-DF Terms of Use")}, "licences"),
        ("candidate", {"licences": ("cc-by-nc 4.0",)}, "licences"),
        ("measured", {"auroc": share(0.7)}, "floor: AUROC"),
        ("measured", {"auroc": share(None)}, "floor: AUROC"),
        ("measured", {"fake": 99}, "gate split"),
        ("measured", {"groups": 19}, "gate split"),
        ("measured", {"unscored": 50}, "gate split"),
        ("measured", {"detectors": 101}, "gate split"),
        ("measured", {"findings": (LEAK,)}, "gate split"),
        ("timed", {"candidate": 201.0, "champion": 190.0}, "latency"),
        ("timed", {"candidate": 60.0, "ratio": 2.0}, "latency to what serves now"),
    ],
)  # fmt: skip
def test_one_rule_is_enough_to_refuse_and_force_gets_past_it(evidence, change, part, values, name):
    found = change(evidence, part, **values)
    decision = decide(found)
    assert (decision.outcome, failed(decision)) == ("refused", [name])
    assert decide(change(found, "asked", force=True)).outcome == "forced"


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"recall": share(0.1)}, "recall of pictures"),
        ({"false_alarms": share(0.2)}, "false alarms of pictures"),
        ({"ece": 0.11}, "calibration of pictures"),
        ({"ece": None}, "calibration of pictures"),
    ],
)
def test_floors_of_each_kind_of_media(evidence, change, values, name):
    (kind,) = evidence.measured.kinds
    found = change(evidence, "measured", kinds=(replace(kind, **values),))
    assert failed(decide(found)) == [name]


def test_a_kind_that_the_gate_split_does_not_have_is_said(evidence):
    decision = decide(evidence, GatePolicy(media=("image", "video")))
    assert decision.goes
    one = check(decision, "recall of clips")
    assert (one.status, one.says) == ("not applicable", "there are none in the gate split")


def test_a_method_that_it_fails_is_named(evidence, change):
    first, second = evidence.measured.methods
    found = change(evidence, "measured", methods=(first, replace(second, recall=share(0.05))))
    assert failed(decide(found)) == ["method reenactment: recall"]
    few = change(evidence, "measured", methods=(first, replace(second, fake=19, auroc=share(0.1))))
    decision = decide(few)
    assert decision.goes and "too few" in check(decision, "method reenactment").says


def test_methods_that_are_named_have_to_be_there(evidence):
    named = {"reenactment": MethodFloors(auroc=0.95), "morph": MethodFloors()}
    decision = decide(evidence, GatePolicy(methods=Methods(named=named)))
    assert sorted(failed(decision)) == ["method morph", "method reenactment: AUROC"]
    few = GatePolicy(methods=Methods(named={"faceswap": MethodFloors()}, least=201))
    assert failed(decide(evidence, few)) == ["method faceswap"]


def test_a_licence_is_let_through_by_name_and_that_is_kept(evidence, change):
    found = change(evidence, "candidate", licences=("own", "FaceForensics++ Terms of Use (DFD)"))
    one = check(decide(found), "licences")
    assert "--allow_licence 'FaceForensics++ Terms of Use (DFD)'" in one.next_step
    allowed = change(found, "asked", licences=("FaceForensics++ Terms of Use (DFD)",))
    one = check(decide(allowed), "licences")
    assert one.status == "passed" and "let through by name by ada" in one.says
    staging = change(found, "asked", environment="staging")
    assert check(decide(staging), "licences").status == "not applicable"


def test_findings_are_let_off_by_name_and_warnings_as_the_policy_says(evidence, change):
    found = change(evidence, "candidate", findings=(LEAK, WEAK), allowed=(LEAK.kind,))
    decision = decide(found)
    assert failed(decision) == ["audit of its data"]
    assert "the training was let off it" in decision.failed[0].why
    lenient = GatePolicy(training=TrainingData(allowed=(LEAK.kind,)))
    one = check(decide(found, lenient), "audit of its data")
    assert one.status == "passed" and "warning: shortcut" in one.says
    strict = GatePolicy(training=TrainingData(findings="warning", allowed=(LEAK.kind,)))
    assert failed(decide(found, strict)) == ["audit of its data"]


def test_a_demo_may_go_to_staging(evidence, change):
    found = change(change(evidence, "candidate", is_demo=True), "asked", environment="staging")
    assert decide(replace(found, staging=Staging())).outcome == "passed"


def test_staging_counts_also_where_it_has_gone_on_since(evidence):
    seen = replace(evidence, staging=Staging(False, "2030-01-01T00:00:00+00:00"))
    assert "deployed in staging on 2030-01-01" in check(decide(seen), "staging first").says


@pytest.mark.parametrize("tested", [
    ServerTrial((IntegrationCheck("golden", False, "off by 0.3", 0.3, 0.001),), ("load",), (), 9.0,
                AT),
    ServerTrial((IntegrationCheck("ready", True, "up"),), ("golden",), (), 9.0, AT),
    ServerTrial((), (), (), 0.0, AT),
    DAMAGED,
])  # fmt: skip
def test_nobody_gets_past_a_server_that_does_not_work(evidence, change, tested):
    decision = decide(replace(change(evidence, "asked", force=True), tested=tested))
    assert decision.outcome == "refused"
    assert len(decision.unforceable) == 1


def test_nobody_gets_past_a_damaged_bundle(evidence, change):
    found = change(change(evidence, "candidate", fault=DAMAGED), "asked", force=True)
    decision = decide(replace(found, measured=None, compared=None, timed=None, tested=None))
    assert decision.outcome == "refused"
    assert [one.name for one in decision.unforceable] == ["bundle"]
    assert check(decision, "gate split").waits and check(decision, "server").waits


def test_tests_on_record_are_said(evidence, change):
    tested = replace(evidence.tested, recorded="decisions/x")
    one = check(decide(replace(evidence, tested=tested)), "server")
    assert "this very bundle passed its 1 tests on 2030-01-02 03:04 (decisions/x)" in one.says


def test_force_changes_nothing_where_all_passes(evidence, change):
    assert decide(change(evidence, "asked", force=True)).outcome == "passed"


def test_what_was_not_looked_at_never_passes(evidence):
    with pytest.raises(AssertionError, match="gate split"):
        decide(replace(evidence, measured=None, compared=None))


def test_no_look_is_wasted_on_what_fails_without(evidence, change):
    blind = replace(evidence, measured=None, compared=None, timed=None, tested=None)
    assert fails_before(GatePolicy(), blind) == ()
    assert fails_before(GatePolicy(), change(blind, "staging", serves=False))


def test_the_record_is_plain_and_whole(evidence):
    record = decide(evidence).to_dict()
    assert (record["schema"], record["outcome"]) == (1, "passed")
    assert record["asked"]["reason"] == "the spring release"
    assert record["compared"]["differences"]["auroc"]["low"] == pytest.approx(0.01)
    assert record["tested"]["checks"][0]["name"] == "ready"
    assert GatePolicy.model_validate(record["policy"]) == GatePolicy()
    assert {one["name"] for one in record["checks"]} >= {"bundle", "gate split", "server: ready"}


def test_floors_can_be_taken_away(evidence):
    policy = GatePolicy(floors=Floors(auroc=None, recall=None, false_alarms=None, ece=None))
    names = [one.name for one in decide(evidence, policy).checks]
    assert not any("recall of" in name or "calibration of" in name for name in names)
    assert "floor: AUROC" not in names
