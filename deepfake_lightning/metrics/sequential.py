"""Differences that may be looked at as often as one likes: p-values and intervals for any time.

A test that is looked at again and again until it says yes says yes sooner or later. The mixture
sequential probability ratio test does not: its p-value and interval hold at all looks together, so
also at the one at which somebody stops (Johari, Pekelis & Walsh 2015, "Always Valid Inference").
With the variance estimated it is the asymptotic confidence sequence of Waudby-Smith et al. (2024,
"Time-uniform central limit theory"): it holds from some observations on, for the mean of anything
bounded, and for what is asymptotically such a mean, as the class-balanced difference here is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from deepfake_lightning.errors import DataError, UsageError
from deepfake_lightning.metrics.checks import (
    BoolArray,
    Float64Array,
    FloatArray,
    IntArray,
    check_finite,
    check_share,
)

_SMALLEST = 1e-300


@dataclass(frozen=True, eq=False)
class Looks:
    """A difference as it was estimated at K looks, one after each observation.

    Attributes:
        difference: float64 [K], the estimates.
        variance: float64 [K], of each estimate, above 0.
        at: intp [K], the observation, counted from 0, after which the look was.
    """

    difference: Float64Array
    variance: Float64Array
    at: IntArray


@dataclass(frozen=True)
class AnytimeTest:
    """What all looks together say of a difference.

    Attributes:
        difference: the last estimate; None, with all others but ``p``, without a look.
        standard_error: of it.
        low, high: interval of the difference, of which all looks are sure: each look's interval
            holds, so their intersection does. Where ``low`` exceeds ``high`` two looks contradict
            each other: the difference changed over time.
        p: two-sided, of no difference; the smallest of all looks, 1 without any.
        decided_at: the observation after which p was at most alpha first; None: never.
    """

    difference: float | None
    standard_error: float | None
    low: float | None
    high: float | None
    p: float
    decided_at: int | None

    @property
    def contradicts(self) -> bool:
        """Whether intervals of two looks have nothing in common."""
        return self.low is not None and self.high is not None and self.low > self.high


def two_sample_looks(
    values: FloatArray,
    second: BoolArray,
    strata: IntArray,
    *,
    number: int = 1,
    bounds: tuple[float, float] = (0.0, 1.0),
    least: int = 30,
) -> Looks:
    """Estimate how much higher the second sample is, after each observation.

    The difference is the mean over strata of the differences within them: classes count the same
    however many of each there are. Its variance is the sum of the cells' variances over their
    counts. To each cell half an observation is added at either bound, for the variance alone, so
    that twenty right answers in a row do not make one that is certain.

    Args:
        values: float [N], in the order in which they came.
        second: bool [N], whether of the second sample.
        strata: integer [N], 0 to ``number`` - 1.
        number: of strata.
        bounds: of the values.
        least: observations in each cell, a stratum of a sample, before the first look.

    Raises:
        DataError: values that are not finite or out of bounds, or arrays that do not match.
    """
    numbers = _check(values, strata, number, bounds)
    if second.shape != numbers.shape:
        raise DataError(f"{numbers.size} values do not match samples of shape {second.shape}")
    cells = [(strata == one) & (second == side) for side in (False, True) for one in range(number)]
    weights = np.repeat([-1 / number, 1 / number], number)
    return _looks(numbers, cells, weights, bounds, least)


def paired_looks(
    differences: FloatArray,
    strata: IntArray,
    *,
    number: int = 1,
    bounds: tuple[float, float] = (-1.0, 1.0),
    least: int = 30,
) -> Looks:
    """Estimate a mean difference of pairs, after each pair.

    As :func:`two_sample_looks`, with one cell a stratum: what the pairs have in common, such as
    how hard an item is, is in neither difference nor variance.

    Args:
        differences: float [N], second less first, in the order in which they came.
        strata: integer [N], 0 to ``number`` - 1.
        number: of strata.
        bounds: of the differences.
        least: pairs in each stratum before the first look.

    Raises:
        DataError: values that are not finite or out of bounds, or arrays that do not match.
    """
    numbers = _check(differences, strata, number, bounds)
    cells = [strata == one for one in range(number)]
    return _looks(numbers, cells, np.full(number, 1 / number), bounds, least)


def _check(
    values: FloatArray, strata: IntArray, number: int, bounds: tuple[float, float]
) -> Float64Array:
    numbers = check_finite(values, "values")
    if strata.shape != numbers.shape:
        raise DataError(f"{numbers.size} values do not match strata of shape {strata.shape}")
    if numbers.size and not (bounds[0] <= numbers.min() and numbers.max() <= bounds[1]):
        raise DataError(f"there are values outside {bounds[0]:g} to {bounds[1]:g}")
    if strata.size and not (strata.min() >= 0 and strata.max() < number):
        raise DataError(f"strata are numbered from 0 to {number - 1}")
    return numbers


def _looks(
    values: Float64Array,
    cells: list[BoolArray],
    weights: Float64Array,
    bounds: tuple[float, float],
    least: int,
) -> Looks:
    masks = np.stack(cells)
    counts = np.cumsum(masks, axis=1)
    at = np.flatnonzero(counts.min(axis=0) >= max(least, 1))
    count = counts[:, at].astype(np.float64)
    total = np.cumsum(np.where(masks, values, 0.0), axis=1)[:, at]
    square = np.cumsum(np.where(masks, values * values, 0.0), axis=1)[:, at]
    low, high = bounds
    steadied = (total + (low + high) / 2) / (count + 1)
    variance = (square + (low * low + high * high) / 2) / (count + 1) - steadied**2
    return Looks(
        weights @ (total / count),
        np.maximum((weights**2) @ (variance / count), _SMALLEST),
        at.astype(np.intp),
    )


def mixture_p(difference: Float64Array, variance: Float64Array, tau: float) -> Float64Array:
    """Return the always-valid p-value of each look alone, [K] in [0, 1].

    1 over the likelihood ratio of "the difference is drawn from N(0, tau^2)" to "it is 0" (Johari
    et al. 2015, equation 11), for an estimate with variance s2 = V / n:
    ``sqrt(s2 / (s2 + tau^2)) exp(tau^2 d^2 / (2 s2 (s2 + tau^2)))``.

    Args:
        difference: float64 [K].
        variance: float64 [K], of the estimates, above 0.
        tau: size of the differences that are looked for, above 0; any is valid, and one that fits
            takes the fewest observations.
    """
    both = variance + tau**2
    log_ratio = 0.5 * np.log(variance / both) + (tau * difference) ** 2 / (2 * variance * both)
    return np.exp(-np.maximum(log_ratio, 0.0))


def mixture_radius(variance: Float64Array, tau: float, alpha: float) -> Float64Array:
    """Return half the width of each look's interval, [K]: where :func:`mixture_p` is ``alpha``."""
    both = variance + tau**2
    return np.sqrt(variance * both * np.log(both / (variance * alpha**2))) / tau


