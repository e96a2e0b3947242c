"""Whether two samples are of one distribution, and how far they are apart: numbers and vectors.

Of a large sample any difference is significant, of a small one any difference is large by chance:
each function gives what is needed of both, a p-value and an effect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import DataError
from deepfake_lightning.metrics.checks import Float64Array, FloatArray, check_finite
from deepfake_lightning.metrics.ranking import auroc

_FEWEST = 1e-4  # share of an empty bin, in PSI
_FOLDS = 5


@dataclass(frozen=True)
class Difference:
    """How far two samples are apart.

    Attributes:
        effect: 0 for equal; what it is the function says.
        p: that samples of one distribution are that far apart, 0 to 1.
    """

    effect: float
    p: float


@dataclass(frozen=True)
class Separation:
    """How well a classifier tells two samples apart, of N and M vectors.

    Attributes:
        auc: 0.5 for not at all, to 1; below 0.5 by chance.
        log_odds: float64 [N + M], that a vector is of the second sample, by classifiers that have
            not learnt from it; as if both were equally large.
        direction: float64 [K], of length 1 or 0: where the second sample lies, seen from the first.
    """

    auc: float
    log_odds: Float64Array
    direction: Float64Array


def kolmogorov_smirnov(first: FloatArray, second: FloatArray) -> Difference:
    """Return the largest difference of two distribution functions, 0 to 1, and its p-value.

    The same as ``scipy.stats.ks_2samp(method="asymp")``.

    Args:
        first: float [N], N >= 1.
        second: float [M], M >= 1.

    Raises:
        DataError: values that are not finite, or none.
    """
    from scipy.stats import ks_2samp

    one, other = _sample(first, "first"), _sample(second, "second")
    found = ks_2samp(one, other, method="asymp")
    return Difference(float(found.statistic), float(found.pvalue))


def population_stability(reference: FloatArray, current: FloatArray, *, bins: int = 10) -> float:
    """Return the population stability index, sum of (q - p) ln(q / p) over bins; 0 or more.

    p and q are the shares of reference and current in bins between quantiles of the reference
    (Siddiqi 2006, "Credit Risk Scorecards"; Jeffreys' divergence of the shares). An empty bin has
    a share of 0.0001. It knows no chance: of 10 bins about 9 (1/N + 1/M) are expected where nothing
    has changed.

    Args:
        reference: float [N], N >= 1.
        current: float [M], M >= 1.
        bins: how many.

    Raises:
        DataError: values that are not finite, or none.
    """
    one, other = _sample(reference, "reference"), _sample(current, "current")
    edges = np.unique(np.quantile(one, np.linspace(0, 1, bins + 1)[1:-1]))
    shares = [
        np.bincount(np.searchsorted(edges, each, side="right"), minlength=len(edges) + 1)
        / each.size
        for each in (one, other)
    ]
    p, q = (np.maximum(share, _FEWEST) for share in shares)
    return float(((q - p) * np.log(q / p)).sum())


def maximum_mean_discrepancy(
    first: FloatArray, second: FloatArray, *, permutations: int, seed: int
) -> Difference:
    """Return the unbiased squared MMD of two samples of vectors, and its p-value by permutations.

    Gretton et al. 2012, "A Kernel Two-Sample Test", JMLR 13, equation 3, with the Gaussian kernel
    exp(-d^2 / (2 s^2)) whose s is the median distance of all pairs of the two samples together
    (their section 8). p is (1 + number of permutations with as much or more) / (1 + permutations),
    which never is 0.

    Args:
        first: float [N, K], N >= 2.
        second: float [M, K], M >= 2.
        permutations: how many, 1 or more.
        seed: of them.

    Returns:
        The effect is below 2; by chance it is below 0.

    Raises:
        DataError: values that are not finite, fewer than two vectors, or of other widths.
    """
    from scipy.spatial.distance import pdist, squareform

    both, size = _vectors(first, second)
    squared = pdist(both, "sqeuclidean")
    scale = float(np.median(squared)) or 1.0
    # Half as wide numbers: products of this size take half as long, and sums are of 0 to 1.
    kernel = squareform(np.exp(-squared / (2 * scale)).astype(np.float32))
    inside = np.zeros((permutations + 1, len(both)), np.float32)
    inside[:, :size] = 1
    np.random.default_rng(seed).permuted(inside[1:], axis=1, out=inside[1:])
    found = _mmd(kernel, inside, size)
    as_much = int((found[1:] >= found[0]).sum())
    return Difference(float(found[0]), (1 + as_much) / (1 + permutations))


def _mmd(kernel: NDArray[np.float32], inside: NDArray[np.float32], size: int) -> Float64Array:
    """Unbiased squared MMD of each choice of the first sample, float64 [B].

    Args:
        kernel: [N, N], with zeros on its diagonal.
        inside: [B, N], 1 for those in the first sample.
        size: of that sample.
    """
    other = len(kernel) - size
    rows = kernel.sum(axis=1, dtype=np.float64)
    within = np.einsum("bn,bn->b", inside, inside @ kernel, dtype=np.float64)
    touching = inside @ rows
    outside = rows.sum() - 2 * touching + within
    across = touching - within
    return np.asarray(
        within / (size * (size - 1)) + outside / (other * (other - 1)) - 2 * across / (size * other)
    )


def separation(first: FloatArray, second: FloatArray, *, seed: int) -> Separation:
    """Return how well a linear classifier tells two samples of vectors apart.

    Logistic regression on standardised columns, in 5-fold cross-validation; the AUC is the mean
    over the folds (as a measure of drift: Rabanser et al. 2019, "Failing Loudly", section 3.1).

    Args:
        first: float [N, K], N >= 5.
        second: float [M, K], M >= 5.
        seed: of the folds.

    Raises:
        DataError: values that are not finite, too few vectors, or of other widths.
    """
    # A second of imports, which nobody else of this room needs.
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    both, size = _vectors(first, second, fewest=_FOLDS)
    scale = both.std(axis=0)
    scale[scale == 0] = 1.0
    standard = (both - both.mean(axis=0)) / scale
    of_second = (np.arange(len(both)) >= size).astype(np.int64)
    model = LogisticRegression(class_weight="balanced")
    log_odds, aucs = np.zeros(len(both)), []
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    for learnt, left in folds.split(standard, of_second):
        model.fit(standard[learnt], of_second[learnt])
        log_odds[left] = model.decision_function(standard[left])
        aucs.append(auroc(log_odds[left], of_second[left]) or 0.5)
    model.fit(standard, of_second)
    direction = model.coef_[0] / scale
    length = float(np.linalg.norm(direction))
    return Separation(float(np.mean(aucs)), log_odds, direction / (length or 1.0))


def _sample(values: FloatArray, name: str) -> Float64Array:
    found = check_finite(values, name)
    if not found.size:
        raise DataError(f"there are no {name} values to compare")
    return found


def _vectors(first: FloatArray, second: FloatArray, fewest: int = 2) -> tuple[Float64Array, int]:
    """Both samples, float64 [N + M, K], and N."""
    one, other = (np.asarray(each, np.float64) for each in (first, second))
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1]:
        raise DataError(f"vectors of shape {one.shape} do not compare with such of {other.shape}")
    if min(len(one), len(other)) < fewest:
        raise DataError(f"{len(one)} and {len(other)} vectors are too few: {fewest} each are not")
    both = np.concatenate((one, other))
    if not np.isfinite(both).all():
        raise DataError("a vector to compare is not finite")
    return both, len(one)
