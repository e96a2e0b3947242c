"""Two detectors' AUROC on the same items, compared without resampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit  # scipy.stats takes every command half a second

from deepfake_lightning.metrics.aggregation import KeyArray
from deepfake_lightning.metrics.checks import (
    BoolArray,
    Float64Array,
    FloatArray,
    IntArray,
    check_groups,
    check_pairs,
    check_share,
)
from deepfake_lightning.metrics.ranking import auroc
from deepfake_lightning.metrics.unanimity import independent_pairs, sure


@dataclass(frozen=True)
class PairedAUC:
    """AUROC of two detectors and the test of their difference.

    Attributes:
        auc_a, auc_b: in [0, 1]; None with one class or N = 0, and so are all others.
        difference: auc_b - auc_a.
        standard_error: of the difference; None, with those below, where fewer than two groups
            have reals or fakes.
        low, high: interval of the difference.
        p: two-sided, of no difference.
    """

    auc_a: float | None
    auc_b: float | None
    difference: float | None
    standard_error: float | None
    low: float | None
    high: float | None
    p: float | None


def delong(
    a: FloatArray,
    b: FloatArray,
    labels: IntArray,
    groups: KeyArray | None = None,
    *,
    level: float = 0.95,
) -> PairedAUC:
    """Paired test of two AUROCs by their structural components, in O(N log N).

    The components are those of DeLong et al. (1988) by midranks (Sun & Xu 2014). With groups their
    variance is that of Obuchowski (1997) for clustered data, which is DeLong's where each item is
    its own group, and the test is Student's t with one degree of freedom less than there are
    groups; without groups it is the normal one.

    Where the components show no spread the interval and p are those of sign tests on disjoint
    pairs: rankings that all pairs agree on say no more than that.

    Args:
        a: scores of the first detector, float [N].
        b: scores of the second, float [N].
        labels: integer [N], 0 real and 1 fake.
        groups: [N] whole numbers or strings; each item on its own if left out.
        level: of the interval.
    """
    check_share(level, "the level of an interval")
    scores, fake = [check_pairs(one, labels)[0] for one in (a, b)], check_pairs(a, labels)[1]
    own = groups is None
    number = np.arange(fake.size) if groups is None else check_groups(groups, fake.size)
    first, second = (auroc(one, labels) for one in scores)
    if first is None or second is None:
        return PairedAUC(first, second, None, None, None, None, None)
    (reals_a, fakes_a), (reals_b, fakes_b) = (structural_components(one, fake) for one in scores)
    difference = second - first
    variance = _clustered_variance(
        fakes_b - fakes_a - difference, reals_b - reals_a - difference, fake, number
    )
    if variance is None:
        return PairedAUC(first, second, difference, None, None, None, None)
    error = float(np.sqrt(variance))
    if error < 1e-12:
        same = np.array_equal(scores[0], scores[1])
        pairs = max(independent_pairs(fake, number), 1)
        low, high, p = (0.0, 0.0, 1.0) if same else sign_test(difference, pairs, level)
        return PairedAUC(first, second, difference, 0.0, low, high, p)
    freedom = np.inf if own else len(np.unique(number)) - 1  # infinite: the normal distribution
    reach = error * float(stdtrit(freedom, (1 + level) / 2))
    p = float(2 * stdtr(freedom, -abs(difference) / error))
    low, high = max(difference - reach, -1.0), min(difference + reach, 1.0)
    return PairedAUC(first, second, difference, error, low, high, p)


def sign_test(difference: float, count: int, level: float) -> tuple[float, float, float]:
    """(low, high, p) of a difference in [-1, 1] that all of ``count`` independent ones agree on."""
    share = sure(count, level)
    low, high = difference * share - (1 - share), difference * share + (1 - share)
    p = 1.0 if abs(difference) < 1e-12 else min(1.0, 2.0 ** (1 - count))
    return max(low, -1.0), min(high, 1.0), p


def structural_components(
    values: Float64Array, fake: BoolArray
) -> tuple[Float64Array, Float64Array]:
    """Share of fakes above each real [reals], and of reals below each fake [fakes]; ties half."""
    from scipy.stats import rankdata

    reals, fakes = values[~fake], values[fake]
    ranks = rankdata(values)
    of_reals = 1 - (ranks[~fake] - rankdata(reals)) / fakes.size
    return of_reals, (ranks[fake] - rankdata(fakes)) / reals.size


def _clustered_variance(
    of_fakes: Float64Array, of_reals: Float64Array, fake: BoolArray, groups: NDArray[np.intp]
) -> float | None:
    """Variance of the mean of centred components (Obuchowski 1997, equations 2-5).

    None where a class has fewer than two groups. The terms have factors of their own, so that
    their sum may come out below 0, and then is 0.
    """
    count = int(groups.max()) + 1
    sizes = [np.count_nonzero(np.bincount(groups[rows], minlength=count)) for rows in (fake, ~fake)]
    if min(sizes) < 2:
        return None
    sums = [
        np.bincount(groups[rows], weights=values, minlength=count) / values.size
        for rows, values in ((fake, of_fakes), (~fake, of_reals))
    ]
    alone = sum(n / (n - 1) * float(one @ one) for n, one in zip(sizes, sums, strict=True))
    return max(0.0, alone + 2 * count / (count - 1) * float(sums[0] @ sums[1]))
