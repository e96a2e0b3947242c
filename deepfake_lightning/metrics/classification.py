"""Metrics of a two-class detector, from numpy arrays.

Conventions, for every function here:

* ``labels`` is an integer array [N]: 0 is real, 1 is fake, and fake is the positive class.
* ``scores`` is a float array [N], higher means more likely fake. Functions that need a scale say
  so in the argument's name: ``logits`` are natural log-odds without bounds, ``probabilities`` lie
  in [0, 1]. float32 is widened to float64 before anything is summed.
* A sample is called fake where its score is at or above the threshold.
* Results are fractions in [0, 1] without a unit unless the function says otherwise. A result the
  data leave undefined is ``None``, never 0 and never NaN.
* Scores that are not finite, labels other than 0 and 1, and arrays of unequal length raise
  :class:`~deepfake_lightning.errors.DataError`.
* The ranking metrics cost one sort, O(N log N), and depend on the order of the scores alone:
  tied scores share one point of the ROC curve, so the order of the rows never matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import DataError, UsageError

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
Float64Array = NDArray[np.float64]

METRIC_NAMES: tuple[str, ...] = (
    "accuracy",
    "precision",
    "recall",
    "f1",
    "auroc",
    "average_precision",
    "eer",
    "tpr_at_fpr_1",
    "log_loss",
)
"""The keys of :func:`summary`, in its order."""


@dataclass(frozen=True)
class Confusion:
    """Counts of samples by true label and decision: ``fp`` is a real sample called fake."""

    tn: int
    fp: int
    fn: int
    tp: int


def sigmoid(logits: FloatArray) -> Float64Array:
    """Probability of fake, 1 / (1 + exp(-logit)); no overflow at any finite logit, 0.5 at 0."""
    z = np.asarray(logits, dtype=np.float64)
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, small) / (1.0 + small)


def check_finite(scores: FloatArray, name: str = "scores") -> Float64Array:
    """The scores as float64 [N], or a ``DataError`` that counts and places what is not finite."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1:
        raise DataError(f"{name} must have one dimension, not the shape {values.shape}")
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        raise DataError(
            f"{wrong.size} of {values.size} {name} are not finite, the first at index {wrong[0]}"
            f" ({values[wrong[0]]})",
            why="a sample without a score has no place in a ranking, and leaving it out"
            " would flatter the model",
            next_step="find out why the model gave no number for it (often training diverged)",
        )
    return values


def check_pairs(
    scores: FloatArray, labels: IntArray, name: str = "scores"
) -> tuple[Float64Array, NDArray[np.bool_]]:
    """Checked scores as float64 [N] and "is fake" as bool [N], or a ``DataError``."""
    values = check_finite(scores, name)
    truth = np.asarray(labels)
    if truth.shape != values.shape:
        raise DataError(f"{values.size} {name} do not match labels of shape {truth.shape}")
    fake = truth == 1
    wrong = np.flatnonzero(~(fake | (truth == 0)))
    if wrong.size:
        raise DataError(
            f"{wrong.size} of {truth.size} labels are neither 0 (real) nor 1 (fake), the first"
            f" at index {wrong[0]} ({truth[wrong[0]]})"
        )
    return values, fake


def check_probabilities(
    probabilities: FloatArray, labels: IntArray
) -> tuple[Float64Array, NDArray[np.bool_]]:
    """:func:`check_pairs`, and a ``DataError`` for a value outside [0, 1]."""
    values, fake = check_pairs(probabilities, labels, "probabilities")
    wrong = np.flatnonzero((values < 0) | (values > 1))
    if wrong.size:
        raise DataError(
            f"{wrong.size} of {values.size} probabilities lie outside [0, 1], the first at index"
            f" {wrong[0]} ({values[wrong[0]]})",
            next_step="pass logits through deepfake_lightning.metrics.sigmoid first",
        )
    return values, fake


