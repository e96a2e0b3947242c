"""The guarantees of thresholds, over many calibrations; ``-m slow -s`` prints the tables.

Scores are standard normal, so that a threshold's true rate is known. With ties they are rounded
to quarters, and a score above a quarter is one above the middle to the next.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, kstest, norm

from deepfake_lightning import metrics as m

pytestmark = pytest.mark.slow
CALIBRATIONS = 4000
SIZES = [(100, 0.05), (350, 0.02), (1500, 0.01), (5000, 0.001)]


def rates(choose, count, alpha, tied):
    """True rates at or above ``choose(scores, alpha)``, [4000]."""
    rng, found = np.random.default_rng([count, len(choose.__name__)]), []
    for _ in range(CALIBRATIONS):
        scores = rng.normal(size=count)
        threshold = choose(np.round(scores * 4) / 4 if tied else scores, alpha)
        found.append(np.ceil(threshold * 4) / 4 - 0.125 if tied else threshold)
    return norm.sf(found)


def floor_as_threshold(scores, alpha):
    """Misses below the floor of fakes are what false alarms are above a threshold, mirrored."""
    floor = m.conformal_floor(-scores, alpha)
    return np.nextafter(-floor, np.inf)  # -score < floor is score > -floor


@pytest.mark.parametrize("choose", [m.conformal_threshold, floor_as_threshold])
def test_the_mean_rate_of_a_conformal_threshold_is_below_alpha(choose):
    print(f"\n{choose.__name__:26}{'alpha':>8}{'k/(n+1)':>9}{'mean':>9}{'tied':>9}")
    for count, alpha in SIZES:
        allowed = int(np.floor((count + 1) * alpha + 1e-9))
        exact, law = allowed / (count + 1), beta(allowed, count + 1 - allowed)
        found, tied = (rates(choose, count, alpha, ties) for ties in (False, True))
        print(f"n = {count:<22,}{alpha:8}{exact:9.5f}{found.mean():9.5f}{tied.mean():9.5f}")
        margin = 3 * law.std() / CALIBRATIONS**0.5
        assert exact <= alpha
        assert abs(found.mean() - exact) < margin
        assert kstest(found, law.cdf).pvalue > 0.01
        assert tied.mean() <= alpha + margin


def test_a_confident_threshold_keeps_its_rate_in_95_percent_of_calibrations():
    print(f"\n{'confident_threshold':26}{'alpha':>8}{'exact':>9}{'kept':>9}{'tied':>9}")
    for count, alpha in SIZES:
        ordered = np.sort(np.random.default_rng(0).normal(size=count))
        above = np.count_nonzero(ordered >= m.confident_threshold(ordered, alpha))
        exact = beta(above + 1, count - above).cdf(alpha)  # of the (n - k)-th smallest
        found, tied = (
            np.mean(rates(m.confident_threshold, count, alpha, ties) <= alpha)
            for ties in (False, True)
        )
        print(f"n = {count:<22,}{alpha:8}{exact:9.4f}{found:9.4f}{tied:9.4f}")
        assert exact >= 0.95
        assert min(found, tied) >= 0.95
        assert abs(found - exact) < 3 * (exact * (1 - exact) / CALIBRATIONS) ** 0.5
