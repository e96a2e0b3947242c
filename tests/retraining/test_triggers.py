"""Whether to train again, over simulated years."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import cycle, pairwise
from zoneinfo import ZoneInfo

import pytest

from deepfake_lightning.retraining.policy import Performance, RetrainPolicy
from deepfake_lightning.retraining.triggers import LastLoop, Observed, Quality, judge

DAY_US, MINUTE_US = 86_400_000_000, 60_000_000
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


@pytest.mark.parametrize("minutes", [30, 480])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_weekly_stays_on_its_moment(minutes, zone):
    policy, since, last, found = RetrainPolicy(schedule="weekly", zone=zone), START, None, []
    now, late = START, cycle((0, 55_000_000, 10_000_000))  # a look is never quite on time
    while now < START + 365 * DAY_US:
        at = now + next(late)
        if last is None or at >= last.finished_us:
            seen = replace(QUIET, now_us=at, since_us=since, last=last)
            if judge(policy, seen).fires:
                found.append(datetime.fromtimestamp(at / 1e6, ZoneInfo(zone)))
                since, last = at, LastLoop(at + minutes * MINUTE_US, "done")
        now += 60 * MINUTE_US
    assert len(found) == 52
    assert {(one.strftime("%a"), one.hour) for one in found} == {("Sun", 3)}


def test_a_moment_in_the_cool_down_passes_and_the_next_one_counts():
    policy = RetrainPolicy(schedule="weekly", cool_down_days=10)
    found = fires(policy, 365, lambda day: QUIET)
    assert {b - a for a, b in pairwise(found)} == {14}
    # New files on a Wednesday: not the Sunday after it, and no Wednesday for ever.
    files = replace(QUIET, files=500)
    found = fires(RetrainPolicy(schedule="weekly"), 40, lambda day: QUIET if day else files)
    assert found == [0, 11, 18, 25, 32, 39]
    waiting = judge(policy, replace(QUIET, last=LastLoop(START, "done")))
    assert waiting.next_us == round(datetime(2025, 1, 12, 3, tzinfo=UTC).timestamp() * 1e6)


def test_what_the_schedule_missed_is_made_up_for():
    seen = replace(QUIET, now_us=START + 10 * DAY_US)  # Saturday: it was off on Sunday
    assert judge(RetrainPolicy(schedule="weekly"), seen).fires
    failed = replace(seen, last=LastLoop(seen.now_us - 5 * 60 * MINUTE_US, "failed"))
    assert not judge(RetrainPolicy(schedule="weekly"), failed).fires
    again = replace(failed, now_us=seen.now_us + 60 * MINUTE_US)
    assert judge(RetrainPolicy(schedule="weekly"), again).fires


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
