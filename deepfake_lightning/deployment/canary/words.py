"""A canary's findings in sentences."""

from __future__ import annotations

from datetime import UTC, datetime

from deepfake_lightning.deployment.canary.guarding import Finding

_OF = {
    "errors": "requests failed (5xx)",
    "refusals": "requests got no place or no result in time (503)",
    "no_face": "items have no face that could be scored",
}


def says(found: Finding, champion: str) -> str:
    """Return a guard-rail's finding as a sentence."""
    if found.state == "unknown" or found.candidate is None or found.value is None:
        return f"{found.guard}: nothing to compare yet"
    return f"{found.guard}: {_figures(found, champion)}{_how_sure(found)}"


def _figures(found: Finding, champion: str) -> str:
    mine, others, value = found.candidate or 0.0, found.champion or 0.0, found.value
    if found.guard in _OF:
        return (f"{_percent(mine)} of the {_OF[found.guard]}, {champion} {_percent(others)}; "
                f"at most {100 * found.limit:g} points more")  # fmt: skip
    if found.guard == "latency":
        return (f"p95 is {mine:,.0f} ms, {champion} {others:,.0f} ms; "
                f"at most {found.limit:g} times as much")  # fmt: skip
    if found.guard == "slowest":
        return f"p95 is {mine:,.0f} ms; at most {found.limit:,g} ms"
    return (f"scores are {value:.3f} apart (mean {mine:.3f}, {champion} {others:.3f}); "
            f"at most {found.limit:g}")  # fmt: skip


def _how_sure(found: Finding) -> str:
    if found.state == "broken" and found.since_us is not None:
        chance = f"10^{found.log10_chance:.0f}"
        return f"; broken since {clock(found.since_us)} (by chance: less than {chance})"
    return "; this may be chance, more requests will tell" if found.state == "unclear" else ""


def clock(at_us: int) -> str:
    """Return a time as it is told: 2026-01-31 10:42 UTC."""
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def share_of(share: float) -> str:
    """Return a share as it is told: 5 %."""
    return f"{100 * share:.4g} %"
