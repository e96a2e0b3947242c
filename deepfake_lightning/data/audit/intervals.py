"""Intervals and tests of an AUC whose items come in groups: people, clips and their fakes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from deepfake_lightning.metrics import auroc

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_DRAWS = 1000
_AT_ONCE = 100  # draws, for memory


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
    drawn = _bootstrap(scores, labels, groups, np.random.default_rng(seed))
    low, high = np.quantile(drawn, [0.025, 0.975])
    fakes = int(labels.sum())
    reals = len(labels) - fakes
    se = max(float(drawn.std()), ((len(labels) + 1) / (12 * fakes * reals)) ** 0.5)
    count = len(np.unique(groups))
    p = float(student.sf((auc - against) / se, df=max(count - 1, 1)))
    return Interval(auc, float(low), float(high), p)


def _bootstrap(
    scores: FloatArray, labels: IntArray, groups: IntArray, generator: np.random.Generator
) -> FloatArray:
    """Return the AUC of each draw: one sort, then sums of weights over ties.

    A draw that misses a class has no AUC, and is left out.
    """
    order = np.argsort(scores, kind="stable")
    values, fake = scores[order], labels[order] == 1
    _, group = np.unique(groups[order], return_inverse=True)
    count = int(group.max()) + 1
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    found = []
    for _ in range(_DRAWS // _AT_ONCE):
        times = generator.multinomial(count, np.full(count, 1 / count), _AT_ONCE)
        weight = times[:, group].astype(np.float64)
        tied_fake = np.add.reduceat(weight * fake, starts, axis=1)
        tied_real = np.add.reduceat(weight * ~fake, starts, axis=1)
        below = np.cumsum(tied_real, axis=1) - tied_real / 2
        pairs = tied_fake.sum(axis=1) * tied_real.sum(axis=1)
        there = pairs > 0
        found.append((tied_fake * below).sum(axis=1)[there] / pairs[there])
    return np.concatenate(found)


def holm(p: FloatArray) -> FloatArray:
    """Return p-values adjusted so that all of them together err as often as one (Holm 1979)."""
    order = np.argsort(p)
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
