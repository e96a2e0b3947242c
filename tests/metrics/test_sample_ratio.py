"""Splits that are as meant, and splits that are off."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta, binom

from deepfake_lightning.errors import UsageError
from deepfake_lightning.metrics import sample_ratio_p


@pytest.mark.parametrize(("counts", "share"), [((520, 480), 0.5), ((90, 10), 0.8), ((30, 5), 0.6)])
def test_two_parts_as_an_integral_has_them(counts, share):
    def weighted(x):
        return math.exp(
            binom.logpmf(counts[0], sum(counts), x) - binom.logpmf(counts[0], sum(counts), share)
            + beta.logpdf(x, 50 * share, 50 * (1 - share))
        )  # fmt: skip

    mixture = quad(weighted, 0, 1, limit=500, points=[counts[0] / sum(counts), share])[0]
    found = sample_ratio_p(counts, (share, 1 - share), weight=50)
    assert found == pytest.approx(min(1, 1 / mixture))


def test_three_parts_as_an_urn_has_them():
    shares, weight = (0.5, 0.3, 0.2), 40.0
    drawn = [0] * 60 + [1] * 10 + [2] * 30
    seen, log_ratio = [0, 0, 0], 0.0
    for count, part in enumerate(drawn):  # what the next one is, given all before it
        log_ratio += math.log((weight * shares[part] + seen[part]) / (weight + count))
        log_ratio -= math.log(shares[part])
        seen[part] += 1
    assert sample_ratio_p(seen, shares, weight=weight) == pytest.approx(math.exp(-log_ratio))


def test_a_split_that_is_off_is_found():
    assert sample_ratio_p((10_000, 10_050), (0.5, 0.5)) == 1
    assert sample_ratio_p((10_000, 11_000), (0.5, 0.5)) < 1e-6
    assert sample_ratio_p((9_500, 700), (0.95, 0.05)) < 1e-6
    assert sample_ratio_p((0, 0), (0.5, 0.5)) == 1


def test_shares_have_to_be_a_split():
    for shares in ((0.5, 0.6), (1.0, 0.0), (1.0,)):
        with pytest.raises(UsageError):
            sample_ratio_p((1, 2), shares)


@pytest.mark.slow
def test_a_split_that_is_as_meant_is_hardly_ever_off():
    """At 5 %, after each of 3000 requests: 1000 experiments."""
    generator, off = np.random.default_rng(1), 0
    for _ in range(1000):
        first = np.cumsum(generator.random(3000) < 0.8)
        off += any(
            sample_ratio_p((first[at], at + 1 - first[at]), (0.8, 0.2)) <= 0.05
            for at in range(0, 3000, 10)
        )
    assert off <= 50