def confusion(probabilities: FloatArray, labels: IntArray, threshold: float = 0.5) -> Confusion:
    """Counts of right and wrong decisions "fake if probability >= threshold"; all 0 for N = 0.

    The rule matches the thresholds of :func:`roc_curve`. torchmetrics decides with ``>``, which
    differs only for a probability that equals the threshold.
    """
    if not 0 <= threshold <= 1:
        raise UsageError(f"the threshold {threshold} is not a probability in [0, 1]")
    values, fake = check_probabilities(probabilities, labels)
    called = values >= threshold
    tp = int(np.count_nonzero(called & fake))
    positives, predicted = int(np.count_nonzero(fake)), int(np.count_nonzero(called))
    fp, fn = predicted - tp, positives - tp
    return Confusion(tn=values.size - tp - fp - fn, fp=fp, fn=fn, tp=tp)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def accuracy(counts: Confusion) -> float | None:
    """Share of right decisions, (tp + tn) / N; None for N = 0."""
    right = counts.tp + counts.tn
    return _ratio(right, right + counts.fp + counts.fn)


def precision(counts: Confusion) -> float | None:
    """Share of samples called fake that are, tp / (tp + fp); None where none was called fake."""
    return _ratio(counts.tp, counts.tp + counts.fp)


def recall(counts: Confusion) -> float | None:
    """Share of fakes that were called fake, tp / (tp + fn); None where there is no fake."""
    return _ratio(counts.tp, counts.tp + counts.fn)


def f1(counts: Confusion) -> float | None:
    """Harmonic mean of precision and recall, 2 tp / (2 tp + fp + fn) (van Rijsbergen 1979).

    None where nothing is fake and nothing was called fake. Where fakes exist but none was called
    fake the result is 0, as in scikit-learn, although precision alone is undefined.
    """
    return _ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn)


class _Ranking(NamedTuple):
    """ROC curve as counts: int64 [K + 1] ``fp`` and ``tp`` at K distinct falling thresholds."""

    fp: NDArray[np.int64]
    tp: NDArray[np.int64]
    thresholds: Float64Array

    @property
    def fpr(self) -> Float64Array:
        return self.fp / int(self.fp[-1])

    @property
    def tpr(self) -> Float64Array:
        return self.tp / int(self.tp[-1])


def _rank(scores: FloatArray, labels: IntArray, name: str = "scores") -> _Ranking | None:
    """The one sort behind every ranking metric; None where fewer than two classes are present."""
    values, fake = check_pairs(scores, labels, name)
    positives = int(np.count_nonzero(fake))
    if positives in (0, fake.size):
        return None
    order = np.argsort(values)[::-1]
    values = values[order]
    last_of_tie = np.append(np.flatnonzero(values[1:] != values[:-1]), values.size - 1)
    tp = np.cumsum(fake[order], dtype=np.int64)[last_of_tie]
    fp = last_of_tie + 1 - tp
    return _Ranking(
        fp=np.concatenate(([0], fp)).astype(np.int64, copy=False),
        tp=np.concatenate(([0], tp)).astype(np.int64, copy=False),
        thresholds=np.concatenate(([np.inf], values[last_of_tie])),
    )


def roc_curve(
    scores: FloatArray, labels: IntArray
) -> tuple[Float64Array, Float64Array, Float64Array] | None:
    """Receiver operating characteristic: (fpr, tpr, thresholds), each float64 [K + 1].

    K is the number of distinct scores. Point k is the share of real (fpr) and of fake (tpr)
    samples with score >= thresholds[k]; thresholds fall, and the first is inf, the point (0, 0).
    Same as ``sklearn.metrics.roc_curve(drop_intermediate=False)``. None with one class or N = 0.
    """
    ranking = _rank(scores, labels)
    return None if ranking is None else (ranking.fpr, ranking.tpr, ranking.thresholds)


def _auroc(ranking: _Ranking) -> float:
    # In whole numbers: exact, hence the same under every increasing transform of the scores.
    fp, tp = ranking.fp, ranking.tp
    doubled = int(np.sum(np.diff(fp) * (tp[1:] + tp[:-1])))
    return doubled / (2 * int(fp[-1]) * int(tp[-1]))


def _average_precision(ranking: _Ranking) -> float:
    fp, tp = ranking.fp, ranking.tp
    return float(np.sum(np.diff(tp) * (tp[1:] / (tp[1:] + fp[1:]))) / tp[-1])


