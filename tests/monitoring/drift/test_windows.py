"""Where windows begin and end, by counts alone."""

from __future__ import annotations

import pytest

from deepfake_lightning.monitoring.drift import DriftPolicy
from deepfake_lightning.monitoring.drift.windows import (
    DAY_US,
    MINUTE_US,
    Minutes,
    active_versions,
    counted,
    final_until,
)
from deepfake_lightning.monitoring.log.rollups import make_rollups

NOON = 1_700_049_600_000_000
POLICY = DriftPolicy(items=60, minutes=30, least_items=50, max_days=1)


def _windows(log, *, until_minute, policy=POLICY, version="v1.0.0"):
    until = NOON + until_minute * MINUTE_US
    minutes, after, found = Minutes(log, "production", NOON - DAY_US, until), 0, []
    while window := minutes.next_window(version, after, until, policy):
        start, after = (round((at - NOON) / MINUTE_US) for at in (window.start_us, window.end_us))
        found.append((start, after, window.items))
        after = window.end_us
    return found


def test_a_window_has_enough_items_and_has_lasted_long_enough(traffic, log):
    traffic.send(200, minutes=100)  # 2 a minute: long enough first, then enough items
    assert _windows(log, until_minute=100) == [(0, 30, 60), (30, 60, 60), (60, 90, 60)]
    fast = POLICY.model_copy(update={"minutes": 10.0})
    assert _windows(log, until_minute=100, policy=fast) == [(0, 30, 60), (30, 60, 60), (60, 90, 60)]
    few = POLICY.model_copy(update={"items": 50, "minutes": 45.0})
    assert _windows(log, until_minute=100, policy=few) == [(0, 45, 90), (45, 90, 90)]
    assert _windows(log, until_minute=29) == []


def test_a_window_begins_with_traffic_and_ends_after_so_many_days(traffic, log):
    traffic.send(20, minute=10, minutes=10)
    traffic.send(70, minute=2000, minutes=35)
    day = 24 * 60
    assert _windows(log, until_minute=day + 9) == []
    assert _windows(log, until_minute=day + 10) == [(10, day + 10, 20)]
    assert _windows(log, until_minute=2040) == [(10, day + 10, 20), (2000, 2030, 60)]


def test_only_scored_items_that_the_version_answered_with_count(traffic, log):
    traffic.send(60, minutes=30)
    traffic.send(60, minutes=30, status="no_face", logit=None)
    traffic.send(60, minutes=30, variant="shadow")
    traffic.send(60, minutes=30, environment=None)
    traffic.send(60, minutes=30, environment="staging")
    traffic.send(60, minutes=30, version="v1.1.0")
    assert _windows(log, until_minute=100) == [(0, 30, 60)]
    window = counted(log, "production", "v1.0.0", NOON, NOON + 30 * MINUTE_US)
    assert (window.items, window.answered, window.requests) == (60, 180, 360)
    assert list(active_versions(log, "production", NOON)) == ["v1.0.0", "v1.1.0"]
    assert list(active_versions(log, "elsewhere", NOON)) == []
    assert active_versions(log, "production", NOON + DAY_US) == {}


def test_minutes_whose_roll_ups_are_not_made_are_waited_for(traffic, log):
    now = NOON + 60 * MINUTE_US + 39_999_999  # rows of the last minute may be on their way
    traffic.send(60, minutes=30)
    assert final_until(log, NOON, now, DriftPolicy()) == NOON + 59 * MINUTE_US
    traffic.send(1, minute=20, minutes=1, roll_up=False)
    assert final_until(log, NOON, now, DriftPolicy()) == NOON + 20 * MINUTE_US
    assert final_until(log, NOON + 21 * MINUTE_US, now + 1, DriftPolicy()) == NOON + 60 * MINUTE_US
    make_rollups(log)
    assert final_until(log, NOON, now, DriftPolicy()) == NOON + 59 * MINUTE_US
    assert final_until(log, NOON, now, DriftPolicy(settle_seconds=39.9)) == NOON + 60 * MINUTE_US


@pytest.mark.parametrize("seconds", [0.0, 12.5])
def test_windows_are_whole_minutes(traffic, log, seconds):
    traffic.send(120, minute=seconds / 60, minutes=60)
    for start, end, _ in _windows(log, until_minute=100):
        assert (start % 1, end % 1) == (0, 0)
