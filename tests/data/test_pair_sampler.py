"""A real face and its fake stay together, whatever else an epoch shows."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deepfake_lightning.data.blending import Blending
from deepfake_lightning.data.pair_sampler import PairDraw, PairPlan, PairSampler, Side

MIXTURES = st.builds(Blending, share=st.floats(0.01, 1), ratio=st.floats(0, 3))


def labels(real: int, fake: int) -> NDArray[np.int64]:
    return np.random.default_rng(0).permutation([0] * real + [1] * fake)


def of_sides(draws: list[PairDraw]) -> Counter[Side]:
    return Counter(draw.side for draw in draws)


@settings(max_examples=40)
@given(
    real=st.integers(1, 15),
    fake=st.integers(1, 15),
    blending=MIXTURES,
    frames=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_an_epoch_is_as_planned(
    real: int, fake: int, blending: Blending, frames: int, seed: int
) -> None:
    known = labels(real, fake)
    sampler = PairSampler(known, blending, frames=frames, seed=seed)
    draws, plan = list(sampler), PairPlan.of(known, blending)
    assert len(draws) == len(sampler)
    assert plan.pairs + plan.reals == real
    assert (plan.reals + plan.fakes) % 2 == 0
    assert abs(plan.pairs - blending.share * real) <= 2
    # rounded, and then one fake more, or one pair more without the fakes that are its share
    assert abs(plan.fakes - blending.ratio * plan.pairs) <= max(1.5, 0.5 + blending.ratio) + 1e-9
    for first, second in zip(draws[::2], draws[1::2], strict=True):
        if first.side is Side.ALONE:
            assert second.side is Side.ALONE
        else:
            assert (first.side, second) == (Side.REAL, first._replace(side=Side.FAKE))
            assert known[first.position] == 0
    shown = Counter(draw.position for draw in draws if draw.side is not Side.FAKE)
    assert all(shown[at] == frames for at in np.flatnonzero(known == 0))
    of_fakes = [shown[at] // frames for at in np.flatnonzero(known == 1)]
    assert sum(of_fakes) == plan.fakes
    assert max(of_fakes) - min(of_fakes) <= 1
    expected = {Side.REAL: plan.pairs, Side.FAKE: plan.pairs, Side.ALONE: plan.reals + plan.fakes}
    assert of_sides(draws) == {side: n * frames for side, n in expected.items() if n}
    assert [*sampler] == draws


@settings(max_examples=40)
@given(real=st.integers(1, 20), blending=MIXTURES, world=st.integers(1, 4))
def test_processes_share_whole_pairs(real: int, blending: Blending, world: int) -> None:
    known = labels(real, 5)
    whole = list(PairSampler(known, blending, seed=3))
    parts = [
        list(PairSampler(known, blending, seed=3, world_size=world, rank=rank))
        for rank in range(world)
    ]
    assert len({len(part) for part in parts}) == 1
    couples = [[part[at : at + 2] for at in range(0, len(part), 2)] for part in parts]
    together = [draw for row in zip(*couples, strict=True) for couple in row for draw in couple]
    assert together[: len(whole)] == whole
    assert len(together) - len(whole) < 2 * world


def test_epochs_and_seeds_differ() -> None:
    known, blending = labels(40, 40), Blending(share=0.5, ratio=0.5)
    sampler = PairSampler(known, blending, seed=1)
    first = list(sampler)
    sampler.set_epoch(1)
    for other in (list(sampler), list(PairSampler(known, blending, seed=2))):
        assert {draw.seed for draw in other}.isdisjoint(draw.seed for draw in first)
        paired = [{d.position for d in each if d.side is Side.FAKE} for each in (first, other)]
        assert paired[0] != paired[1]


def test_fakes_of_the_data_are_left_alone_where_none_are_asked_for() -> None:
    known = labels(9, 9)
    assert all(known[draw.position] == 0 for draw in PairSampler(known, Blending()))
    assert all(draw.side is not Side.ALONE for draw in PairSampler(known, Blending()))
