"""Moments of a schedule, over years of a clock that is handed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfake_lightning.retraining.schedule import Schedule

BERLIN = ZoneInfo("Europe/Berlin")
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


def test_a_day_that_never_comes():
    assert Schedule("0 3 30 2 *", "UTC").next(0) is None
