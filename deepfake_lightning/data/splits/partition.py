"""People into splits so that few fakes of two people cross, and each kind is spread evenly.

A start that grows each split along the fakes (small splits first, the person next whose fakes
lead out of it least), then exchanges of two people as long as one pays. Exchanges keep the
number of people of each split. All is deterministic: sizes and the given order decide.
"""

from __future__ import annotations

import heapq

import numpy as np
from scipy.sparse import csr_array

from deepfake_lightning.data.splits.exchange import Exchange, Fakes
from deepfake_lightning.data.splits.identities import IntArray

_LARGEST = 20_000  # people; beyond, the start is taken as it is


def quotas(people: int, shares: list[float]) -> list[int]:
    """Return how many people each split gets: its share, rounded, two or more where possible.

    A split of one person can hold no fake of two.
    """
    least = 2 if people >= 3 * len(shares) else 1
    exact = [share * people for share in shares]
    found = [max(least, int(value)) for value in exact]
    while sum(found) != people:
        step = 1 if sum(found) < people else -1
        # The split that is furthest from its share, among those that can give.
        able = [k for k in range(len(found)) if step > 0 or found[k] > least]
        found[max(able, key=lambda k: step * (exact[k] - found[k]) / (1 + exact[k]))] += step
    return found


def divide(fakes: Fakes, shares: list[float]) -> IntArray:
    """Return the split of each person, int64 [people], as the number of its share.

    Args:
        fakes: people are numbered in the order in which ties between equals are broken.
        shares: of the splits; at least as many people as splits.
    """
    people = len(fakes.own)
    neighbours = _neighbours(fakes)
    wanted_people = quotas(people, shares)
    side = _grown(neighbours, wanted_people)
    if people <= _LARGEST and len(shares) > 1:
        Exchange(fakes, side, wanted_people).run()
    return side


def _neighbours(fakes: Fakes) -> csr_array:
    """Return the symmetric matrix of ties' items, people x people."""
    weight = fakes.counts.sum(axis=1)
    size = len(fakes.own)
    half = csr_array((weight, (fakes.left, fakes.right)), shape=(size, size))
    return csr_array(half + half.T)


def _grown(neighbours: csr_array, wanted: list[int]) -> IntArray:
    """Grow every split but the largest, which takes the rest; the smallest first."""
    people = neighbours.shape[0]
    largest = int(np.argmax(wanted))
    side = np.full(people, -1, np.int64)
    degree = np.maximum(np.asarray(neighbours.sum(axis=1)).ravel(), 1e-9)
    start = 0
    for split in sorted(set(range(len(wanted))) - {largest}, key=lambda k: (wanted[k], k)):
        inside = np.zeros(people)
        waiting: list[tuple[float, int]] = []
        for _ in range(wanted[split]):
            person = _next(waiting, side)
            if person is None:  # a new start, where the first has no free neighbour left
                while side[start] >= 0:
                    start += 1
                person = start
            side[person] = split
            for near, weight in _row(neighbours, person):
                if side[near] < 0:
                    inside[near] += weight
                    heapq.heappush(waiting, (-inside[near] / degree[near], near))
    side[side < 0] = largest
    return side


def _next(waiting: list[tuple[float, int]], side: IntArray) -> int | None:
    while waiting:
        person = heapq.heappop(waiting)[1]
        if side[person] < 0:  # older, lower entries of the same person are passed over
            return person
    return None


def _row(matrix: csr_array, person: int) -> list[tuple[int, float]]:
    part = slice(matrix.indptr[person], matrix.indptr[person + 1])
    return list(zip(matrix.indices[part].tolist(), matrix.data[part].tolist(), strict=True))
