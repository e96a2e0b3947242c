"""Who is answered by which version."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from deepfake_lightning.serving.fleet.routing import choose, place_of

shares = st.lists(st.integers(0, 100), min_size=1, max_size=6).filter(any)


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_client_keeps_its_place(experiment, key):
    assert 0 <= place_of(experiment, key) < 1
    assert place_of(experiment, key) == place_of(experiment, key)


def test_names_do_not_run_into_each_other():
    assert place_of("ab", "c") != place_of("a", "bc")


def test_places_are_uniform_and_another_experiment_deals_anew():
    first = [place_of("one", str(client)) for client in range(5000)]
    second = [place_of("two", str(client)) for client in range(5000)]
    assert kstest(first, "uniform").pvalue > 0.01
    both = sum(a < 0.5 and b < 0.5 for a, b in zip(first, second, strict=True))
    assert 1100 < both < 1400  # a quarter, where they are independent


@given(shares, st.floats(0, 1, exclude_max=True))
def test_a_version_without_a_share_is_never_chosen(weights, place):
    found = choose([weight / sum(weights) for weight in weights], place)
    assert weights[found] > 0


def test_shares_are_kept():
    found = Counter(choose([0.2, 0.0, 0.5, 0.3], place_of("e", str(n))) for n in range(20_000))
    assert found[0] / 20_000 == pytest.approx(0.2, abs=0.015)
    assert found[2] / 20_000 == pytest.approx(0.5, abs=0.015)


@given(st.integers(0, 100), st.integers(0, 100), st.floats(0, 1, exclude_max=True))
def test_who_was_in_a_growing_canary_stays_in_it(before, after, place):
    before, after = sorted((before, after))
    if choose([1 - before / 100, before / 100], place) == 1 and before:
        assert choose([1 - after / 100, after / 100], place) == 1
