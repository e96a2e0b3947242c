"""Guard-rails on drawn traffic."""

from __future__ import annotations

import numpy as np
import pytest

from deepfake_lightning.deployment.canary.guarding import findings
from deepfake_lightning.deployment.canary.minutes import Arm, Minutes, no_minutes
from deepfake_lightning.deployment.canary.policy import CanaryPolicy, GuardRails
from deepfake_lightning.monitoring.log.writing import MINUTE_US

ALL = ("errors", "refusals", "no_face", "latency", "slowest", "score_shift")
POLICY = CanaryPolicy(guard_rails=GuardRails(latency_ms=1000, score_shift=0.15))


def states(minutes, policy=POLICY):
    return {one.guard: one.state for one in findings(minutes, minutes, policy)}


def the(guard, minutes, policy=POLICY):
    return next(one for one in findings(minutes, minutes, policy) if one.guard == guard)


def test_versions_that_are_alike_keep_all(make_minutes):
    assert states(make_minutes(60, champion=900, candidate=100)) == dict.fromkeys(ALL, "kept")


@pytest.mark.parametrize(
    ("worse", "broken"),
    [({"errors": 0.2}, {"errors"}),
     ({"refusals": 0.2}, {"refusals"}),
     ({"unseen": 0.3}, {"no_face"}),
     ({"slower": 3}, {"latency"}),
     ({"slower": 20}, {"latency", "slowest"}),
     ({"log_odds": 3}, {"score_shift"}),
     ({"log_odds": -6}, {"score_shift"})],
)  # fmt: skip
def test_a_bad_candidate_breaks_its_guard_rail_and_no_other(make_minutes, worse, broken):
    found = states(make_minutes(30, **worse))
    assert {guard for guard, state in found.items() if state == "broken"} == broken
    assert set(found.values()) <= {"broken", "kept"}


def test_a_better_candidate_breaks_none(make_minutes):
    minutes = make_minutes(60, champion=50, candidate=50, slower=0.5)
    better = Minutes(minutes.starts_us, minutes.candidate, minutes.candidate)
    assert set(states(minutes).values()) == {"kept"}
    assert set(states(better).values()) == {"kept"}


def test_a_small_difference_is_no_reason_however_sure_it_is(make_minutes):
    found = the("errors", make_minutes(60, champion=2000, candidate=2000, errors=0.005))
    assert found.log10_chance < -6
    assert found.state == "kept"
    assert found.value == pytest.approx(0.005, abs=0.002)


def test_beyond_the_limit_by_chance_is_unclear(make_minutes):
    minutes = make_minutes(2, champion=20, candidate=20)
    minutes.candidate.errors[0] = 1
    minutes.champion.errors[:] = 0
    assert states(minutes)["errors"] == "unclear"


def test_what_nobody_did_is_unknown(make_minutes):
    assert states(no_minutes()) == dict.fromkeys(ALL, "unknown")
    alone = make_minutes(10, candidate=0)
    assert set(states(alone).values()) == {"unknown"}


def test_one_that_turns_bad_half_way_is_judged_from_there_on(make_minutes):
    found = the("errors", make_minutes(120, champion=50, candidate=50, errors=0.1, since=110))
    assert found.state == "broken"
    assert found.since_us / MINUTE_US == pytest.approx(110, abs=10)
    assert found.candidate > 0.04  # since the canary began it is 0.008


def test_a_bad_hour_with_a_larger_share_is_not_the_candidates_fault(make_minutes):
    # Both fail more in the second half, in which the candidate has more of the traffic.
    calm = make_minutes(60, champion=190, candidate=10, seed=1)
    rough = make_minutes(60, champion=100, candidate=100, errors=0.1, seed=2)
    rough = Minutes(rough.starts_us, rough.candidate, rough.candidate)
    both = Minutes(
        np.arange(120) * MINUTE_US,
        *(
            Arm(*(np.concatenate(pair) for pair in zip(vars(one).values(), vars(two).values(),
                                                      strict=True)))
            for one, two in ((calm.champion, rough.champion), (calm.candidate, rough.candidate))
        ),
    )  # fmt: skip
    pooled = [arm.errors.sum() / arm.requests.sum() for arm in (both.champion, both.candidate)]
    assert pooled[1] - pooled[0] > 0.05  # what sums over both halves would say
    found = the("errors", both)
    assert found.state == "kept"
    assert found.value == pytest.approx(0, abs=0.001)


def test_constant_times_are_told_apart_at_any_share(make_minutes):
    for champion, candidate in ((95, 5), (50, 50)):
        minutes = make_minutes(30, champion=champion, candidate=candidate)
        for arm, bucket in ((minutes.champion, 80), (minutes.candidate, 88)):  # twice as slow
            number = arm.latency.sum(axis=1)
            arm.latency[:] = 0
            arm.latency[:, bucket] = number
        found = the("latency", minutes)
        assert found.state == "broken"
        assert found.value == pytest.approx(2, rel=0.01)


def test_a_few_milliseconds_are_no_reason(make_minutes):
    minutes = make_minutes(30, slower=3)
    patient = CanaryPolicy(guard_rails=GuardRails(latency_slack_ms=1000))
    assert states(minutes, patient)["latency"] == "kept"


def test_a_guard_rail_that_is_taken_away_says_nothing(make_minutes):
    policy = CanaryPolicy(guard_rails=GuardRails(errors=None, score_shift=None))
    assert set(states(make_minutes(10), policy)) == {"refusals", "no_face", "latency"}
    none = GuardRails(**dict.fromkeys(("errors", "refusals", "no_face", "latency_ratio",
                                       "score_shift")))  # fmt: skip
    assert states(make_minutes(10), CanaryPolicy(guard_rails=none)) == {}


def test_the_shift_is_the_mean_distance_of_sorted_scores(make_minutes):
    from scipy.stats import wasserstein_distance

    from deepfake_lightning.monitoring.log.totals import SCORE_EDGES

    minutes = make_minutes(1, champion=20_000, candidate=20_000, log_odds=1.5)
    middles = 1 / (1 + np.exp(-(SCORE_EDGES[1:] + SCORE_EDGES[:-1]) / 2))
    exact = wasserstein_distance(
        middles, middles, minutes.candidate.scores[0], minutes.champion.scores[0]
    )
    assert the("score_shift", minutes).value == pytest.approx(exact, abs=0.005)
