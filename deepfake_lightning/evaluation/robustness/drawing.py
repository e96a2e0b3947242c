"""Which items are degraded: some groups, whole as far as they go, with as many of each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def draw_items(
    names: Sequence[str],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    number: int,
    seed: int,
) -> NDArray[np.int64]:
    """Return the positions of the drawn items, ascending.

    Groups are taken in a drawn order, and the items of each in one, until a class has its half of
    the number; what one class has too few of, the other makes up for. The real and fake items of
    one group so stay together, as paired intervals want it, and where a group has more than are
    wanted, its methods come in their shares. The same items give the same draw, in whatever order
    they come.

    Args:
        names: [N] of the items, each its own.
        labels: int64 [N], 0 real and 1 fake.
        groups: int64 [N].
        number: how many are drawn, at most.
        seed: of the drawing.
    """
    if number >= len(names):
        return np.arange(len(names))
    fakes = int(np.count_nonzero(labels == 1))
    half, reals = number // 2, len(names) - fakes
    left = {1: min(fakes, max(half, number - reals))}
    left[0] = number - left[1]
    # Groups by their first names: their numbers depend on what else there is.
    order = np.argsort(np.asarray(names, dtype=str), kind="stable")
    found, first = np.unique(groups[order], return_index=True)
    by_name = found[np.argsort(first)]
    place = np.empty(int(groups.max()) + 1, np.int64)
    generator = np.random.default_rng(seed)
    place[generator.permutation(by_name)] = np.arange(len(by_name))
    order = generator.permutation(order)
    chosen = []
    for item in order[np.argsort(place[groups[order]], kind="stable")]:
        label = int(labels[item])
        if left[label] > 0:
            left[label] -= 1
            chosen.append(int(item))
    return np.sort(np.array(chosen, np.int64))
