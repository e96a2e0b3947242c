"""When a training is due by the calendar: cron's five fields, days by name, in a stated zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apscheduler.triggers.cron import CronTrigger

NAMED = {"weekly": "0 3 * * sun", "monthly": "0 3 1 * *"}
_FIELDS = 5
_DAY = r"(sun|mon|tue|wed|thu|fri|sat)"
_DAYS = re.compile(rf"(\*|{_DAY}(-{_DAY})?(,{_DAY}(-{_DAY})?)*)")
_STEP = timedelta(microseconds=1)
_GAP = timedelta(hours=3)  # clocks are put forward by less


class Schedule:
    """Moments at which something is due.

    A time that spring leaves out is as much later as the clocks are put forward; one that autumn
    has twice is due the first time.

    Args:
        text: ``weekly`` (Sundays at 3), ``monthly`` (the first at 3), or minute, hour, day of the
            month, month and day of the week as in cron. Days of the week are names: cron counts
            them from Sunday, and others from Monday.
        zone: name of the time zone in which that is meant, such as ``Europe/Berlin``.

    Raises:
        ValueError: says what is wrong with it.
    """

    def __init__(self, text: str, zone: str) -> None:
        fields = NAMED.get(text, text).split()
        if len(fields) != _FIELDS:
            raise ValueError(
                f"a schedule is {', '.join(NAMED)} or cron's five fields, not {text!r}"
            )
        if not _DAYS.fullmatch(fields[4].lower()):
            raise ValueError(f"days of the week are names (mon, sat-sun), not {fields[4]!r}")
        self._zone = zone_named(zone)
        # On the clock's face, as if it were UTC: a zone's changes would lose and double moments.
        self._trigger = CronTrigger.from_crontab(" ".join(fields), timezone=UTC)
        if self._trigger.get_next_fire_time(None, datetime.fromtimestamp(0, UTC)) is None:
            raise ValueError(f"{text!r} never comes")

    def next(self, after_us: int) -> int:
        """Return the first moment after another one, microseconds since 1970, UTC."""
        after = datetime.fromtimestamp(after_us / 1e6, UTC)
        face = after.astimezone(self._zone).replace(tzinfo=UTC) - _GAP
        while True:
            found = self._trigger.get_next_fire_time(None, face + _STEP)
            assert found is not None
            moment: datetime = found.replace(tzinfo=self._zone).astimezone(UTC)
            if moment > after:
                return round(moment.timestamp() * 1e6)
            face = found

    def due(self, last_us: int, now_us: int) -> bool:
        """Return whether one or more moments have come since another one: it is due once."""
        return self.next(last_us) <= now_us


def zone_named(name: str) -> ZoneInfo:
    """Return a time zone.

    Raises:
        ValueError: there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:  # a folder's name, a path
        raise ValueError(f"there is no time zone {name!r}") from error
