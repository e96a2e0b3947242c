"""Metrics of a sample whose items were drawn with chances of their own, weighted back.

An item that was drawn with a chance of 1 in 20 stands for 20. All figures are ratios of weighted
sums (Hajek's estimators), their variances those of linearised ratios under Poisson sampling
(Saerndal, Swensson & Wretman 1992, "Model Assisted Survey Sampling", sections 3.5 and 5.5 to 5.8):
an item's residual is ``w (y - R x) / sum(w x)``. The factor of a finite population is left out, so
that intervals speak of what brings the items forth, not of these alone. The variance of AUROC is
that of DeLong et al. (1988) with weights: its residuals are the placements less the area. Fakes
that score low are drawn seldom and weigh most; where none has been drawn yet the residuals know
nothing of them, and intervals of AUROC held the truth in 79 to 96 % of simulations. So one more
item of each class is reckoned with, of the largest weight, whose placement is nearer to chance by
``_UNSEEN`` of the way. That was found by simulation (then 90 % and more), and makes no difference
where weights are alike.

Balanced accuracy has the interval that those of recall and of fpr make (:func:`balanced`).

Real is False, fake is True; what the data leave undefined is None.
"""

from __future__ import annotations

import numpy as np

from deepfake_lightning.errors import DataError
from deepfake_lightning.metrics.checks import BoolArray, Float64Array
from deepfake_lightning.metrics.gaps import share_gap
from deepfake_lightning.metrics.shares import SAME, Interval, share_ends
from deepfake_lightning.metrics.unanimity import between, sure

_UNSEEN = 0.25
UNDEFINED = Interval(None, None, None)


def effective_size(weights: Float64Array) -> float:
    """How many items of equal weight would tell as much: sum(w)^2 / sum(w^2) (Kish 1965).

    Args:
        weights: float64 [N], above 0.
    """
    return float(weights.sum() ** 2 / np.square(weights).sum()) if weights.size else 0.0


def weighted_quality(
    called: BoolArray, fake: BoolArray, weights: Float64Array, *, level: float = 0.95
) -> dict[str, Interval]:
    """Accuracy, balanced accuracy, precision, recall, fpr and F1 of decisions.

    Args:
        called: bool [N], called fake.
        fake: bool [N], is fake.
        weights: float64 [N], above 0: one over the chance to be drawn.
        level: of the intervals.

    Returns:
        By name. Undefined: recall without fakes, fpr without reals, balanced accuracy without
        either, precision where nothing is called fake, F1 where nothing is or is called fake.

    Raises:
        DataError: arrays that do not go together.
    """
    _check(weights, called, fake)
    every = np.ones(len(weights), np.bool_)
    hit = called & fake
    found = {
        "accuracy": _ratio(called == fake, every, weights),
        "precision": _ratio(hit, called, weights),
        "recall": _ratio(hit, fake, weights),
        "fpr": _ratio(called & ~fake, ~fake, weights),
        "f1": _ratio(_number(hit) * 2, _number(called) + _number(fake), weights),
    }
    intervals = {name: _interval(one, weights, level) for name, one in found.items()}
    # Residuals of a class whose share is 0 or 1 are 0, while its own interval is not.
    return {**intervals, "balanced_accuracy": balanced(intervals["recall"], intervals["fpr"])}


def balanced(recall: Interval, fpr: Interval) -> Interval:
    """Balanced accuracy, (1 + recall - fpr) / 2, with the interval that those of both make.

    Args:
        recall: share of the fakes that are called fake.
        fpr: share of the reals, of other items.

    Returns:
        In [0, 1], by :func:`~deepfake_lightning.metrics.share_gap`: undefined where either is.
    """
    gap = share_gap(recall, fpr)
    ends = (None if end is None else (1 + end) / 2 for end in (gap.value, gap.low, gap.high))
    return Interval(*ends)


