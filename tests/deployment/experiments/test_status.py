"""What an experiment says: of traffic that was logged, and labels that came."""

import json
from dataclasses import replace

import pytest

from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.environment import whole
from deepfake_lightning.deployment.experiments import (
    ExperimentPolicy,
    keep_decision,
    run_of,
    status,
)
from deepfake_lightning.deployment.experiments.analysis import analyse
from deepfake_lightning.deployment.experiments.evidence import collect
from deepfake_lightning.deployment.experiments.gains import shadow_gains
from deepfake_lightning.metrics import anytime_test
from deepfake_lightning.monitoring.log import Label
from deepfake_lightning.monitoring.log.labelled import labelled_scores

ALIKE = {"v1.0.0": 0.8, "v1.1.0": 0.8, "v1.2.0": 0.8}


@pytest.fixture
def judge(production, log, clock):
    """Return a function that looks two hours later, when all labels are there."""

    def judged(experiment, hours=2.0):
        clock.wait(hours=hours)
        found = status(production, experiment, log, clock.now)
        json.dumps(found.to_dict(), allow_nan=False)
        return found

    return judged


def test_without_a_log_it_says_what_is_missing(production, begin, clock):
    found = status(production, begin("v1.1.0"), None, clock.now)
    (one,) = found.challengers
    assert (one.verdict, one.difference, one.p) == ("cannot tell yet", None, 1.0)
    assert found.winner is None
    assert found.alarms == ()
    assert any("no request has a label of review" in line for line in found.missing)
    assert any("feedback review" in line for line in found.missing)
    assert "abtest status" in found.next_step


def test_traffic_without_labels_gives_no_verdict(begin, serve, judge):
    experiment = begin("v1.1.0")
    serve(experiment, ALIKE, 300, labelled=0)
    found = judge(experiment)
    assert [one.verdict for one in found.challengers] == ["cannot tell yet"]
    assert found.labels.requests == 0
    assert found.labels.coverage == 0
    assert sum(one.requests for one in found.arms) > 200
    assert found.arms[0].no_face == 0
    assert found.arms[0].p95_ms == pytest.approx(50, rel=0.06)


def test_labels_that_do_not_count_are_told(begin, serve, judge):
    experiment = begin("v1.1.0", mode="shadow")
    serve(experiment, {**ALIKE, "v1.1.0": 1.0}, 200, source="feedback")
    found = judge(experiment)
    assert found.challengers[0].verdict == "cannot tell yet"
    assert found.labels.others == {"feedback": 200}
    assert any("200 of feedback; the policy takes review alone" in line for line in found.missing)


@pytest.mark.parametrize(("right", "verdict"), [(0.97, "better"), (0.6, "worse")])
@pytest.mark.parametrize("mode", ["share", "shadow"])
def test_a_difference_is_found(begin, serve, judge, right, verdict, mode):
    experiment = begin("v1.1.0", mode=mode)
    serve(experiment, {"v1.0.0": 0.8, "v1.1.0": right}, 900)
    found = judge(experiment)
    (one,) = found.challengers
    assert one.verdict == verdict, one.says
    assert one.low <= right - 0.8 <= one.high
    assert one.p <= 0.05
    assert one.decided is not None
    assert f"v1.1.0 is {verdict} than v1.0.0" in one.says
    assert ("promote v1.1.0" in found.next_step) is (verdict == "better")
    assert (found.winner is not None) is (verdict == "better")
    assert one.path[-1].labels == one.labels == 900
    assert (one.path[-1].low, one.path[-1].high) == pytest.approx((one.low, one.high))


def test_the_shadow_needs_fewer_labels(begin, serve, judge, production):
    taken = {}
    for mode in ("shadow", "share"):
        experiment = begin("v1.1.0", mode=mode, name=mode)
        serve(experiment, {"v1.0.0": 0.8, "v1.1.0": 0.9}, 1500)
        (one,) = judge(experiment).challengers
        decided = [p.labels for p in one.path if p.low > 0]
        taken[mode] = decided[0] if decided else 1500
        production.change(production.record(), whole("v1.0.0"), Act("abtest", "next"))
    assert taken["shadow"] < taken["share"] / 3


def test_versions_that_do_the_same_differ_by_less_than_matters(begin, serve, judge):
    policy = ExperimentPolicy(least_days=0, margin=0.05)
    experiment = begin("v1.1.0", mode="shadow", policy=policy)
    serve(experiment, {"v1.0.0": 0.8, "v1.1.0": 0.8}, 800)
    (one,) = (found := judge(experiment)).challengers
    assert one.verdict == "no difference that matters", one.says
    assert one.same == 800
    assert "abtest stop" in found.next_step


def test_nothing_is_concluded_on_the_first_day(begin, serve, judge):
    policy = ExperimentPolicy(least_days=1)
    experiment = begin("v1.1.0", mode="shadow", policy=policy)
    serve(experiment, {"v1.0.0": 0.7, "v1.1.0": 0.97}, 600)
    early = judge(experiment)
    assert early.challengers[0].verdict == "cannot tell yet"
    assert "of 1 days" in early.challengers[0].says
    assert judge(experiment, hours=24).challengers[0].verdict == "better"


