"""Always-valid tests, held against integrals, loops, and data that are made up."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from deepfake_lightning.errors import DataError, UsageError
from deepfake_lightning.metrics import (
    AnytimeTest,
    Looks,
    anytime_test,
    mixture_p,
    mixture_radius,
    observations_needed,
    paired_looks,
    two_sample_looks,
)


def looks_of(difference, variance):
    difference, variance = np.atleast_1d(difference), np.atleast_1d(variance)
    return Looks(difference * 1.0, variance * 1.0, np.arange(len(difference)))


@pytest.mark.parametrize("difference", [0.0, 0.01, -0.05, 0.2])
@pytest.mark.parametrize("error", [0.005, 0.02, 0.1])
@pytest.mark.parametrize("tau", [0.01, 0.05, 0.3])
def test_the_p_value_is_that_of_the_mixture(difference, error, tau):
    spread = tau * error / math.hypot(tau, error)  # of the effect, once the estimate is known
    peak = difference * (spread / error) ** 2

    def log_weighted(effect):
        ratio = norm.logpdf(difference, effect, error) - norm.logpdf(difference, 0, error)
        return ratio + norm.logpdf(effect, 0, tau)

    top = log_weighted(peak)
    ends = (peak - 12 * spread, peak + 12 * spread)
    area = quad(lambda effect: math.exp(log_weighted(effect) - top), *ends, points=[peak])[0]
    p = mixture_p(np.array([difference]), np.array([error**2]), tau)[0]
    assert p == pytest.approx(math.exp(min(0.0, -top - math.log(area))), rel=1e-6)


def test_the_p_value_is_that_of_the_papers_formula():
    n, variance, tau, difference = 400, 0.18, 0.02, 0.06
    ratio = math.sqrt(variance / (variance + n * tau**2)) * math.exp(
        n**2 * tau**2 * difference**2 / (2 * variance * (variance + n * tau**2))
    )
    found = mixture_p(np.array([difference]), np.array([variance / n]), tau)[0]
    assert found == pytest.approx(min(1, 1 / ratio))


def test_the_interval_ends_where_the_p_value_is_alpha():
    variance = np.array([1e-5, 1e-3, 0.1])
    radius = mixture_radius(variance, 0.03, 0.01)
    assert mixture_p(radius, variance, 0.03) == pytest.approx(np.full(3, 0.01))


def test_two_samples_in_strata_as_a_loop_has_them():
    generator = np.random.default_rng(1)
    values = generator.choice([0, 0.5, 1], 300)
    second, strata = generator.random(300) < 0.3, (generator.random(300) < 0.2).astype(int)
    found = two_sample_looks(values, second, strata, number=2, least=5)
    assert found.at[-1] == 299
    for difference, variance, at in zip(found.difference, found.variance, found.at, strict=True):
        wanted, spread = 0.0, 0.0
        for side in (0, 1):
            for one in (0, 1):
                cell = values[: at + 1][(second == side)[: at + 1] & (strata == one)[: at + 1]]
                assert len(cell) >= 5
                wanted += (2 * side - 1) * cell.mean() / 2
                weights = np.array([*np.ones(len(cell)), 0.5, 0.5])
                steadied = np.array([*cell, 0, 1])
                mean = np.average(steadied, weights=weights)
                spread += np.average((steadied - mean) ** 2, weights=weights) / len(cell) / 4
        assert difference == pytest.approx(wanted)
        assert variance == pytest.approx(spread)


def test_pairs_need_far_fewer_observations():
    generator = np.random.default_rng(2)
    hard = generator.random(4000) < 0.1  # what both get wrong
    first = np.where(hard, 0.0, 1.0)
    second = np.where(hard & (generator.random(4000) < 0.3), 1.0, first)
    none = np.zeros(4000, int)
    pairs = anytime_test(paired_looks(second - first, none), tau=0.03)
    side = generator.random(4000) < 0.5
    values = np.where(side, second, first)
    split = anytime_test(two_sample_looks(values, side, none), tau=0.03)
    assert pairs.low > 0
    assert split.decided_at is None or split.decided_at > 4 * pairs.decided_at
    assert pairs.decided_at < 1000


def test_pairs_that_all_agree_do_not_make_it_certain():
    found = anytime_test(paired_looks(np.zeros(40), np.zeros(40, int)), tau=0.05)
    assert (found.difference, found.p) == (0, 1)
    assert found.low < -0.02
    assert found.high > 0.02


def test_right_every_time_is_not_certain_either():
    values, second = np.repeat([0.0, 1.0], 10), np.repeat([False, True], 10)
    found = anytime_test(two_sample_looks(values, second, np.zeros(20, int), least=10), tau=0.5)
    assert 0 < found.p < 0.001
    assert 0 < found.low < found.high < 2


def test_more_fakes_in_one_sample_make_no_difference_where_classes_count_the_same():
    def sample(fakes, reals):  # right on 60 % of the fakes, on all reals
        return [1, 1, 1, 0, 0] * fakes + [1] * 5 * reals, [1] * 5 * fakes + [0] * 5 * reals

    (first, of_first), (second, of_second) = sample(20, 80), sample(80, 20)
    values = np.array(first + second, float)
    strata, side = np.array(of_first + of_second), np.repeat([False, True], 500)
    balanced = two_sample_looks(values, side, strata, number=2)
    assert balanced.difference[-1] == pytest.approx(0)
    plain = two_sample_looks(values, side, np.zeros(1000, int))
    assert plain.difference[-1] == pytest.approx(-0.24)


def test_nothing_is_said_before_each_cell_has_the_least():
    values, strata = np.ones(100), np.repeat([0, 1], [90, 10])
    assert paired_looks(values, strata, number=2, least=11).at.size == 0
    found = anytime_test(paired_looks(values, strata, number=2, least=11), tau=0.1)
    assert found == AnytimeTest(None, None, None, None, 1.0, None)
    assert paired_looks(values, strata, number=2, least=10).at.tolist() == [99]


def test_what_a_look_was_sure_of_stays_so():
    found = anytime_test(looks_of([0.1, 0.01], [1e-4, 1e-4]), tau=0.05)
    assert found.p == mixture_p(np.array([0.1]), np.array([1e-4]), 0.05)[0] < 0.05
    assert found.decided_at == 0
    assert found.low == 0.1 - mixture_radius(np.array([1e-4]), 0.05, 0.05)[0]
    assert found.high == 0.01 + mixture_radius(np.array([1e-4]), 0.05, 0.05)[0]
    assert found.difference == 0.01


def test_a_difference_that_turns_round_contradicts_itself():
    turned = anytime_test(looks_of([0.1, -0.1], [1e-4, 1e-4]), tau=0.05)
    assert turned.contradicts
    assert not anytime_test(looks_of([0.1, 0.1], [1e-4, 1e-4]), tau=0.05).contradicts


@pytest.mark.parametrize(("difference", "margin"), [(0.05, 0.0), (0.05, 0.01), (0.002, 0.01)])
def test_the_observations_needed_bring_a_decision(difference, margin):
    now = anytime_test(looks_of(difference, 0.2 / 100), tau=0.03)
    needed = observations_needed(now, 100, tau=0.03, margin=margin)
    assert needed > 500
    for factor, decides in ((1.01, True), (0.99, False)):
        then = anytime_test(looks_of(difference, 0.2 / (needed * factor)), tau=0.03)
        within = -margin <= then.low and then.high <= margin
        assert (then.low > 0 or within) is decides


def test_no_number_of_observations_shows_that_there_is_no_difference():
    nothing = anytime_test(looks_of(0.0, 0.002), tau=0.03)
    assert observations_needed(nothing, 100, tau=0.03) is None
    assert observations_needed(AnytimeTest(None, None, None, None, 1, None), 0, tau=0.1) is None


def test_what_is_decided_needs_no_more():
    found = anytime_test(looks_of(0.3, 1e-5), tau=0.03)
    assert observations_needed(found, 500, tau=0.03) == 500


def test_refused():
    for values in (np.array([0.5, np.nan]), np.array([0.5, 1.5])):
        with pytest.raises(DataError):
            two_sample_looks(values, np.array([True, False]), np.zeros(2, int))
    with pytest.raises(DataError):
        paired_looks(np.zeros(2), np.array([0, 2]), number=2)
    with pytest.raises(UsageError):
        anytime_test(looks_of(0.1, 0.1), tau=0.0)
    with pytest.raises(UsageError):
        anytime_test(looks_of(0.1, 0.1), tau=0.1, alpha=1.0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_looking_after_each_of_4000_labels_finds_nothing_where_nothing_is():
    """1000 experiments; the z-test beside it looks as often."""
    generator, always, peeking, runs = np.random.default_rng(3), 0, 0, 1000
    for _ in range(runs):
        fake = (generator.random(4000) < 0.2).astype(int)
        values = (generator.random(4000) < np.where(fake, 0.85, 0.95)).astype(float)
        looks = two_sample_looks(values, generator.random(4000) < 0.5, fake, number=2)
        always += anytime_test(looks, tau=0.03).p <= 0.05
        z = np.abs(looks.difference) / np.sqrt(looks.variance)
        peeking += (z > norm.ppf(0.975)).any()
    assert always < 0.05 * runs
    assert peeking > 0.25 * runs