def _equal_error_rate(ranking: _Ranking) -> float:
    fpr = ranking.fpr
    # Every point of the curve adds a sample, so the gap rises strictly from -1 to 1.
    gap = fpr + ranking.tpr - 1.0
    after = int(np.argmax(gap >= 0))
    weight = -gap[after - 1] / (gap[after] - gap[after - 1])
    return float(fpr[after - 1] + weight * (fpr[after] - fpr[after - 1]))


def _tpr_at_fpr(ranking: _Ranking, max_fpr: float) -> float:
    return float(ranking.tpr[np.searchsorted(ranking.fpr, max_fpr, side="right") - 1])


def auroc(scores: FloatArray, labels: IntArray) -> float | None:
    """Area under the ROC curve: P(fake scores above real) + P(tie) / 2 (Hanley & McNeil 1982).

    Trapezoids over tied scores, which equals the Mann-Whitney U statistic with midranks and
    ``sklearn.metrics.roc_auc_score``. 0.5 is chance. None with one class or N = 0.
    """
    ranking = _rank(scores, labels)
    return None if ranking is None else _auroc(ranking)


def average_precision(scores: FloatArray, labels: IntArray) -> float | None:
    """Area under the precision-recall steps: sum over thresholds of (R_k - R_k-1) P_k.

    Step-wise as ``sklearn.metrics.average_precision_score``, since lines between points would be
    too hopeful (Davis & Goadrich 2006). Chance is the share of fakes. None with one class (with
    fakes only it would be 1 for every detector) or N = 0.
    """
    ranking = _rank(scores, labels)
    return None if ranking is None else _average_precision(ranking)


def equal_error_rate(scores: FloatArray, labels: IntArray) -> float | None:
    """The error rate where false alarms equal misses, fpr = 1 - tpr; 0.5 is chance.

    The crossing of the ROC curve, straight between its points, with that line; as in the
    evaluations of speech and face anti-spoofing (ASVspoof). None with one class or N = 0.
    """
    ranking = _rank(scores, labels)
    return None if ranking is None else _equal_error_rate(ranking)


def tpr_at_fpr(scores: FloatArray, labels: IntArray, max_fpr: float) -> float | None:
    """Largest share of fakes found at a false-alarm rate of at most ``max_fpr`` (in [0, 1]).

    Takes points of the ROC curve without interpolation, so that a threshold exists that does it.
    With fewer than 1 / max_fpr real samples not one false alarm is allowed. None with one class
    or N = 0.
    """
    if not 0 <= max_fpr <= 1:
        raise UsageError(f"the false-alarm rate {max_fpr} is not in [0, 1]")
    ranking = _rank(scores, labels)
    return None if ranking is None else _tpr_at_fpr(ranking, max_fpr)


def log_loss(logits: FloatArray, labels: IntArray) -> float | None:
    """Mean negative log-likelihood in nats, log(1 + exp(-logit)) for a fake, in [0, inf).

    Taken from the logits, so a sure mistake costs its full logit where a rounded probability
    would give infinity. Same as ``torch.nn.functional.binary_cross_entropy_with_logits``; a
    constant logit of 0 gives ln 2. None for N = 0.
    """
    values, fake = check_pairs(logits, labels, "logits")
    if not values.size:
        return None
    return float(np.mean(np.logaddexp(0.0, np.where(fake, -values, values))))


def summary(
    logits: FloatArray, labels: IntArray, threshold: float = 0.5
) -> dict[str, float | None]:
    """Every metric of :data:`METRIC_NAMES` in that order, with one sort.

    ``threshold`` is a probability and moves accuracy, precision, recall and f1 only. Ranking uses
    the logits, since probabilities round to equal near 0 and 1. ``tpr_at_fpr_1`` allows false
    alarms on 1 % of the real samples. A metric the data leave undefined is None.
    """
    counts = confusion(sigmoid(check_finite(logits, "logits")), labels, threshold)
    ranking = _rank(logits, labels, "logits")
    values = (
        accuracy(counts),
        precision(counts),
        recall(counts),
        f1(counts),
        None if ranking is None else _auroc(ranking),
        None if ranking is None else _average_precision(ranking),
        None if ranking is None else _equal_error_rate(ranking),
        None if ranking is None else _tpr_at_fpr(ranking, 0.01),
        log_loss(logits, labels),
    )
    return dict(zip(METRIC_NAMES, values, strict=True))
