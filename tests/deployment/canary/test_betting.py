"""Bets against chance are fair, and win where there is something to win."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom, nchypergeom_fisher

from deepfake_lightning.deployment.canary.betting import (
    MORE,
    OTHER,
    against_draw,
    against_share,
    evidence,
)


def column(*values):
    return np.array(values, np.int64)


@given(st.integers(1, 40), st.data())
def test_where_versions_are_alike_a_bet_returns_what_it_cost(total, data):
    marked, taken = (data.draw(st.integers(0, total)) for _ in range(2))
    hits = np.arange(max(0, marked + taken - total), min(marked, taken) + 1)
    row = [np.full(len(hits), value) for value in (taken, marked, total)]
    ratios = np.exp(against_draw(hits, *row, OTHER))
    chances = hypergeom.pmf(hits, total, marked, taken)
    assert chances @ ratios == pytest.approx(np.ones(len(OTHER)))


def test_it_is_the_ratio_of_likelihoods_of_fishers_distribution():
    hit, taken, marked, total = 7, 20, 15, 100
    ratios = np.exp(against_draw(*(column(one) for one in (hit, taken, marked, total))))[0]
    for odds, ratio in zip(MORE, ratios, strict=True):
        expected = nchypergeom_fisher.pmf(hit, total, marked, taken, odds)
        assert ratio == pytest.approx(expected / hypergeom.pmf(hit, total, marked, taken))


@pytest.mark.parametrize(("true", "fair"), [(0.05, True), (0.03, False)])
def test_a_bet_against_a_share_returns_no_more_than_it_cost(true, fair):
    hits = np.arange(51)
    ratios = np.exp(against_share(hits, np.full(51, 50), 0.05))
    back = binom.pmf(hits, 50, true) @ ratios
    assert back == pytest.approx(1) if fair else np.all(back < 1)


def test_one_candidate_in_twenty_that_fails_alone_is_found_after_two_failures():
    # Of 100 requests 5 went to it, and both that failed were among them: 1 in 495.
    found = evidence([against_draw(column(2), column(5), column(2), column(100))])
    assert found.log > np.log(20)
    none = evidence([against_draw(column(0), column(5), column(2), column(100))])
    assert none.log < 0.01


def test_no_minutes_are_no_evidence():
    empty = np.zeros(0, np.int64)
    assert evidence([against_draw(empty, empty, empty, empty)]).log == 0


def drawn(draw, minutes, taken, total, share, more=0.0, since=0):
    marked_of = np.array([share + more * (minute >= since) for minute in range(minutes)])
    hit = draw.binomial(taken, marked_of)
    others = draw.binomial(total - taken, share, minutes)
    full = (np.full(minutes, value) for value in (taken, total))
    return hit, next(full), hit + others, next(full)


def test_one_that_turns_bad_after_hours_is_found_from_there_on():
    found = evidence([against_draw(*drawn(np.random.default_rng(0), 240, 25, 100, 0.05, 0.3, 200))])
    assert found.log > np.log(1e6)
    assert 195 <= found.since <= 205


def test_looking_after_each_minute_keeps_the_promise():
    draw, alpha, wrong, number = np.random.default_rng(1), 0.1, 0, 200
    for _ in range(number):
        ratios = against_draw(*drawn(draw, 40, 50, 100, 0.2))
        wrong += any(evidence([ratios[:end]]).log >= np.log(1 / alpha) for end in range(1, 41))
    assert wrong / number <= alpha  # a test of 5 % at each look would be wrong in a third


def test_several_ways_to_look_share_the_stake():
    useless = np.full((30, 9), -1.0)
    good = against_draw(*drawn(np.random.default_rng(2), 30, 50, 100, 0.2, 0.3))
    both, alone = evidence([useless, good], [0.5, 0.5]), evidence([good])
    assert both.log == pytest.approx(alone.log - np.log(2), abs=0.01)
