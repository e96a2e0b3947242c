"""Whether to train again, over simulated years."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from deepfake_lightning.retraining.policy import Performance, RetrainPolicy
from deepfake_lightning.retraining.triggers import LastLoop, Observed, Quality, judge

DAY_US = 86_400_000_000
START = round(datetime(2025, 1, 1, 12, tzinfo=UTC).timestamp() * 1e6)
QUIET = Observed(START, "v1.0.0", START)


def fires(policy: RetrainPolicy, days: int, seen_on) -> list[int]:
    """Return the days on which a training starts; each ends at once, and uses all news up."""
    found, last, since = [], None, START
    for day in range(days):
        now = START + day * DAY_US
        seen = replace(seen_on(day), now_us=now, last=last, since_us=since)
        if judge(policy, seen).fires:
            found.append(day)
            last, since = LastLoop(now, "done"), now
    return found


def test_two_quiet_years_start_nothing():
    good = Quality(0.88, 0.84, 0.92, 400, reference=0.9)
    seen = replace(QUIET, quality=good, real=199, fake=900, files=499)
    assert fires(RetrainPolicy(), 730, lambda day: seen) == []


def test_a_schedule_fires_every_week_and_no_more():
    policy = RetrainPolicy(schedule="weekly", cool_down_days=3)
    found = fires(policy, 730, lambda day: QUIET)
    assert len(found) == 104
    assert {b - a for a, b in pairwise(found)} == {7}


def test_a_schedule_waits_for_the_cool_down_and_is_not_lost():
    policy = RetrainPolicy(schedule="weekly", cool_down_days=10)
    found = fires(policy, 365, lambda day: QUIET)
    assert {b - a for a, b in pairwise(found)} == {10}


@pytest.mark.parametrize(
    ("kind", "seen"),
    [("performance", replace(QUIET, quality=Quality(0.8, 0.76, 0.84, 400, reference=0.9))),
     ("drift", replace(QUIET, drift=("blockiness moved from 1.0 to 1.4",))),
     ("labels", replace(QUIET, real=200, fake=200)),
     ("files", replace(QUIET, files=500))],
)  # fmt: skip
def test_each_cause_fires_when_it_comes(kind, seen):
    found = fires(RetrainPolicy(), 365, lambda day: seen if 100 <= day < 105 else QUIET)
    assert found == [100]
    trigger = judge(RetrainPolicy(), seen)
    assert [cause.kind for cause in trigger.causes if cause.holds] == [kind]
    assert trigger.reason
    assert json.loads(json.dumps(trigger.to_dict()))["fires"] is True
    off = RetrainPolicy(performance=None, drift=False, labels=None, files=None)
    assert not judge(off, seen).fires


def test_what_chance_may_have_done_is_no_cause():
    unclear = replace(QUIET, quality=Quality(0.82, 0.74, 0.9, 150, reference=0.9))
    few = replace(QUIET, quality=Quality(0.4, 0.2, 0.6, 99, reference=0.9))
    for seen in (unclear, few):
        assert not judge(RetrainPolicy(), seen).fires
    below = RetrainPolicy(performance=Performance(drop=None, below=0.95))
    assert judge(below, unclear).fires
    assert not judge(below, replace(QUIET, quality=None)).fires


def test_a_person_does_not_wait():
    just_now = LastLoop(START - DAY_US, "done")
    wanted = replace(QUIET, last=just_now, files=900)
    waiting = judge(RetrainPolicy(), wanted)
    assert not waiting.fires
    assert "6 days" in waiting.waits
    asked = judge(RetrainPolicy(), replace(wanted, by_hand="a new forgery"))
    assert asked.fires
    assert "a new forgery" in asked.reason


def test_while_versions_share_the_traffic_only_what_goes_to_staging_is_trained():
    shared = replace(QUIET, by_hand="why not", sharing=("v1.0.0", "v1.1.0"))
    assert judge(RetrainPolicy(), shared).fires
    waiting = judge(RetrainPolicy(goal="canary"), shared)
    assert not waiting.fires
    assert "v1.0.0 and v1.1.0 share the traffic" in waiting.waits


def test_one_that_failed_is_tried_again_sooner():
    seen = replace(QUIET, files=900, last=LastLoop(START - 5 * 3_600_000_000, "failed"))
    assert not judge(RetrainPolicy(), seen).fires
    assert judge(RetrainPolicy(), replace(seen, now_us=START + 3_600_000_000)).fires
