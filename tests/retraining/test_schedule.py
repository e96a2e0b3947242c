"""Moments of a schedule, over years of a clock that is handed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfake_lightning.retraining.schedule import Schedule

BERLIN = ZoneInfo("Europe/Berlin")
HOUR_US = 3_600_000_000
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def us(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


def moments(schedule: Schedule, start: datetime, years: int) -> list[datetime]:
    found, at = [], us(start)
    end = us(start + timedelta(days=365 * years))
    while (after := schedule.next(at)) is not None and after < end:
        found.append(datetime.fromtimestamp(after / 1e6, UTC))
        at = after
    return found


def test_weekly_is_on_sundays_at_three_where_it_is_meant():
    found = moments(Schedule("weekly", "Europe/Berlin"), datetime(2025, 1, 1, tzinfo=UTC), 3)
    local = [one.astimezone(BERLIN) for one in found]
    assert {one.strftime("%a") for one in local} == {"Sun"}
    assert len(local) == 156
    assert {one.hour for one in local} == {3}
    assert {one.hour for one in found} == {1, 2}  # summer time and winter time


def test_monthly_is_on_the_first():
    found = moments(Schedule("monthly", "UTC"), datetime(2025, 1, 1, tzinfo=UTC), 2)
    assert [one.day for one in found] == [1] * 24
    assert len({(one.year, one.month) for one in found}) == 24


def test_an_hour_that_spring_leaves_out_is_not_lost():
    # 30 March 2025: 2:00 becomes 3:00 in Berlin.
    schedule = Schedule("30 2 * * sun", "Europe/Berlin")
    found = moments(schedule, datetime(2025, 3, 24, tzinfo=UTC), 1)
    assert [one.astimezone(BERLIN).date().isoformat() for one in found[:2]] == [
        "2025-03-30", "2025-04-06"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "zone", "after", "expected"),
    [("15 0 * * sun", "America/Santiago", "2026-09-05T12:00-04:00", "2026-09-06T01:15-03:00"),
     ("0 0 * * *", "America/Santiago", "2026-09-05T12:00-04:00", "2026-09-06T01:00-03:00"),
     ("15 0 * * fri", "Africa/Cairo", "2026-04-23T12:00+02:00", "2026-04-24T01:15+03:00"),
     ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00+01:00", "2026-03-29T03:30+02:00"),
     ("30 2 * * *", "Europe/Berlin", "2026-03-29T03:00+02:00", "2026-03-29T03:30+02:00"),
     ("30 2 * * *", "Europe/Berlin", "2026-03-29T03:30+02:00", "2026-03-30T02:30+02:00"),
     ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00+10:30", "2026-10-04T02:45+11:00")],
)  # fmt: skip
def test_a_time_that_spring_leaves_out_comes_later_the_same_day(text, zone, after, expected):
    found = Schedule(text, zone).next(us(datetime.fromisoformat(after)))
    assert found == us(datetime.fromisoformat(expected))


@pytest.mark.parametrize(
    ("text", "zone", "day"),
    [("30 1 1 * *", "America/New_York", "2026-11-01"), ("30 2 * * *", "Europe/Berlin",
     "2026-10-25"), ("30 23 * * sat", "America/Santiago", "2026-04-04")],
)  # fmt: skip
def test_a_time_that_autumn_has_twice_is_due_once(text, zone, day):
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    schedule = Schedule(text, zone)
    first = schedule.next(us(start))
    assert datetime.fromtimestamp(first / 1e6, ZoneInfo(zone)).isoformat().startswith(day)
    assert schedule.next(first) - first > 20 * HOUR_US


@given(
    day=st.sampled_from(DAYS), hour=st.integers(0, 23), minute=st.integers(0, 59),
    start=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),
)  # fmt: skip
def test_a_day_by_name_is_that_day(day, hour, minute, start):
    found = Schedule(f"{minute} {hour} * * {day}", "UTC").next(us(start.replace(tzinfo=UTC)))
    moment = datetime.fromtimestamp(found / 1e6, UTC)
    assert (DAYS[moment.weekday()], moment.hour, moment.minute) == (day, hour, minute)
    assert timedelta(0) < moment - start.replace(tzinfo=UTC) <= timedelta(days=7)


def test_what_was_missed_is_due_once():
    schedule = Schedule("weekly", "UTC")
    last, now = (us(datetime(2025, 1, day, 12, tzinfo=UTC)) for day in (1, 30))
    assert schedule.due(last, now)
    assert not schedule.due(now, now)
    assert not schedule.due(last, us(datetime(2025, 1, 4, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("text", "zone", "said"),
    [("0 3 * * 0", "UTC", "names"), ("0 3 * * sun,1", "UTC", "names"), ("daily", "UTC", "five"),
     ("61 3 * * sun", "UTC", "61"), ("weekly", "Berlin", "zone"), ("weekly", "", "zone")],
)  # fmt: skip
def test_what_cannot_work_is_said(text, zone, said):
    with pytest.raises(ValueError, match=said):
        Schedule(text, zone)


def test_a_day_that_never_comes_is_refused():
    with pytest.raises(ValueError, match="never comes"):
        Schedule("0 3 30 2 *", "UTC")
    leap = Schedule("0 3 29 2 *", "UTC").next(us(datetime(2025, 1, 1, tzinfo=UTC)))
    assert leap == us(datetime(2028, 2, 29, 3, tzinfo=UTC))
