"""Is one detector better than another on the same items? Better, worse, or cannot tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.special import stdtr, stdtrit

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
from deepfake_lightning.metrics.delong import delong, sign_test
from deepfake_lightning.metrics.holm import holm
from deepfake_lightning.metrics.resampling import DRAWS
from deepfake_lightning.metrics.shares import LEAST_GROUPS
from deepfake_lightning.metrics.summary import LOWER_IS_BETTER, summary
from deepfake_lightning.metrics.unanimity import informing_groups

Verdict = Literal["better", "worse", "cannot tell"]

COMPARED: tuple[str, ...] = (
    "auroc",
    "average_precision",
    "eer",
    "tpr_at_fpr_1",
    "balanced_accuracy",
    "log_loss",
    "brier",
)
"""What :func:`compare_summaries` compares unless told otherwise."""


@dataclass(frozen=True)
class PairedDifference:
    """One metric of two detectors on the same items.

    Attributes:
        name: of the metric.
        a, b: values of the two; None where undefined.
        difference: b - a; None where either is undefined.
        low, high: interval of the difference, not adjusted for there being several metrics; None
            where it or the groups do not suffice.
        p: two-sided, of no difference; None as above.
        p_adjusted: by Holm over the metrics that have a p.
        verdict: on b against a, from ``p_adjusted``.
    """

    name: str
    a: float | None
    b: float | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    verdict: Verdict = "cannot tell"


def compare_summaries(
    a: FloatArray,
    b: FloatArray,
    labels: IntArray,
    groups: KeyArray,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
    names: Sequence[str] = COMPARED,
) -> dict[str, PairedDifference]:
    """Metrics of detector b against those of detector a on the same items.

    AUROC by :func:`~deepfake_lightning.metrics.delong.delong` with groups; the others by the
    paired cluster bootstrap of :func:`summary_draws`: difference / its standard error over the
    draws, as Student's t with one degree of freedom less than there are groups that have what the
    metric counts. Interval and p agree: the one leaves out 0 where the other is below 1 - level.
    The training of the two is taken as it is: another seed of one recipe may differ by as much.

    Args:
        a: logits of the first detector, float [N].
        b: logits of the second, float [N].
        labels: integer [N], 0 real and 1 fake.
        groups: [N] whole numbers or strings, what is drawn.
        draws: resamples of the groups.
        seed: of the draws.
        level: of the intervals; verdicts err in at most 1 - level of comparisons, all metrics
            together.
        names: of ``METRIC_NAMES``.

    Returns:
        A :class:`PairedDifference` by name, in the order of ``names``. Fewer than five groups
        leave it at the difference.
    """
    check_share(level, "the level of an interval")
    scores = np.stack([check_pairs(one, labels, "logits")[0] for one in (a, b)])
    fake, number = np.asarray(labels) == 1, check_groups(groups, np.size(labels))
    resampled = [name for name in names if name != "auroc"]
    drawn = summary_draws(scores, labels, number, draws=draws, seed=seed, names=resampled)
    values = [summary(one, labels) for one in scores]
    informing = [informing_groups(one >= 0, fake, number) for one in scores]
    found = {}
    for name in names:
        one = PairedDifference(name, values[0][name], values[1][name])
        if one.a is not None and one.b is not None:
            one = replace(one, difference=one.b - one.a)
            count = min(of[name] for of in informing)
            if count >= LEAST_GROUPS:
                test = (
                    _of_auroc(scores, labels, number, level)
                    if name == "auroc"
                    else _of_draws(one, scores, drawn[name], count, level)
                )
                one = replace(one, low=test[0], high=test[1], p=test[2])
        found[name] = one
    return _with_verdicts(found, 1 - level)


_Test = tuple[float | None, float | None, float | None]  # low, high, p


def _of_auroc(scores: Float64Array, labels: IntArray, groups: KeyArray, level: float) -> _Test:
    found = delong(scores[0], scores[1], labels, groups, level=level)
    return found.low, found.high, found.p


def _of_draws(
    one: PairedDifference, scores: Float64Array, drawn: Float64Array, groups: int, level: float
) -> _Test:
    """Student's t of a difference by the spread of its draws [2, D]."""
    assert one.difference is not None
    if np.array_equal(scores[0], scores[1]):
        return 0.0, 0.0, 1.0
    spread = drawn[1] - drawn[0]
    spread = spread[~np.isnan(spread)]
    if spread.size < 2:
        return None, None, None
    if np.ptp(spread) < 1e-12:
        low, high, p = sign_test(one.difference, groups, level)
        # A loss has no bounds that a difference could lie between.
        return (low, high, p) if one.name != "log_loss" else (one.difference, one.difference, p)
    # The variance of resamples of G groups is (G - 1) / G of what it stands for.
    error = float(spread.std(ddof=1)) * float(np.sqrt(groups / (groups - 1)))
    reach = error * float(stdtrit(groups - 1, (1 + level) / 2))
    p = float(2 * stdtr(groups - 1, -abs(one.difference) / error))
    return one.difference - reach, one.difference + reach, p


def _with_verdicts(found: dict[str, PairedDifference], alpha: float) -> dict[str, PairedDifference]:
    tested = {name: one.p for name, one in found.items() if one.p is not None}
    adjusted = holm(np.array(list(tested.values()), dtype=np.float64))
    for name, p in zip(tested, adjusted.tolist(), strict=True):
        one = found[name]
        verdict: Verdict = "cannot tell"
        if p < alpha and one.difference:
            more = one.difference > 0
            verdict = "better" if more != (name in LOWER_IS_BETTER) else "worse"
        found[name] = replace(one, p_adjusted=p, verdict=verdict)
    return found
