"""Metrics of the order of the scores: the area under the ROC curve and points of it.

They cost one sort, O(N log N), and depend on the order of the scores alone: tied scores share one
point of the ROC curve, so the order of the rows never matters. ``scores``, ``labels``, ``None``
and errors are as in :mod:`~deepfake_lightning.metrics.classification`. The functions of a
:class:`Ranking` serve one curve and stacks of curves alike, which is what a bootstrap needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import UsageError
from deepfake_lightning.metrics.checks import (
    BoolArray,
    Float64Array,
    FloatArray,
    IntArray,
    check_pairs,
)


class Ranking(NamedTuple):
    """ROC curves as counts, float64 [..., K + 1]: real and fake samples at or above a threshold.

    The counts are whole numbers that start at 0 and never fall; the last is the number of all,
    and must not be 0. In float64 their products are exact up to 2^53, which takes 60 million
    samples of each class.
    """

    fp: Float64Array
    tp: Float64Array

    @property
    def fpr(self) -> Float64Array:
        """Share of the real samples, in [0, 1]."""
        return self.fp / self.fp[..., -1:]

    @property
    def tpr(self) -> Float64Array:
        """Share of the fake samples, in [0, 1]."""
        return self.tp / self.tp[..., -1:]

    def at(self, index: NDArray[np.intp]) -> tuple[Float64Array, Float64Array]:
        """(fpr, tpr) of one point of each curve; index [...]."""
        fp, tp = (np.take_along_axis(n, index[..., None], -1)[..., 0] for n in self)
        return fp / self.fp[..., -1], tp / self.tp[..., -1]

    def first(self, reached: Callable[[Float64Array, Float64Array], BoolArray]) -> NDArray[np.intp]:
        """First point of each curve that ``reached`` (fpr, tpr) holds from; K + 1 where none.

        Halving, since most points need not be looked at.
        """
        low = np.zeros(self.fp.shape[:-1], np.intp)
        high = np.full_like(low, self.fp.shape[-1])
        while (low < high).any():
            middle = (low + high) // 2
            # Curves that are done ask for a point that may lie beyond the end.
            there = reached(*self.at(np.minimum(middle, self.fp.shape[-1] - 1)))
            there |= low == high
            high = np.where(there, middle, high)
            low = np.where(there, low, middle + 1)
        return low


def falling(values: Float64Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows by falling score [N >= 1], and the last place [K] of each distinct score in them."""
    order = np.argsort(values)[::-1]
    ordered = values[order]
    return order, np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), values.size - 1)


def rank(scores: FloatArray, labels: IntArray, name: str = "scores") -> Ranking | None:
    """The curve of all samples; None where fewer than two classes are present."""
    values, fake = check_pairs(scores, labels, name)
    if np.count_nonzero(fake) in (0, fake.size):
        return None
    order, last = falling(values)
    tp = np.concatenate(([0.0], np.cumsum(fake[order], dtype=np.float64)[last]))
    return Ranking(np.append(0, last + 1) - tp, tp)


def area(ranking: Ranking) -> Float64Array:
    """AUROC of each curve, float64 [...]."""
    fp, tp = ranking
    # In whole numbers: exact, hence the same under every increasing transform of the scores.
    # einsum, not dot: without the threads of a BLAS, of which a bootstrap has its own.
    doubled = np.einsum("...k,...k->...", np.diff(fp), tp[..., 1:] + tp[..., :-1])
    return np.asarray(doubled / (2 * fp[..., -1] * tp[..., -1]))


def precision_area(ranking: Ranking) -> Float64Array:
    """Average precision of each curve, float64 [...]."""
    fp, tp = ranking
    share = tp[..., 1:] + fp[..., 1:]
    # No sample at all lies above the first points of a resample that has drawn none of them.
    np.maximum(share, 1, out=share)
    np.divide(tp[..., 1:], share, out=share)
    share *= np.diff(tp)
    return np.asarray(share.sum(axis=-1) / tp[..., -1])


def crossing(ranking: Ranking) -> Float64Array:
    """Equal error rate of each curve, float64 [...]."""
    after = ranking.first(lambda fpr, tpr: fpr + tpr - 1.0 >= 0)
    (fpr, tpr), (low_fpr, low_tpr) = ranking.at(after), ranking.at(after - 1)
    below = low_fpr + low_tpr - 1.0  # < 0, and never the gap beyond it
    weight = -below / (fpr + tpr - 1.0 - below)
    return np.asarray(low_fpr + weight * (fpr - low_fpr))


def highest_tpr(ranking: Ranking, max_fpr: float) -> Float64Array:
    """Largest TPR of each curve at an FPR of at most ``max_fpr``, float64 [...]."""
    return ranking.at(ranking.first(lambda fpr, _: fpr > max_fpr) - 1)[1]


def roc_curve(
    scores: FloatArray, labels: IntArray
) -> tuple[Float64Array, Float64Array, Float64Array] | None:
    """Receiver operating characteristic: (fpr, tpr, thresholds), each float64 [K + 1].

    K is the number of distinct scores. Point k is the share of real (fpr) and of fake (tpr)
    samples with score >= thresholds[k]; thresholds fall, and the first is inf, the point (0, 0).
    Same as ``sklearn.metrics.roc_curve(drop_intermediate=False)``. None with one class or N = 0.
    """
    ranking = rank(scores, labels)
    if ranking is None:
        return None
    thresholds = np.unique(np.asarray(scores, dtype=np.float64))[::-1]
    return ranking.fpr, ranking.tpr, np.append(np.inf, thresholds)


def auroc(scores: FloatArray, labels: IntArray) -> float | None:
    """Area under the ROC curve: P(fake scores above real) + P(tie) / 2 (Hanley & McNeil 1982).

    Trapezoids over tied scores, which equals the Mann-Whitney U statistic with midranks and
    ``sklearn.metrics.roc_auc_score``. 0.5 is chance. None with one class or N = 0.
    """
    ranking = rank(scores, labels)
    return None if ranking is None else float(area(ranking))


def average_precision(scores: FloatArray, labels: IntArray) -> float | None:
    """Area under the precision-recall steps: sum over thresholds of (R_k - R_k-1) P_k.

    Step-wise as ``sklearn.metrics.average_precision_score``, since lines between points would be
    too hopeful (Davis & Goadrich 2006). Chance is the share of fakes. None with one class (with
    fakes only it would be 1 for every detector) or N = 0.
    """
    ranking = rank(scores, labels)
    return None if ranking is None else float(precision_area(ranking))


def equal_error_rate(scores: FloatArray, labels: IntArray) -> float | None:
    """The error rate where false alarms equal misses, fpr = 1 - tpr; 0.5 is chance.

    The crossing of the ROC curve, straight between its points, with that line; as in the
    evaluations of speech and face anti-spoofing (ASVspoof). None with one class or N = 0.
    """
    ranking = rank(scores, labels)
    return None if ranking is None else float(crossing(ranking))


def tpr_at_fpr(scores: FloatArray, labels: IntArray, max_fpr: float) -> float | None:
    """Largest share of fakes found at a false-alarm rate of at most ``max_fpr`` (in [0, 1]).

    Takes points of the ROC curve without interpolation, so that a threshold exists that does it.
    With fewer than 1 / max_fpr real samples not one false alarm is allowed. None with one class
    or N = 0.
    """
    if not 0 <= max_fpr <= 1:
        raise UsageError(f"the false-alarm rate {max_fpr} is not in [0, 1]")
    ranking = rank(scores, labels)
    return None if ranking is None else float(highest_tpr(ranking, max_fpr))
