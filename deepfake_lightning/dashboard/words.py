"""Figures, times and verdicts as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

NONE = "–"  # noqa: RUF001 (of figures that are undefined)
VERDICTS = {
    "manipulation_indicated": "manipulation indicated",
    "no_indication": "no indication",
    "inconclusive": "inconclusive",
    "not_assessable": "not assessable",
}


def ms(value: float | None) -> str:
    """Return a time: ``42 ms``, ``1.25 s``."""
    if value is None:
        return NONE
    if value >= 10_000:
        return f"{value / 1000:,.1f} s"
    if value >= 1000:
        return f"{value / 1000:.2f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def percent(value: float | None, digits: int = 1) -> str:
    """Return a share as percent; what is no whole zero is not shown as one."""
    if value is None:
        return NONE
    shown = f"{100 * value:.{digits}f} %"
    return f"< {10**-digits:g} %" if value > 0 and not float(shown[:-2]) else shown


def rate(value: float | None) -> str:
    """Return requests a second; a minute or an hour where they are few."""
    if value is None:
        return NONE
    if value >= 0.1 or value == 0:
        return f"{value:,.1f} /s"
    return f"{60 * value:.1f} /min" if value >= 1 / 600 else f"{3600 * value:.1f} /h"


def number(value: float | None, digits: int = 2) -> str:
    """Return a number."""
    return NONE if value is None else f"{value:,.{digits}f}"


def long(seconds: float | None) -> str:
    """Return how long something takes or is ago: ``40 s``, ``12 min``, ``3 h``, ``2 days``."""
    if seconds is None:
        return NONE
    if seconds < 90:
        return f"{max(0.0, seconds):.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86400:.0f} days"


def ago(ts_us: int | None, now_us: int) -> str:
    """Return how long ago a time was; ``never`` without one."""
    return "never" if ts_us is None else f"{long((now_us - ts_us) / 1e6)} ago"


def when(ts_us: int) -> datetime:
    """Return microseconds since 1970 as a time, UTC."""
    return datetime.fromtimestamp(ts_us / 1e6, UTC)


def clock(ts_us: int | None) -> str:
    """Return a time to the minute, UTC: ``2026-11-26 14:05``."""
    return NONE if ts_us is None else f"{when(ts_us):%Y-%m-%d %H:%M}"


def time_of_day(ts_us: int) -> str:
    """Return a time of day to the second, UTC."""
    return f"{when(ts_us):%H:%M:%S}"


def version_name(name: str) -> str:
    """Return a version's name; requests that none answered have the empty one."""
    return name or "no version"


def first(says: str) -> tuple[str, list[str]]:
    """Return the first of several findings that a sentence joins, and the others."""
    head, *rest = (part.strip() for part in says.split(";"))
    return head, [part for part in rest if part]
