"""Intervals of metrics whose items come in groups: people, clips and their fakes."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from scipy.special import stdtrit

from deepfake_lightning.metrics.aggregation import KeyArray
from deepfake_lightning.metrics.bootstrap import summary_draws
from deepfake_lightning.metrics.checks import (
    Float64Array,
    FloatArray,
    IntArray,
    check_groups,
    check_pairs,
    check_share,
)
from deepfake_lightning.metrics.resampling import DRAWS
from deepfake_lightning.metrics.shares import (
    LEAST_GROUPS,
    SAME,
    Interval,
    share_ends,
    standard_error,
)
from deepfake_lightning.metrics.summary import FPR_LIMITS, METRIC_NAMES, summary
from deepfake_lightning.metrics.unanimity import (
    independent_pairs,
    informing_groups,
    unanimous_bounds,
)


def summary_intervals(
    logits: FloatArray,
    labels: IntArray,
    groups: KeyArray,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
    names: Collection[str] = METRIC_NAMES,
) -> dict[str, Interval]:
    """Every metric of :func:`summary` with an interval that takes groups as what is drawn.

    The standard error is the spread of the cluster bootstrap. A metric in [0, 1] has the interval
    of :func:`~deepfake_lightning.metrics.shares.share_ends`; where every resample agrees, as for a
    detector without an error, that of :mod:`~deepfake_lightning.metrics.unanimity`. Log loss has
    Student's interval of its logarithm. ECE, whose bias is as large as its spread, has Student's
    around itself less the bootstrap's estimate of the bias, and that holds the truth less often
    than ``level``. It all speaks of new groups from the same source, not of other manipulations
    nor of another training.

    Args:
        logits: float [N], natural log-odds of fake.
        labels: integer [N], 0 real and 1 fake.
        groups: [N] whole numbers or strings.
        draws: resamples of the groups.
        seed: of the draws.
        level: share of data sets whose interval holds the truth, in (0, 1).
        names: which of ``METRIC_NAMES``; the others are not worked out.

    Returns:
        An :class:`Interval` by name, in the order of ``METRIC_NAMES``. There are no ends where
        fewer than five groups have what the metric counts, nor for the share of fakes found at a
        rate of false alarms that the real samples are too few to show one of (100 for 1 %).
    """
    check_share(level, "the level of an interval")
    values, fake = check_pairs(logits, labels, "logits")
    number = check_groups(groups, values.size)
    drawn = summary_draws(values, labels, number, draws=draws, seed=seed, names=names)
    informing = informing_groups(values >= 0, fake, number)
    reals, pairs = np.count_nonzero(~fake), independent_pairs(fake, number)
    found = {}
    for name, value in summary(values, labels).items():
        if name not in drawn:
            continue
        defined = drawn[name][0][~np.isnan(drawn[name][0])]
        blunt = name in FPR_LIMITS and reals * FPR_LIMITS[name] < 1
        if value is None or informing[name] < LEAST_GROUPS or blunt or not defined.size:
            found[name] = Interval(value, None, None)
            continue
        ends = _ends(name, value, defined, informing[name], level)
        if value in (0, 1) or np.ptp(defined) < SAME:
            of_all = (pairs, float(fake.mean()), level)
            bounds = unanimous_bounds(name, value, informing[name], *of_all)
            ends = min(ends[0], bounds[0]), max(ends[1], bounds[1])
        found[name] = Interval(value, *ends)
    return found


def _ends(
    name: str, value: float, drawn: Float64Array, groups: int, level: float
) -> tuple[float, float]:
    """Ends of one metric from its draws [D >= 1], of which none is NaN."""
    if np.ptp(drawn) < SAME:
        return value, value
    error = standard_error(drawn, groups)
    reach = float(stdtrit(groups - 1, (1 + level) / 2)) * error
    if name == "log_loss":
        factor = float(np.exp(reach / value))
        return value / factor, value * factor
    if name != "ece" and 0 < value < 1:
        return share_ends(value, error, groups, level)
    bias = float(drawn.mean()) - value if name == "ece" else 0.0
    low, high = max(value - bias - reach, 0.0), min(value - bias + reach, 1.0)
    # Less its bias, an interval may lie beside the very value it is shown with.
    return min(low, value), max(high, value)
