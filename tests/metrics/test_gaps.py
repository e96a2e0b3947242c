import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from deepfake_lightning.metrics import Interval, share_gap, share_interval


def wilson(hits, count, level=0.95):
    z = norm.ppf((1 + level) / 2)
    middle = (hits + z**2 / 2) / (count + z**2)
    reach = z / (count + z**2) * np.sqrt(hits * (count - hits) / count + z**2 / 4)
    return Interval(hits / count, middle - reach, middle + reach)


def test_it_is_newcombes_interval():
    # Newcombe 1998, table II, method 10, of 56/70 and 48/80; of 9/10 and 3/10.
    found = share_gap(wilson(56, 70), wilson(48, 80))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    found = share_gap(wilson(9, 10), wilson(3, 10))
    assert (found.value, found.low, found.high) == pytest.approx((0.6, 0.1705, 0.8090), abs=5e-5)


def test_it_holds_the_truth_of_clustered_data():
    rng = np.random.default_rng(0)
    held, tries = 0, 400
    for number in range(tries):
        sides = []
        for rate in (0.3, 0.1):
            people = rng.beta(4 * rate, 4 * (1 - rate), 60)
            group = np.repeat(np.arange(60), 5)
            hit = rng.random(group.size) < people[group]
            sides.append(share_interval(hit, group, draws=200, seed=number))
        gap = share_gap(*sides)
        held += gap.low <= 0.2 <= gap.high
    assert 0.92 <= held / tries <= 0.985


shares = st.floats(0, 1).flatmap(
    lambda value: st.tuples(st.just(value), st.floats(0, value), st.floats(value, 1))
)


@given(shares, shares)
def test_it_mirrors_and_stays_in_range(first, second):
    one, other = Interval(*first), Interval(*second)
    gap, back = share_gap(one, other), share_gap(other, one)
    assert -1 <= gap.low <= gap.value <= gap.high <= 1
    assert (back.value, back.low, back.high) == pytest.approx((-gap.value, -gap.high, -gap.low))


def test_what_is_not_known_stays_so():
    known = Interval(0.5, 0.4, 0.6)
    assert share_gap(Interval(None, None, None), known) == Interval(None, None, None)
    assert share_gap(known, Interval(0.2, None, None)) == Interval(0.3, None, None)
