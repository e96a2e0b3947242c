"""What becomes of a canary, without a server, a log or a clock."""

from __future__ import annotations

import dataclasses
import json

import pytest

from deepfake_lightning.deployment.canary.judging import Situation, judge, step_of
from deepfake_lightning.deployment.canary.minutes import no_minutes
from deepfake_lightning.deployment.canary.policy import CanaryPolicy
from deepfake_lightning.monitoring.log.writing import MINUTE_US

POLICY = CanaryPolicy(minutes=20, requests=50)


def at(minutes, *, step=0, now=30.5, **changes):
    """Return a canary whose step began at 0, of minutes from there on."""
    now_us = round(now * MINUTE_US)
    return Situation("v1.0.0", "v1.1.0", step, 0, 0, now_us, True, minutes, **changes)


def test_time_and_evidence_advance_it(make_minutes):
    found = judge(at(make_minutes(30)), POLICY)
    assert found.verdict == "advance"
    assert (found.minutes, found.requests, found.champion_requests) == (30, 150, 2850)
    assert "v1.1.0 answered 150 requests with 5 % of the traffic" in found.reasons[0]
    assert judge(at(make_minutes(30), step=2), POLICY).verdict == "done"


def test_it_holds_and_says_what_is_missing(make_minutes):
    found = judge(at(make_minutes(5), now=5.5), POLICY)
    assert found.verdict == "hold"
    assert found.reasons == (
        "6 of 20 minutes of this step, since 1970-01-01 00:00 UTC",
        "v1.1.0 answered 25 of 50 requests in whole minutes since 1970-01-01 00:00 UTC",
    )


def test_it_needs_the_champions_requests_too(make_minutes):
    found = judge(at(make_minutes(30, champion=1, candidate=50)), POLICY)
    assert found.verdict == "hold"
    assert "v1.0.0 answered 30 of 50 requests" in found.reasons[0]


def test_what_was_before_the_step_does_not_count_for_it(make_minutes):
    now = dataclasses.replace(at(make_minutes(30), step=1), since_us=25 * MINUTE_US)
    found = judge(now, POLICY)
    assert (found.verdict, found.requests) == ("hold", 25)


def test_a_broken_guard_rail_ends_it_at_any_time(make_minutes):
    found = judge(at(make_minutes(3, errors=1.0), now=3.5), POLICY)
    assert found.verdict == "roll_back"
    assert found.reasons[0].startswith("errors: 100.00 % of the requests failed (5xx), v1.0.0 0.")
    assert "at most 1 points more; broken since 1970-01-01 00:00 UTC" in found.reasons[0]


def test_doubt_holds_it(make_minutes):
    minutes = make_minutes(30)
    minutes.candidate.errors[3], minutes.candidate.errors[-1] = 0, 2
    minutes.candidate.latency[:, 0] += 0
    policy = POLICY.model_copy(update={"false_alarms": 1e-9})
    found = judge(at(minutes), policy)
    assert found.verdict == "hold"
    assert "this may be chance, more requests will tell" in found.reasons[0]


@pytest.mark.parametrize("minutes", [None, no_minutes()])
def test_no_data_no_promotion(minutes):
    assert judge(at(minutes), POLICY).verdict == "hold"


def test_old_data_do_not_promote_but_do_take_out(make_minutes):
    assert "the evidence is old" in judge(at(make_minutes(30), now=60), POLICY).reasons[0]
    bad = make_minutes(30, errors=0.5)
    assert judge(at(bad, now=60), POLICY).verdict == "roll_back"


def test_a_judgement_is_plain_json(make_minutes):
    record = json.loads(json.dumps(judge(at(make_minutes(30)), POLICY).to_dict()))
    assert record["verdict"] == "advance"
    assert {one["guard"] for one in record["findings"]} >= {"errors", "latency", "score_shift"}


def test_a_step_is_the_one_with_the_nearest_share():
    assert [step_of(share, (0.05, 0.25, 0.5, 1.0)) for share in (0.05, 0.250001, 0.5, 1)] == [
        0, 1, 2, 3
    ]  # fmt: skip
