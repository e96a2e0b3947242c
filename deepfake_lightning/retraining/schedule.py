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
_SECOND = timedelta(microseconds=1)


class Schedule:
    """Moments at which something is due.

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
        self._trigger = CronTrigger.from_crontab(" ".join(fields), timezone=_zone(zone))

    def next(self, after_us: int) -> int | None:
        """Return the first moment after another one, microseconds since 1970, UTC.

        An hour that is left out in spring moves what is due in it to the hour after; None where
        there is no such moment (30 February).
        """
        after = datetime.fromtimestamp(after_us / 1e6, UTC) + _SECOND
        found = self._trigger.get_next_fire_time(None, after)
        return None if found is None else round(found.timestamp() * 1e6)

    def due(self, last_us: int, now_us: int) -> bool:
        """Return whether one or more moments have come since another one: it is due once."""
        found = self.next(last_us)
        return found is not None and found <= now_us


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:  # a folder's name, a path
        raise ValueError(f"there is no time zone {name!r}") from error
