"""The cluster bootstrap: every metric of :func:`~deepfake_lightning.metrics.summary`, many times.

Items of one group (a person, a clip and its fakes) resemble each other, so what is drawn with
replacement is groups with all their items (Davison & Hinkley 1997, section 3.8); rows would look
more certain than they are. A draw is a number of times per group, never a copy of rows: what adds
up over items is summed per group once, and one sort serves all rankings, with weights.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import UsageError
from deepfake_lightning.metrics.aggregation import KeyArray
from deepfake_lightning.metrics.checks import (
    BoolArray,
    Float64Array,
    FloatArray,
    IntArray,
    check_groups,
    check_pairs,
)
from deepfake_lightning.metrics.ranking import (
    Ranking,
    area,
    crossing,
    falling,
    highest_tpr,
    precision_area,
)
from deepfake_lightning.metrics.resampling import DRAWS, check_draws, resample
from deepfake_lightning.metrics.summary import FPR_LIMITS, METRIC_NAMES
from deepfake_lightning.metrics.sums import from_sums, group_sums

_OF_CURVE: dict[str, Callable[[Ranking], Float64Array]] = {
    "auroc": area,
    "average_precision": precision_area,
    "eer": crossing,
    **{
        name: lambda curve, limit=limit: highest_tpr(curve, limit)  # type: ignore[misc]
        for name, limit in FPR_LIMITS.items()
    },
}


def summary_draws(
    logits: FloatArray,
    labels: IntArray,
    groups: KeyArray,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    names: Collection[str] = METRIC_NAMES,
) -> dict[str, Float64Array]:
    """Metrics of resamples of the groups, the same resamples for every detector.

    Differences of two detectors draw by draw are therefore paired. The result depends neither on
    the order of the rows nor on the number of threads, to the last digit.

    Args:
        logits: float [D, N] of D detectors, or [N] of one (D = 1).
        labels: integer [N], 0 real and 1 fake.
        groups: [N] whole numbers or strings, what is drawn.
        draws: how many resamples, each of as many groups as there are.
        seed: of the draws. One seed draws the same for data of one size.
        names: which of :data:`METRIC_NAMES`; the others are not worked out.

    Returns:
        float64 [D, draws] by name, in the order of ``METRIC_NAMES``; NaN where a resample leaves
        the metric undefined (all are with N = 0).
    """
    check_draws(draws)
    unknown = sorted(set(names) - set(METRIC_NAMES))
    if unknown:
        raise UsageError(
            f"there is no metric named {unknown[0]!r}",
            next_step=f"choose among {', '.join(METRIC_NAMES)}",
        )
    rows = np.atleast_2d(np.asarray(logits, dtype=np.float64))
    checked = [check_pairs(row, labels, "logits") for row in rows]
    number = check_groups(groups, np.size(labels))
    found = {name: np.full((len(rows), draws), np.nan) for name in METRIC_NAMES if name in names}
    if number.size and checked:
        tables = [_Resampled(values, fake, number, found) for values, fake in checked]

        def fill(start: int, times: Float64Array) -> None:
            for detector, table in enumerate(tables):
                for name, values in table.measure(times).items():
                    found[name][detector, start : start + len(times)] = values

        resample(number, draws, seed, fill)
    return found


class _Resampled:
    """One detector's scores, made ready for many weightings of the groups."""

    def __init__(
        self,
        values: Float64Array,
        fake: BoolArray,
        groups: NDArray[np.intp],
        names: Collection[str],
    ) -> None:
        self.names = [name for name in names if name not in _OF_CURVE]
        self.curves = [name for name in names if name in _OF_CURVE]
        self.sums = group_sums(values, fake, groups) if self.names else None
        if self.curves:
            order, last = falling(values)
            fakes = fake[order]
            self.fakes, self.reals = groups[order][fakes], groups[order][~fakes]
            tp = np.cumsum(fakes, dtype=np.intp)[last]
            self.tp, self.fp = _corners(tp, last + 1 - tp)

    def measure(self, times: Float64Array) -> dict[str, Float64Array]:
        """Metrics, float64 [B] by name, of draws ``times`` [B, G]."""
        found = {} if self.sums is None else from_sums(times, self.sums, self.names)
        if self.curves:
            fp = _running(times, self.reals)[:, self.fp]
            tp = _running(times, self.fakes)[:, self.tp]
            there = (fp[:, -1] > 0) & (tp[:, -1] > 0)
            curve = Ranking(fp, tp) if there.all() else Ranking(fp[there], tp[there])
            for name in self.curves:
                found[name] = np.full(len(times), np.nan)
                found[name][there] = _OF_CURVE[name](curve)
        return found


def _corners(
    tp: NDArray[np.intp], fp: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The curve's counts from (0, 0) on, without points between reals alone.

    Those lie on a level line whatever the weights, so no metric sees them.
    """
    rises = np.diff(tp, prepend=0, append=tp[-1] + 1) > 0
    kept = rises[:-1] | rises[1:]
    return np.append(0, tp[kept]), np.append(0, fp[kept])


def _running(times: Float64Array, groups: NDArray[np.intp]) -> Float64Array:
    """Sums of the weights of the first 0 to M rows, float64 [B, M + 1]; groups [M]."""
    total = np.zeros((len(times), groups.size + 1))
    # In place, since threads that ask for megabytes at a time wait for the system.
    np.take(times, groups, axis=1, mode="clip", out=total[:, 1:])
    return np.cumsum(total, axis=1, out=total)