def anytime_test(looks: Looks, *, tau: float, alpha: float = 0.05) -> AnytimeTest:
    """Return what all looks together say.

    Args:
        looks: none or more.
        tau: see :func:`mixture_p`.
        alpha: how often a difference may be found where there is none, over all looks; of several
            tests, divide it by their number.

    Raises:
        UsageError: tau is not above 0, or alpha not between 0 and 1.
    """
    _check_test(tau, alpha)
    if not looks.at.size:
        return AnytimeTest(None, None, None, None, 1.0, None)
    p = mixture_p(looks.difference, looks.variance, tau)
    radius = mixture_radius(looks.variance, tau, alpha)
    found = np.flatnonzero(p <= alpha)
    return AnytimeTest(
        difference=float(looks.difference[-1]),
        standard_error=math.sqrt(float(looks.variance[-1])),
        low=float(np.max(looks.difference - radius)),
        high=float(np.min(looks.difference + radius)),
        p=float(p.min()),
        decided_at=int(looks.at[found[0]]) if found.size else None,
    )


def observations_needed(
    test: AnytimeTest, count: int, *, tau: float, alpha: float = 0.05, margin: float = 0.0
) -> float | None:
    """Return how many observations a decision takes in all, if the estimate stays what it is.

    A decision is an interval that leaves out 0, or one that lies within ``margin`` of it,
    whichever is there first.

    Args:
        test: what is known.
        count: of observations so far.
        tau: of the test.
        alpha: of the test.
        margin: the smallest difference that matters; 0: all do.

    Returns:
        At least ``count``; None where nothing is known, or no number of observations would do.

    Raises:
        UsageError: tau is not above 0, or alpha not between 0 and 1.
    """
    _check_test(tau, alpha)
    if test.difference is None or test.standard_error is None:
        return None
    reach = max(abs(test.difference), margin - abs(test.difference))
    variance = _variance_of(reach, tau, alpha) if reach > 0 else 0.0
    if not variance:
        return None
    return max(float(count), count * test.standard_error**2 / variance)


def _variance_of(radius: float, tau: float, alpha: float) -> float:
    """Return the variance of which an interval has this radius; it grows with it."""
    low, high = -600.0, 600.0  # natural logarithms
    for _ in range(100):
        middle = (low + high) / 2
        wide = mixture_radius(np.array([math.exp(middle)]), tau, alpha)[0] > radius
        low, high = (low, middle) if wide else (middle, high)
    return math.exp(low)


def _check_test(tau: float, alpha: float) -> None:
    check_share(alpha, "alpha")
    if not 0 < tau < math.inf:
        raise UsageError(f"tau is {tau}, which is not above 0")