def weighted_share(hits: BoolArray, weights: Float64Array, *, level: float = 0.95) -> Interval:
    """Share of items that are hits; undefined for N = 0.

    Args:
        hits: bool [N].
        weights: float64 [N], above 0.
        level: of the interval.

    Raises:
        DataError: arrays that do not go together.
    """
    _check(weights, hits)
    return _interval(_ratio(hits, np.ones(len(hits), np.bool_), weights), weights, level)


def weighted_auroc(
    scores: Float64Array, fake: BoolArray, weights: Float64Array, *, level: float = 0.95
) -> Interval:
    """Area under the ROC curve: P(a fake scores above a real one) + P(tie) / 2.

    Args:
        scores: float64 [N], higher means fake.
        fake: bool [N].
        weights: float64 [N], above 0.
        level: of the interval.

    Returns:
        As ``sklearn.metrics.roc_auc_score`` with ``sample_weight``; undefined with one class.

    Raises:
        DataError: arrays that do not go together.
    """
    _check(weights, scores, fake)
    if not fake.any() or fake.all():
        return UNDEFINED
    above = _placements(scores[fake], scores[~fake], weights[~fake])
    below = 1 - _placements(scores[~fake], scores[fake], weights[fake])
    of_fakes = weights[fake] / weights[fake].sum()
    of_reals = weights[~fake] / weights[~fake].sum()
    value = float(of_fakes @ above)
    residuals = np.empty(len(scores))
    residuals[fake] = of_fakes * (above - value)
    residuals[~fake] = of_reals * (below - value)
    heaviest = weights.max() / np.array([weights[fake].sum(), weights[~fake].sum()])
    residuals = np.append(residuals, _UNSEEN * (value - 0.5) * heaviest)
    rarer = fake if fake.sum() < len(fake) / 2 else ~fake
    return _interval(_Linear(value, residuals, rarer), weights, level)


class _Linear:
    """A ratio: its value, float64 residuals, and bool [N] which items tell of it."""

    def __init__(self, value: float, residuals: Float64Array, informing: BoolArray) -> None:
        self.value, self.residuals, self.informing = value, residuals, informing


def _ratio(
    y: BoolArray | Float64Array, x: BoolArray | Float64Array, weights: Float64Array
) -> _Linear | None:
    whole = float(weights @ x)
    if whole == 0:
        return None
    value = float(weights @ y) / whole
    return _Linear(value, weights * (y - value * x) / whole, np.asarray(x > 0))


def _number(flags: BoolArray) -> Float64Array:
    return flags.astype(np.float64)


def _interval(found: _Linear | None, weights: Float64Array, level: float) -> Interval:
    if found is None:
        return UNDEFINED
    value = min(max(found.value, 0.0), 1.0)
    items = int(found.informing.sum())
    error = float(np.sqrt(np.square(found.residuals).sum()))
    if error < SAME or value in (0.0, 1.0):  # nothing has been seen to differ
        told = max(1, int(effective_size(weights[found.informing])))
        return Interval(value, *between(value, sure(told, level)))
    return Interval(value, *share_ends(value, error, max(items, 2), level))


def _placements(of: Float64Array, among: Float64Array, weights: Float64Array) -> Float64Array:
    """Weighted share of ``among`` that is below each of ``of``; ties count half."""
    order = np.argsort(among, kind="stable")
    reached = np.concatenate(([0.0], np.cumsum(weights[order])))
    under, upto = (np.searchsorted(among[order], of, side=side) for side in ("left", "right"))
    return np.asarray((reached[under] + reached[upto]) / (2 * reached[-1]))


def _check(weights: Float64Array, *others: BoolArray | Float64Array) -> None:
    if weights.ndim != 1 or any(one.shape != weights.shape for one in others):
        shapes = ", ".join(str(one.shape) for one in (*others, weights))
        raise DataError(f"arrays that go together have one length, not {shapes}")
    if not (np.isfinite(weights).all() and (weights > 0).all()):
        raise DataError("a weight is one over a chance: above 0, and finite")
