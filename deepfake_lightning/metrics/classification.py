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
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfake_lightning.errors import UsageError
from deepfake_lightning.metrics.checks import (
    BoolArray,
    Float64Array,
    FloatArray,
    IntArray,
    check_finite,
    check_pairs,
    check_probabilities,
    sigmoid,
)
from deepfake_lightning.metrics.ranking import (
    auroc,
    average_precision,
    equal_error_rate,
    roc_curve,
    tpr_at_fpr,
)

__all__ = [
    "Confusion",
    "Float64Array",
    "FloatArray",
    "IntArray",
    "accuracy",
    "auroc",
    "average_precision",
    "balanced_accuracy",
    "check_finite",
    "check_pairs",
    "check_probabilities",
    "confusion",
    "count",
    "equal_error_rate",
    "f1",
    "log_loss",
    "precision",
    "recall",
    "roc_curve",
    "sigmoid",
    "tpr_at_fpr",
]


@dataclass(frozen=True)
class Confusion:
    """Counts of samples by true label and decision: ``fp`` is a real sample called fake."""

    tn: int
    fp: int
    fn: int
    tp: int


def confusion(probabilities: FloatArray, labels: IntArray, threshold: float = 0.5) -> Confusion:
    """Counts of right and wrong decisions "fake if probability >= threshold"; all 0 for N = 0.

    The rule matches the thresholds of :func:`roc_curve`. torchmetrics decides with ``>``, which
    differs only for a probability that equals the threshold.
    """
    if not 0 <= threshold <= 1:
        raise UsageError(f"the threshold {threshold} is not a probability in [0, 1]")
    values, fake = check_probabilities(probabilities, labels)
    return count(values >= threshold, fake)


def count(called: BoolArray, fake: BoolArray) -> Confusion:
    """Counts of decisions, bool [N], against the truth, bool [N]."""
    tp = int(np.count_nonzero(called & fake))
    positives, predicted = int(np.count_nonzero(fake)), int(np.count_nonzero(called))
    fp, fn = predicted - tp, positives - tp
    return Confusion(tn=fake.size - tp - fp - fn, fp=fp, fn=fn, tp=tp)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def accuracy(counts: Confusion) -> float | None:
    """Share of right decisions, (tp + tn) / N; None for N = 0."""
    right = counts.tp + counts.tn
    return _ratio(right, right + counts.fp + counts.fn)


def balanced_accuracy(counts: Confusion) -> float | None:
    """Mean of the shares of fakes and of reals that were told right (Brodersen et al. 2010).

    (tp / (tp + fn) + tn / (tn + fp)) / 2, the same as ``sklearn.metrics.balanced_accuracy_score``;
    0.5 is chance, whatever the share of fakes. None with one class or N = 0.
    """
    fakes, reals = (
        _ratio(counts.tp, counts.tp + counts.fn),
        _ratio(counts.tn, counts.tn + counts.fp),
    )
    return None if fakes is None or reals is None else (fakes + reals) / 2


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
