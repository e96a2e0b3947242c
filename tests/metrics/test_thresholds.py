from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from deepfake_lightning import metrics as m
from deepfake_lightning.errors import DataError, UsageError


def called(scores, threshold):
    return int(np.count_nonzero(scores >= threshold))


@pytest.mark.parametrize(
    ("count", "rate", "allowed"),
    [(9, 0.1, 1), (19, 0.1, 2), (99, 0.01, 1), (199, 0.01, 2), (299, 0.01, 3), (999, 0.001, 1),
     (2999, 0.001, 3), (9, 1 - 0.9, 1), (2, 1 / 3, 1), (49, 0.3, 15), (99, 0.29, 29),
     (99, 0.07, 7), (100, 0.07, 7), (18, 0.1, 1)],
)  # fmt: skip
def test_boundaries_are_exact(count, rate, allowed):
    # floor((n + 1) alpha) of n + 1 may lie above; the new item may be one of them.
    scores = np.random.default_rng(count).permutation(count).astype(float)
    threshold = m.conformal_threshold(scores, rate)
    assert called(scores, threshold) == allowed - 1
    floor = m.conformal_floor(scores, rate)
    assert np.count_nonzero(scores < floor) == allowed - 1
    assert np.count_nonzero(scores <= floor) == allowed


@given(st.integers(1, 400), st.integers(1, 99))
@settings(max_examples=100, deadline=None)
def test_the_rank_in_whole_numbers(count, percent):
    scores, rate = np.arange(float(count)), percent / 100
    allowed = (count + 1) * percent // 100
    assert m.items_needed(rate, "marginal") == -(-100 // percent) - 1
    if allowed == 0:
        with pytest.raises(DataError):
            m.conformal_threshold(scores, rate)
    else:
        assert called(scores, m.conformal_threshold(scores, rate)) == allowed - 1
        # By chance alone, the new item is above with allowed / (n + 1).
        assert Fraction(allowed, count + 1) <= Fraction(percent, 100)


@pytest.mark.parametrize("count", [299, 300, 472, 473, 1000, 20_000])
@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_confident_threshold_agrees_with_the_beta_of_order_statistics(count, confidence):
    scores = np.random.default_rng(0).normal(size=count)
    above = called(scores, m.confident_threshold(scores, 0.01, confidence))
    # The true rate above the (above + 1)-th highest of n is Beta(above + 1, n - above).
    assert beta.cdf(0.01, above + 1, count - above) >= confidence
    assert beta.cdf(0.01, above + 2, count - above - 1) < confidence


@pytest.mark.parametrize(
    ("rate", "confidence", "needed"),
    [(0.01, 0.95, 299), (0.001, 0.95, 2995), (0.5, 0.75, 2), (0.9, 0.9, 1), (0.05, 0.95, 59),
     (0.1, 0.99, 44)],
)  # fmt: skip
def test_items_needed_with_confidence(rate, confidence, needed):
    assert m.items_needed(rate, "confidence", confidence) == needed
    scores = np.arange(float(needed))
    assert called(scores, m.confident_threshold(scores, rate, confidence)) == 0
    if needed > 1:
        with pytest.raises(DataError, match=f"at least {needed:,} real items .* {needed - 1:,}"):
            m.confident_threshold(scores[1:], rate, confidence)


def test_items_needed_on_average():
    assert m.items_needed(0.001, "marginal") == 999
    assert m.items_needed(0.01, "marginal") == 99
    assert m.items_needed(0.5, "marginal") == 1
    with pytest.raises(DataError, match=r"0\.001 needs at least 999 real items .* 998"):
        m.conformal_threshold(np.arange(998.0), 0.001)
    with pytest.raises(DataError, match=r"19 fake items .* there are 0"):
        m.conformal_floor(np.zeros(0), 0.05)


def test_more_confidence_is_never_laxer():
    scores = np.random.default_rng(1).normal(size=2000)
    found = [m.confident_threshold(scores, 0.01, sure) for sure in (0.5, 0.8, 0.95, 0.999)]
    assert found == sorted(found)
    assert m.conformal_threshold(scores, 0.01) < found[2]


def test_tied_scores_are_not_called_fake_at_their_own_threshold():
    scores = np.full(500, 0.25)
    for threshold in (m.conformal_threshold(scores, 0.01), m.confident_threshold(scores, 0.01)):
        assert threshold == np.nextafter(0.25, 1)
        assert called(scores, threshold) == 0
    assert np.count_nonzero(scores < m.conformal_floor(scores, 0.05)) == 0


def test_the_floor_mirrors_the_threshold():
    scores = np.random.default_rng(2).normal(size=321)
    floor, threshold = m.conformal_floor(scores, 0.03), m.conformal_threshold(-scores, 0.03)
    np.testing.assert_array_equal(scores < floor, -scores >= threshold)


def test_expected_precision_is_bayes():
    # 1 in 1,000 is fake; 90 of 100 are found; 1 in 100 real is called fake: 0.9 of 10.89.
    assert m.expected_precision(0.9, 0.01, 0.001) == pytest.approx(0.9 / (0.9 + 9.99))
    assert m.expected_precision(0.9, 0.0, 0.001) == 1.0
    assert m.expected_precision(0.5, 0.5, 0.2) == pytest.approx(0.2)
    assert m.expected_precision(0.0, 0.0, 0.5) is None
    assert m.expected_precision(1.0, 0.0, 0.0) is None
    with pytest.raises(UsageError, match="prevalence is 20"):
        m.expected_precision(0.9, 0.01, 20)


def test_rates_that_are_none():
    scores = np.arange(50.0)
    for rate in (0.0, 1.0, -1, np.nan):
        for function in (m.conformal_threshold, m.confident_threshold, m.conformal_floor):
            with pytest.raises(UsageError):
                function(scores, rate)
    with pytest.raises(UsageError, match="confidence"):
        m.confident_threshold(scores, 0.1, 95)
    with pytest.raises(UsageError, match="guarantee"):
        m.items_needed(0.1, "sure")
    with pytest.raises(DataError, match="1 of 2 real scores are not finite"):
        m.conformal_threshold(np.array([0.0, np.nan]), 0.5)
