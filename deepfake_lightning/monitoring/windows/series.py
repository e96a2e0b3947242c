"""Figures step by step, for charts; read off the roll-ups alone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.rollup_windows import Rollup, merged
from deepfake_lightning.monitoring.windows.figures import Figures, figures
from deepfake_lightning.monitoring.windows.periods import Period
from deepfake_lightning.monitoring.windows.scope import Scope
from deepfake_lightning.monitoring.windows.window import rollups_of

_MOST_POINTS = 120
_HOUR, _DAY = 3600, 24 * 3600
# Divisors of a day, or whole days. Steps of whole hours are read off hours, 60 times faster.
_STEPS_S = (
    60, 120, 300, 600, 900,
    _HOUR, 2 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 4 * _DAY,
)  # fmt: skip


@dataclass(frozen=True)
class Series:
    """Figures of the steps of a period.

    Attributes:
        step_s: seconds of a step; steps begin at multiples of it since 1970, UTC.
        starts_us: when each begins, microseconds.
        figures: by version (``v1.1.0 shadow`` for one that scored in the shadow; ``""`` for
            requests that no version answered), for each step; None where nothing came.
    """

    step_s: int
    starts_us: tuple[int, ...]
    figures: dict[str, tuple[Figures | None, ...]]


def read_series(
    log: LogDatabase, period: Period, scope: Scope, *, step_s: int | None = None
) -> Series:
    """Return the figures of each step of a period.

    Args:
        log: of which.
        period: which.
        scope: whose; ``variant`` None gives both.
        step_s: whole minutes; None: a round number that gives at most 120 points.

    Raises:
        UsageError: a step that is no whole number of minutes.
        StorageError: the log could not be read.
    """
    step = step_s or step_for(period.seconds)
    step_us = step * 1_000_000
    starts = tuple(range(period.start_us - period.start_us % step_us, period.end_us, step_us))
    parts: dict[tuple[str, int], list[Rollup]] = defaultdict(list)
    for one in rollups_of(log, period, scope, step_s=step):
        if scope.variant in (None, one.key["variant"]):
            shadow = one.key["variant"] == "shadow"
            name = f"{one.key['version']} shadow" if shadow else one.key["version"]
            parts[name, one.start_us].append(one)

    def at(name: str, start: int) -> Figures | None:
        found = parts.get((name, start))
        if found is None:
            return None
        # The first and the last step may reach beyond the period.
        lasts = min(start + step_us, period.end_us) - max(start, period.start_us)
        return figures(merged(found), lasts / 1e6)

    names = sorted({name for name, _ in parts})
    return Series(step, starts, {name: tuple(at(name, start) for start in starts)
                                 for name in names})  # fmt: skip


def step_for(seconds: float) -> int:
    """Return the shortest round step, seconds, that gives at most 120 points."""
    return next((step for step in _STEPS_S if seconds <= _MOST_POINTS * step), _STEPS_S[-1])