def test_how_long_it_takes_yet(begin, serve, judge):
    experiment = begin("v1.1.0")
    serve(experiment, {"v1.0.0": 0.80, "v1.1.0": 0.86}, 400)
    (one,) = (found := judge(experiment)).challengers
    assert one.verdict == "cannot tell yet"
    assert one.labels_needed > 0
    days = (2 * 3600 + 400) / 86_400
    assert found.labels.a_day == pytest.approx(400 / days, rel=0.01)
    assert one.seconds_needed == pytest.approx(one.labels_needed * days * 86_400 / 400, rel=0.01)
    assert found.labels.delay_s == 3600


def test_several_challengers_are_corrected(begin, serve, judge, log):
    experiment = begin("v1.1.0", "v1.2.0", mode="shadow")
    serve(experiment, {"v1.0.0": 0.8, "v1.1.0": 0.95, "v1.2.0": 0.82}, 500)
    found = judge(experiment)
    assert [one.verdict for one in found.challengers] == ["better", "cannot tell yet"]
    gains = shadow_gains(labelled_scores(log), "v1.0.0", "v1.1.0", experiment.policy)
    alone = anytime_test(gains.looks(experiment.policy), tau=experiment.policy.tau, alpha=0.05)
    assert found.challengers[0].p == pytest.approx(2 * alone.p)
    assert found.challengers[0].low < alone.low < alone.high < found.challengers[0].high
    assert found.winner.version == "v1.1.0"


def test_a_label_that_is_corrected_counts_once_as_corrected(begin, serve, judge, log, clock):
    experiment = begin("v1.1.0", mode="shadow")
    ids = serve(experiment, {"v1.0.0": 1.0, "v1.1.0": 1.0}, 100)
    before = judge(experiment)
    assert before.arms[0].value == 1.0
    for name in ids[:20]:
        said = log.labels(name)[-1]
        assert log.label(replace(said, id=None, ts_us=said.ts_us + 1, label=1 - said.label))
    after = judge(experiment)
    assert after.labels.requests == 100
    assert after.arms[0].value == pytest.approx(0.8, abs=0.06)


def test_a_split_that_is_off_takes_all_verdicts_back(begin, serve, judge, production, log, clock):
    experiment = begin("v1.1.0", share=0.5)
    serve(experiment, {"v1.0.0": 0.6, "v1.1.0": 0.99}, 800)
    assert judge(experiment).challengers[0].verdict == "better"
    shares = zip(experiment.arms, (0.8, 0.2), strict=True)
    arms = tuple(one.model_copy(update={"share": share}) for one, share in shares)
    meant = experiment.model_copy(update={"arms": arms})  # and half of the traffic came
    run = run_of(experiment, production)
    found = analyse(meant, run, collect(log, meant, run, clock.us), clock.now)
    assert found.split.off == ("requests", "labels")
    assert found.challengers[0].verdict == "cannot tell yet"
    assert found.winner is None
    assert any("not split as they were meant" in alarm for alarm in found.alarms)
    assert "abtest stop" in found.next_step


def test_a_guard_rail_that_breaks_holds_a_winner_back(begin, serve, judge):
    experiment = begin("v1.1.0")
    slow = {"v1.0.0": 40_000, "v1.1.0": 400_000}
    serve(experiment, {"v1.0.0": 0.7, "v1.1.0": 0.99}, 900, latency_us=slow)
    found = judge(experiment)
    (one,) = found.challengers
    assert one.verdict == "better"
    assert [rail.guard for rail in one.broken] == ["latency"]
    assert found.winner is None
    assert any("v1.1.0 broke a guard-rail: latency" in alarm for alarm in found.alarms)
    assert "abtest stop" in found.next_step


def test_after_its_end_labels_still_count(begin, serve, judge, production, log, clock):
    experiment = begin("v1.1.0", mode="shadow")
    ids = serve(experiment, {"v1.0.0": 0.7, "v1.1.0": 0.97}, 400, labelled=0)
    production.change(production.record(), whole("v1.0.0"), Act("rollback", "an alarm"))
    assert judge(experiment).challengers[0].verdict == "cannot tell yet"
    for number, name in enumerate(ids[:150]):
        fake = (log.find(name).verdict == "manipulation_indicated") is (number % 10 < 7)
        assert log.label(Label(name, clock.us, int(fake), "desk", source="review"))
    found = judge(experiment)
    assert found.state == "ended"
    assert found.outcome.endswith("v1.0.0 serves since: an alarm")
    assert found.labels.requests == 150
    assert "abtest start" in found.next_step


def test_what_it_says_is_kept_with_its_page(production, begin, serve, judge, clock):
    experiment = begin("v1.1.0", mode="shadow", reason="<b>sharper</b> eyes")
    serve(experiment, {"v1.0.0": 0.8, "v1.1.0": 0.95}, 300)
    found = judge(experiment)
    folder = keep_decision(production.workspace, found, clock.now)
    record = json.loads((folder / "decision.json").read_text())
    assert record["challengers"][0]["verdict"] == found.challengers[0].verdict
    assert record["experiment"]["policy"]["alpha"] == 0.05
    page = (folder / "page.html").read_text()
    assert found.challengers[0].verdict in page
    assert "<svg" in page
    assert "<b>sharper" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
