"""People into splits: quotas, and exchanges that count right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfake_lightning.data.splits.exchange import Exchange, Fakes
from deepfake_lightning.data.splits.partition import divide, quotas

SHARES = [0.65, 0.1, 0.05, 0.15, 0.05]


def random_fakes(seed: int, people: int, ties: int) -> Fakes:
    generator = np.random.default_rng(seed)
    pairs = {tuple(sorted(generator.choice(people, 2, replace=False))) for _ in range(ties)}
    left, right = np.array(sorted(pairs)).T
    counts = generator.integers(0, 4, (len(left), 2)).astype(float)
    return Fakes(generator.integers(0, 5, (people, 2)).astype(float), left, right, counts)


@given(people=st.integers(5, 3000), shares=st.permutations(SHARES))
def test_quotas_are_the_shares(people: int, shares: list[float]) -> None:
    found = quotas(people, shares)
    assert sum(found) == people
    assert min(found) >= (2 if people >= 15 else 1)
    if people >= 100:
        assert all(abs(n - share * people) <= 1 for n, share in zip(found, shares, strict=True))


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 1000), people=st.integers(5, 40), ties=st.integers(1, 120))
def test_people_are_divided_by_quota_and_what_is_held_is_counted_right(
    seed: int, people: int, ties: int
) -> None:
    fakes = random_fakes(seed, people, ties)
    side = divide(fakes, SHARES)
    assert np.bincount(side, minlength=5).tolist() == quotas(people, SHARES)
    start = np.repeat(np.arange(5), quotas(people, SHARES))
    np.random.default_rng(seed).shuffle(start)
    exchange = Exchange(fakes, start, quotas(people, SHARES))
    before = exchange._score(exchange._held[None])[0]
    exchange.run()
    fresh = Exchange(fakes, start.copy(), quotas(people, SHARES))
    np.testing.assert_allclose(exchange._held, fresh._held, atol=1e-9)
    np.testing.assert_allclose(exchange._reach, fresh._reach, atol=1e-9)
    assert fresh._score(fresh._held[None])[0] >= before - 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_the_exchange_beats_chance(seed: int) -> None:
    fakes = random_fakes(seed, 59, 300)
    side = divide(fakes, SHARES)
    weight = fakes.counts.sum(axis=1)
    kept = weight[side[fakes.left] == side[fakes.right]].sum() / weight.sum()
    assert kept > sum(share**2 for share in SHARES) + 0.03
