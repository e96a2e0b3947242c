"""Intervals of shares of items that come in groups: people, clips and their fakes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, ndtri, stdtrit

from deepfake_lightning.errors import DataError
from deepfake_lightning.metrics.aggregation import KeyArray
from deepfake_lightning.metrics.checks import BoolArray, Float64Array, check_groups, check_share
from deepfake_lightning.metrics.resampling import DRAWS, check_draws, resample
from deepfake_lightning.metrics.unanimity import between, sure

LEAST_GROUPS = 5
"""With fewer groups a value has no interval: there is nothing to tell their spread from."""

SAME = 1e-12
"""Draws that differ by less do so by rounding alone."""


@dataclass(frozen=True)
class Interval:
    """A value with its uncertainty.

    Attributes:
        value: of all items; None where the data leave it undefined.
        low, high: ends of the interval, None where there is no value or are too few groups.
    """

    value: float | None
    low: float | None
    high: float | None


def share_interval(
    hits: BoolArray,
    groups: KeyArray,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Share of items that are hits, with the interval of :func:`summary_intervals`.

    For a rate at a given threshold: pass the real items alone for the false-alarm rate, the fakes
    alone for the share that is found.

    Args:
        hits: bool [N].
        groups: [N] whole numbers or strings.
        draws: resamples of the groups.
        seed: of the draws.
        level: share of data sets whose interval holds the truth, in (0, 1).

    Returns:
        The share in [0, 1]; undefined for N = 0, without ends for fewer than five groups.
    """
    check_share(level, "the level of an interval")
    check_draws(draws)
    hit = np.asarray(hits)
    if hit.ndim != 1 or hit.dtype != np.bool_:
        raise DataError(f"hits must be bool [N], not {hit.dtype} of shape {hit.shape}")
    number = check_groups(groups, hit.size)
    if not hit.size:
        return Interval(None, None, None)
    value, sizes = float(hit.mean()), np.bincount(number)
    if len(sizes) < LEAST_GROUPS:
        return Interval(value, None, None)
    counts = np.vstack([np.bincount(number, weights=hit), sizes])
    drawn = np.empty(draws)

    def fill(start: int, times: Float64Array) -> None:
        part, whole = np.einsum("bg,kg->kb", times, counts)
        drawn[start : start + len(times)] = part / whole

    resample(number, draws, seed, fill)
    if np.ptp(drawn) < SAME:
        return Interval(value, *between(value, sure(len(sizes), level)))
    return Interval(value, *share_ends(value, standard_error(drawn, len(sizes)), len(sizes), level))


def standard_error(drawn: Float64Array, groups: int) -> float:
    """Standard error that draws [D] of a metric of ``groups`` >= 2 groups stand for, at least 0.

    Resamples of G groups vary by (G - 1) / G of it.
    """
    return float(drawn.std() * np.sqrt(groups / (groups - 1)))


def share_ends(value: float, error: float, groups: int, level: float) -> tuple[float, float]:
    """Interval of a mean in [0, 1] whose standard error is known from ``groups`` groups.

    Clopper-Pearson's of the sample of independent items that would have that error, smaller by
    (normal quantile / Student's quantile)^2 with G - 1 degrees of freedom (Korn & Graubard 1998,
    "Confidence intervals for proportions with small expected number of positive counts estimated
    from survey data"). It stays within [0, 1], is longer towards the middle, and holds the truth
    more often than percentiles of the bootstrap, above all for detectors with few errors.

    Args:
        value: in [0, 1].
        error: its standard error, above 0.
        groups: G, at least 2.
        level: of the interval.
    """
    wider = stdtrit(groups - 1, (1 + level) / 2) / ndtri((1 + level) / 2)
    items = value * (1 - value) / (error * wider) ** 2
    hits, misses = value * items, (1 - value) * items
    low = betaincinv(hits, misses + 1, (1 - level) / 2) if hits > 0 else 0.0
    high = betaincinv(hits + 1, misses, (1 + level) / 2) if misses > 0 else 1.0
    return float(low), float(high)
