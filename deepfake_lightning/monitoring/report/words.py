"""Numbers and times as reports and terminals write them; undefined is said."""

from __future__ import annotations

from datetime import UTC, datetime

from deepfake_lightning.metrics import Interval
from deepfake_lightning.monitoring.windows import Estimate

VERDICT_WORDS = {
    "manipulation_indicated": "manipulation indicated",
    "no_indication": "no indication",
    "inconclusive": "inconclusive",
    "not_assessable": "not assessable",
}


def moment(at_us: int) -> str:
    """Return a time: 2026-01-31 10:42 UTC."""
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M UTC")


def milliseconds(value: float | None) -> str:
    """Return a latency with three digits: ``48.2 ms``, or 'undefined'."""
    if value is None:
        return "undefined"
    if value >= 10_000:
        return f"{value / 1000:,.1f} s"
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def rate(per_second: float | None) -> str:
    """Return requests a second, a minute or an hour, whichever reads well."""
    if per_second is None:
        return "undefined"
    for times, unit in ((1, "s"), (60, "min")):
        if per_second * times >= 1 or per_second == 0:
            found = per_second * times
            return f"{found:,.0f}/{unit}" if found >= 1000 else f"{found:.3g}/{unit}"
    return f"{per_second * 3600:.3g}/h"


def duration(seconds: float | None) -> str:
    """Return a length of time: ``40 s``, ``3.2 h``, ``5.0 days``, or 'undefined'."""
    if seconds is None:
        return "undefined"
    for limit, unit, size in ((120, "s", 1), (7200, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}" if size < 3600 else f"{seconds / size:.1f} {unit}"
    return f"{seconds / 86_400:.1f} days"


def of_estimate(one: Estimate | None) -> Interval:
    """Return an estimate as what ``evaluation.words`` writes."""
    return Interval(None, None, None) if one is None else Interval(one.value, one.low, one.high)


def named(version: str, variant: str = "serving") -> str:
    """Return what a version is called: ``v1.1.0``, ``v1.1.0 shadow``, ``none`` for no version."""
    return f"{version or 'none'}{' shadow' if variant == 'shadow' else ''}"
