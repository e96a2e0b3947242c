"""The order of an epoch in which real faces come together with the fakes made of them."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DistributedSampler

from deepfake_lightning.data.blending import Blending
from deepfake_lightning.schemas import LABELS


class Side(IntEnum):
    """What a draw shows: a picture alone, or one side of a pair."""

    ALONE = 0
    REAL = 1
    FAKE = 2


class PairDraw(NamedTuple):
    """One picture of an epoch.

    Attributes:
        position: in the data set.
        seed: of all that is random about it; the same for both sides of a pair.
        slot: which of the draws of a clip.
        side: what is shown.
    """

    position: int
    seed: int = 0
    slot: int = 0
    side: Side = Side.ALONE


class PairPlan(NamedTuple):
    """How many pictures an epoch has of each kind.

    Attributes:
        pairs: real ones with a fake that is made of them.
        reals: real ones alone.
        fakes: of the data.
    """

    pairs: int
    reals: int
    fakes: int

    @classmethod
    def of(cls, labels: NDArray[np.int64], blending: Blending) -> PairPlan:
        """Return the plan for data; every real one is in it once, and those alone are even.

        Args:
            labels: int64 [N], 0 real, 1 fake.
            blending: what is asked for.
        """
        reals = int(np.sum(labels == LABELS["real"]))
        pairs = max(1, round(blending.share * reals))
        fakes = round(blending.ratio * pairs)
        if (reals - pairs + fakes) % 2:
            if pairs < reals:
                pairs += 1
            else:
                fakes += 1
        return cls(pairs, reals - pairs, fakes)


class PairSampler(DistributedSampler[PairDraw]):
    """A new order every epoch, a pair always in one batch where batches are even.

    Pictures come two by two: a real one and its fake, or two others. Any even number of them is
    whole pairs, in every process: batches need no sampler of their own. As with
    :class:`~deepfake_lightning.data.dataset.EpochSampler`, order and seeds depend on ``(seed,
    epoch)`` alone, and Lightning tells the epoch. Fakes of the data are drawn as often as each
    other, give or take one.

    Args:
        labels: int64 [N], 0 real, 1 fake; of the data set.
        blending: how many of what.
        frames: how often each clip is drawn, in a row.
        seed: the training's seed.
        world_size, rank: number of processes, and which one this is.
    """

    def __init__(
        self,
        labels: NDArray[np.int64],
        blending: Blending,
        *,
        frames: int = 1,
        seed: int = 0,
        world_size: int = 1,
        rank: int = 0,
    ) -> None:
        self.plan = PairPlan.of(labels, blending)
        couples = self.plan.pairs + (self.plan.reals + self.plan.fakes) // 2
        super().__init__(range(couples), num_replicas=world_size, rank=rank, seed=seed)  # type: ignore[arg-type]
        self._labels = labels
        self._frames = frames

    def __iter__(self) -> Iterator[PairDraw]:
        generator = np.random.default_rng([self.seed, self.epoch])
        couples = self._couples(generator)
        order = generator.permutation(len(couples))
        seeds = generator.integers(0, 2**31 - 1, (self.total_size, 2))
        order = np.resize(order, self.total_size)  # every process gets as many: the first repeat
        own = slice(self.rank, self.total_size, self.num_replicas)
        for couple, drawn in zip(order[own].tolist(), seeds[own].tolist(), strict=True):
            yield from self._draws(couples[couple].tolist(), drawn, couple < self.plan.pairs)

    def __len__(self) -> int:
        return super().__len__() * 2 * self._frames

    def _couples(self, generator: np.random.Generator) -> NDArray[np.int64]:
        """Return int64 [C, 2]: first the pairs, whose two are one, then the others."""
        pairs, _, count = self.plan
        reals = generator.permutation(np.flatnonzero(self._labels == LABELS["real"]))
        fakes = np.flatnonzero(self._labels == LABELS["fake"])
        rounds = [generator.permutation(fakes) for _ in range(-(-count // max(1, len(fakes))))]
        others = np.concatenate([reals[pairs:], *rounds])[: len(reals) - pairs + count]
        others = generator.permutation(others).reshape(-1, 2)
        return np.concatenate([np.stack([reals[:pairs]] * 2, axis=1), others])

    def _draws(self, couple: list[int], seeds: list[int], paired: bool) -> Iterator[PairDraw]:
        if paired:
            for slot in range(self._frames):
                for side in (Side.REAL, Side.FAKE):
                    yield PairDraw(couple[0], seeds[0], slot, side)
            return
        for index, seed in zip(couple, seeds, strict=True):
            for slot in range(self._frames):
                yield PairDraw(index, seed, slot)
