"""Exchanges of people between splits, as long as one pays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.data.splits.identities import IntArray

FloatArray = NDArray[np.float64]
_PARTNERS = 128  # people that one is compared with for an exchange
_TRIES = 4_000  # people that are looked at in all: it bounds the time


@dataclass(frozen=True)
class Fakes:
    """Who is tied to whom, and what each person has alone.

    Attributes:
        own: float64 [people, strata], items that show one person.
        left, right: int64 [ties], the two people of a tie, left < right.
        counts: float64 [ties, strata], the items of a tie.
    """

    own: FloatArray
    left: IntArray
    right: IntArray
    counts: FloatArray


class Exchange:
    """Exchanges people between splits, in place, while the score grows.

    The score is the mean over strata of: the share of its items that is kept, less the distance
    (total variation) of their spread over the splits from the expected one.
    """

    def __init__(self, fakes: Fakes, side: IntArray, wanted_people: list[int]) -> None:
        people, strata = fakes.own.shape
        self._fakes, self._side, self._splits = fakes, side, len(wanted_people)
        share = np.array(wanted_people) / people
        tied = fakes.counts.sum(axis=0)
        self._total = np.maximum(fakes.own.sum(axis=0) + tied, 1e-9)
        expected = np.outer(share, fakes.own.sum(axis=0)) + np.outer(share**2, tied)
        self._expected = expected / np.maximum(expected.sum(axis=0), 1e-9)
        ends = np.concatenate([fakes.left, fakes.right])
        self._order = np.argsort(ends, kind="stable")  # a person's ties lie side by side
        self._first = np.searchsorted(ends[self._order], np.arange(people + 1))
        # What a person's ties to the members of each split hold.
        self._reach = np.zeros((people, self._splits, strata))
        np.add.at(self._reach, (fakes.left, side[fakes.right]), fakes.counts)
        np.add.at(self._reach, (fakes.right, side[fakes.left]), fakes.counts)
        self._held = np.zeros((self._splits, strata))
        np.add.at(self._held, side, fakes.own)
        inside = side[fakes.left] == side[fakes.right]
        np.add.at(self._held, side[fakes.left[inside]], fakes.counts[inside])

    def run(self) -> None:
        """Exchange until none of the people looked at can be exchanged with gain."""
        people, unchanged = len(self._side), 0
        for number in range(_TRIES):
            better = self._improve(number % people, number % 7 + 1)
            unchanged = 0 if better else unchanged + 1
            if unchanged == people:
                return

    def _improve(self, person: int, stride: int) -> bool:
        """Exchange a person with the best of some of another split; False where none is better."""
        here = self._side[person]
        others = np.flatnonzero(self._side != here)
        if len(others) > _PARTNERS:
            others = others[(np.arange(_PARTNERS) * stride + person) % len(others)]
        if not len(others):
            return False
        between = np.zeros((len(self._side), self._held.shape[1]))
        for tie, near in self._ties(person):
            between[near] += self._fakes.counts[tie]
        between = between[others]
        there, index = self._side[others], np.arange(len(others))
        own, reach = self._fakes.own, self._reach
        held = np.repeat(self._held[None], len(others), axis=0)
        held[:, here] += own[others] - own[person] - reach[person, here]
        held[:, here] += reach[others, here] - between
        held[index, there] += own[person] - own[others] + reach[person, there] - between
        held[index, there] -= reach[others, there]
        scores = self._score(held)
        best = int(np.argmax(scores))
        if scores[best] <= self._score(self._held[None])[0] + 1e-9:
            return False
        self._held = held[best]
        partner, to = int(others[best]), int(there[best])
        self._move(person, int(here), to)
        self._move(partner, to, int(here))
        return True

    def _score(self, held: FloatArray) -> FloatArray:
        kept = held.sum(axis=1)
        spread = held / np.maximum(kept, 1e-9)[:, None]
        distance = np.abs(spread - self._expected).sum(axis=1) / 2
        return np.asarray((kept / self._total - distance).mean(axis=1))

    def _ties(self, person: int) -> list[tuple[int, int]]:
        """Return the ties of a person, and who stands at their other end."""
        ties = len(self._fakes.left)
        ends = self._order[self._first[person] : self._first[person + 1]]
        tie = ends % ties
        near = np.where(ends < ties, self._fakes.right[tie], self._fakes.left[tie])
        return list(zip(tie.tolist(), near.tolist(), strict=True))

    def _move(self, person: int, origin: int, to: int) -> None:
        self._side[person] = to
        for tie, near in self._ties(person):
            self._reach[near, origin] -= self._fakes.counts[tie]
            self._reach[near, to] += self._fakes.counts[tie]
