"""What is known where all groups say the same, so that resampling them shows no spread.

A detector without an error in 50 groups has not been shown to make none. All bounds rest on one
fact: where k independent groups all had one outcome, its probability is at least
(alpha / 2)^(1 / k) (Clopper & Pearson 1934), at one-sided level alpha / 2.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.metrics.checks import BoolArray
from deepfake_lightning.metrics.summary import METRIC_NAMES


def sure(groups: int, level: float = 0.95) -> float:
    """Lower bound of the probability of an outcome that ``groups`` of ``groups`` had, in (0, 1).

    ``level`` is that of a two-sided interval, of which this is one side.
    """
    return math.exp(math.log((1 - level) / 2) / groups)


def between(value: float, share: float) -> tuple[float, float]:
    """Bounds of a mean in [0, 1] that is ``value`` in a ``share`` of groups, anything in others."""
    return value * share, 1 - (1 - value) * share


def informing_groups(
    called: BoolArray, fake: BoolArray, groups: NDArray[np.intp]
) -> dict[str, int]:
    """How many groups each metric is drawn from: those with a sample that it counts.

    Metrics that weigh reals against fakes have as many as the rarer class.
    """

    def having(rows: BoolArray) -> int:
        return len(np.unique(groups[rows]))

    fakes, reals = having(fake), having(~fake)
    found = dict.fromkeys(METRIC_NAMES, min(fakes, reals))
    found |= dict.fromkeys(("accuracy", "log_loss", "brier", "ece"), len(np.unique(groups)))
    found |= {"recall": fakes, "precision": having(called), "f1": having(called | fake)}
    return found


def independent_pairs(fake: BoolArray, groups: NDArray[np.intp]) -> int:
    """How many pairs of a real and a fake share no group: min(with reals, with fakes, G // 2)."""
    fakes, reals = len(np.unique(groups[fake])), len(np.unique(groups[~fake]))
    return min(fakes, reals, len(np.unique(groups)) // 2)


def unanimous_bounds(
    name: str, value: float, groups: int, pairs: int, share_of_fakes: float, level: float
) -> tuple[float, float]:
    """Bounds of a metric that is ``value`` in every resample.

    Args:
        name: of ``METRIC_NAMES``.
        value: of the metric.
        groups: at least 1, of :func:`informing_groups`.
        pairs: at least 1 for auroc, of :func:`independent_pairs`: disjoint pairs that are all
            concordant are a binomial of probability AUROC without a failure.
        share_of_fakes: in (0, 1), for average_precision.
        level: of the two-sided interval.
    """
    if name == "log_loss":  # without an upper end there is nothing to mix in
        return value, value
    if name == "auroc":
        return between(value, sure(pairs, level))
    if name in ("eer", "average_precision"):
        # Scores that separate in the sample have no real above or no fake below the threshold of
        # the equal error rate; either has a chance of at most (1 - eer)^groups, hence half of it.
        share = sure(groups, (1 + level) / 2)
        if name == "average_precision" and value == 1:
            return _least_precision(1 - share, share_of_fakes), 1.0
        return between(value, share)
    if name == "f1":  # 2 J / (1 + J) of the share J of hits among all called fake or fake
        low, high = between(value / (2 - value), sure(groups, level))
        return 2 * low / (1 + low), 2 * high / (1 + high)
    return between(value, sure(groups, level))


def _least_precision(error: float, share_of_fakes: float) -> float:
    """Least average precision of a ROC curve through (error, 1 - error): two levels of FPR."""

    def area(fpr: float, low: float, high: float) -> float:
        # Integral over the recall t of t / (t + fpr * reals per fake).
        odds = fpr * (1 - share_of_fakes) / share_of_fakes
        return high - low - odds * math.log((high + odds) / (low + odds))

    return area(error, 0.0, 1 - error) + area(1.0, 1 - error, 1.0)
