"""Operating thresholds with a guarantee, and what they mean in the field.

An item is called fake where score >= threshold. A threshold lies just above a score that was seen
(``numpy.nextafter``), so that this score itself is not called fake: compare in float64, since
float32 would round the gap away. Every guarantee takes the calibration scores and the new one to
be exchangeable: independent items from one source, so one item per identity group, not frames.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Literal

import numpy as np
from scipy.special import bdtr

from deepfake_lightning.errors import DataError, UsageError
from deepfake_lightning.metrics.checks import FloatArray, check_finite, check_share

Guarantee = Literal["marginal", "confidence"]


def conformal_threshold(real_scores: FloatArray, max_fpr: float) -> float:
    """Threshold at which a new real item is called fake with a probability of at most ``max_fpr``.

    Just above the ceil((n + 1)(1 - max_fpr))-th smallest score (split conformal prediction: Vovk
    et al. 2005; Papadopoulos et al. 2002). The probability is over the calibration items and the
    new one together: a single threshold may do worse, half of them about do.

    Args:
        real_scores: float [n], of real items that nothing was trained or chosen on.
        max_fpr: alpha, in (0, 1).

    Raises:
        DataError: n is below 1 / alpha - 1; 0.1 % needs 999.
    """
    scores = _enough(real_scores, "real", max_fpr, "marginal")
    return float(np.nextafter(scores[scores.size - _allowed(scores.size, max_fpr)], np.inf))


def confident_threshold(real_scores: FloatArray, max_fpr: float, confidence: float = 0.95) -> float:
    """Threshold whose own false-positive rate is at most ``max_fpr`` with that ``confidence``.

    The confidence is over the calibration items. Just above the (n - k)-th smallest score, with
    the largest k that P(Binomial(n, max_fpr) <= k) <= 1 - confidence holds for: the exact
    (Clopper-Pearson) tolerance bound of order statistics (Wilks 1941), safe with ties.

    Args:
        real_scores: float [n], of real items that nothing was trained or chosen on.
        max_fpr: alpha, in (0, 1).
        confidence: in (0, 1).

    Raises:
        DataError: n is below log(1 - confidence) / log(1 - alpha); 1 % at 95 % needs 299.
    """
    check_share(confidence, "the confidence")
    scores = _enough(real_scores, "real", max_fpr, "confidence", confidence)
    at_most = np.arange(math.floor(scores.size * max_fpr) + 1)
    holds = bdtr(at_most, scores.size, max_fpr) <= _risk(confidence)
    above = max(int(np.count_nonzero(holds)) - 1, 0)
    return float(np.nextafter(scores[scores.size - 1 - above], np.inf))


def conformal_floor(fake_scores: FloatArray, max_miss: float) -> float:
    """Floor below which a new fake item scores with a probability of at most ``max_miss``.

    The mirror image of :func:`conformal_threshold` for the lower end of the band in which nothing
    is decided: an item is clear where score < floor. The floor is the k-th smallest score with
    k = floor((n + 1) max_miss).

    Args:
        fake_scores: float [n], of fake items that nothing was trained or chosen on.
        max_miss: alpha, in (0, 1).

    Raises:
        DataError: n is below 1 / alpha - 1.
    """
    scores = _enough(fake_scores, "fake", max_miss, "marginal")
    return float(scores[_allowed(scores.size, max_miss) - 1])


def items_needed(max_fpr: float, guarantee: Guarantee, confidence: float = 0.95) -> int:
    """Fewest items that a threshold for ``max_fpr`` can be taken from.

    Args:
        max_fpr: alpha, in (0, 1); for a floor, ``max_miss``.
        guarantee: 'marginal' for :func:`conformal_threshold` and :func:`conformal_floor`,
            ceil(1 / alpha - 1); 'confidence' for :func:`confident_threshold`,
            ceil(log(1 - confidence) / log(1 - alpha)).
        confidence: of the latter, in (0, 1).
    """
    check_share(max_fpr, "the rate to stay below")
    check_share(confidence, "the confidence")
    if guarantee == "marginal":
        return math.ceil(1 / _exact(max_fpr)) - 1
    if guarantee != "confidence":
        raise UsageError(f"there is no guarantee {guarantee!r}", next_step="marginal or confidence")
    count = max(1, round(math.log1p(-confidence) / math.log1p(-max_fpr)) - 1)
    while (1 - max_fpr) ** count > _risk(confidence):
        count += 1
    return count


def expected_precision(tpr: float, fpr: float, prevalence: float) -> float | None:
    """Share of items called fake that are fake, where ``prevalence`` of all are (Bayes).

    tpr p / (tpr p + fpr (1 - p)), all in [0, 1]. None where nothing is ever called fake.
    """
    for name, value in (("tpr", tpr), ("fpr", fpr), ("prevalence", prevalence)):
        if not 0 <= value <= 1:
            raise UsageError(f"{name} is {value}, which is not in [0, 1]")
    called = tpr * prevalence + fpr * (1 - prevalence)
    return tpr * prevalence / called if called > 0 else None


def _exact(rate: float) -> Fraction:
    """The decimal that was meant: 0.1 is 1/10, and so is 1 - 0.9."""
    return Fraction(rate).limit_denominator(10**9) or Fraction(rate)


def _allowed(count: int, rate: float) -> int:
    """How many of ``count`` + 1 exchangeable items may lie on the wrong side."""
    return math.floor((count + 1) * _exact(rate))


def _risk(confidence: float) -> float:
    # 1 - 0.9 is a little less than 0.1 in binary, which must not cost an item.
    return (1 - confidence) * (1 + 1e-12)


def _enough(
    scores: FloatArray, what: str, rate: float, guarantee: Guarantee, confidence: float = 0.95
) -> FloatArray:
    """The scores in rising order, or a ``DataError`` where they are too few."""
    needed = items_needed(rate, guarantee, confidence)
    values = np.sort(check_finite(scores, f"{what} scores"))
    if values.size < needed:
        sure = f" at {confidence:.10g} confidence" if guarantee == "confidence" else ""
        raise DataError(
            f"a rate of {rate:.10g}{sure} needs at least {needed:,} {what} items to calibrate on,"
            f" and there are {values.size:,}",
            why="with fewer, no threshold among the scores seen can promise it",
            next_step=f"calibrate on more {what} items, or allow a higher rate",
        )
    return values
