"""Intervals and tests of an AUC whose items come in groups: people, clips and their fakes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from deepfake_lightning.metrics import auroc, holm, summary_draws

__all__ = ["Interval", "grouped_auc", "holm"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_DRAWS = 1000


class Interval(NamedTuple):
    """An AUC with its uncertainty.

    Attributes:
        auc: of all items.
        low, high: 95 % interval, percentiles of the bootstrap.
        p: one-sided, of an AUC no larger than what was tested against.
    """

    auc: float
    low: float
    high: float
    p: float


def grouped_auc(
    scores: FloatArray, labels: IntArray, groups: IntArray, *, against: float, seed: int = 0
) -> Interval:
    """Return an AUC with an interval and a test that take groups as what is drawn, not items.

    Groups are drawn with replacement 1,000 times (the cluster bootstrap; Davison & Hinkley 1997,
    section 3.8). The test is Student's t of (AUC - against) / se with one degree of freedom
    less than there are groups, where se is the larger of the bootstrap's and of the Mann-Whitney
    statistic's without a difference, sqrt((n1 + n0 + 1) / (12 n1 n0)): with few items the
    bootstrap knows no spread of a perfect ranking.

    Args:
        scores: [N], finite.
        labels: [N], 0 and 1, both present.
        groups: [N].
        against: the AUC of the null hypothesis.
        seed: of the draws.
    """
    auc = auroc(scores, labels)
    assert auc is not None
    drawn = summary_draws(scores, labels, groups, draws=_DRAWS, seed=seed, names=("auroc",))
    defined = drawn["auroc"][~np.isnan(drawn["auroc"])]  # a draw may miss a class
    low, high = np.quantile(defined, [0.025, 0.975])
    fakes = int(labels.sum())
    reals = len(labels) - fakes
    se = max(float(defined.std()), ((len(labels) + 1) / (12 * fakes * reals)) ** 0.5)
    count = len(np.unique(groups))
    p = float(stdtr(max(count - 1, 1), (against - auc) / se))
    return Interval(auc, float(low), float(high), p)
