"""Periods of time that figures are of: the last hour, or from one day to another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deepfake_lightning.errors import UsageError

MINUTE_US = 60_000_000
_UNITS = {"m": MINUTE_US, "h": 60 * MINUTE_US, "d": 24 * 60 * MINUTE_US}
_NAMES = {"m": "minute", "h": "hour", "d": "day"}
_LEAST_US, _MOST_US = 5 * MINUTE_US, 400 * 24 * 60 * MINUTE_US
_ADVICE = "pass 5m, 1h, 24h, 7d, 30d, or 2026-11-01..2026-11-08"


@dataclass(frozen=True)
class Period:
    """A time, from ``start_us`` up to ``end_us`` and without it.

    Roll-ups are of whole minutes: what is read of a period begins with the minute that its start
    lies in. :func:`parse_period` gives periods that begin with a minute, and end with one or now.

    Attributes:
        start_us, end_us: microseconds since 1970, UTC.
        name: what it was asked as, ``24h``; empty where it was given by its ends.
    """

    start_us: int
    end_us: int
    name: str = ""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end_us - self.start_us) / 1e6

    @property
    def says(self) -> str:
        """``last 24 hours``, or ``2026-11-01 to 2026-11-08``, UTC."""
        found = re.fullmatch(r"(\d+)([mhd])", self.name)
        if found:
            number, unit = int(found[1]), _NAMES[found[2]]
            return f"last {unit}" if number == 1 else f"last {number} {unit}s"
        start, end = (datetime.fromtimestamp(at / 1e6, UTC) for at in (self.start_us, self.end_us))
        whole = all(at.hour == at.minute == 0 for at in (start, end))
        form = "%Y-%m-%d" if whole else "%Y-%m-%d %H:%M"
        return f"{start.strftime(form)} to {end.strftime(form)}{'' if whole else ' UTC'}"


def parse_period(text: str, *, now_us: int) -> Period:
    """Return a period of 5 minutes to 400 days.

    Args:
        text: ``5m``, ``24h``, ``7d``: up to now; or ``FROM..TO``, each a date or a time
            (2026-11-01, 2026-11-01T08:30; UTC unless an offset says otherwise). ``TO`` is not part
            of it; left out, it is now.
        now_us: the time, microseconds since 1970, UTC. No period ends after it.

    Raises:
        UsageError: nothing of the kind, too short, too long, or it lies in the future.
    """
    asked = text.strip()
    found = re.fullmatch(r"(\d{1,6})([mhd])", asked)
    if found:
        length = int(found[1]) * _UNITS[found[2]]
        start, end, name = now_us - length, now_us, f"{int(found[1])}{found[2]}"
    elif ".." in asked:
        first, _, last = asked.partition("..")
        start, end, name = _moment(first, asked), _moment(last, asked) if last else now_us, ""
        end = min(end + -end % MINUTE_US, now_us)
        length = end - start
    else:
        raise UsageError(f"the period {asked[:40]!r} is not understood", next_step=_ADVICE)
    if start >= now_us:
        raise UsageError(f"the period {asked[:40]} lies in the future", next_step=_ADVICE)
    if not _LEAST_US <= length <= _MOST_US:
        raise UsageError(
            f"the period {asked[:40]} is not between 5 minutes and 400 days long", next_step=_ADVICE
        )
    return Period(start - start % MINUTE_US, end, name)


def _moment(text: str, asked: str) -> int:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"the period {asked[:40]!r} is not understood: {text.strip()[:30]!r} is no date",
            next_step=_ADVICE,
        ) from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return (found - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
