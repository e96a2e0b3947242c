"""How often each group is drawn, in blocks and in threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import UsageError
from deepfake_lightning.metrics.checks import Float64Array

DRAWS = 2000
"""Of a bootstrap, unless told otherwise."""

_AT_ONCE = 2**17  # weights of rows: what fits a core's cache
_SMALL = 2**22  # weights in all below which threads cost more than they bring
_THREADS = min(os.cpu_count() or 1, 8)


def check_draws(draws: int) -> None:
    """Raise a ``UsageError`` where nothing would be drawn."""
    if draws < 1:
        raise UsageError(f"a bootstrap needs at least one draw, not {draws}")


def resample(
    groups: NDArray[np.intp], draws: int, seed: int, use: Callable[[int, Float64Array], None]
) -> None:
    """Call ``use(start, times)`` for the draws from number ``start`` on, in blocks, in threads.

    ``times`` is float64 [B, G]: how often each group was drawn. The size of a block depends on
    the data alone, and each has its own generator, so that no thread waits for another's.
    """
    count = int(groups.max()) + 1
    size = max(1, min(draws, _AT_ONCE // groups.size))

    def one(start: int) -> None:
        block = min(size, draws - start)
        generator = np.random.default_rng([seed, start])
        drawn = generator.integers(0, count, (block, count)) + count * np.arange(block)[:, None]
        times = np.bincount(drawn.ravel(), minlength=block * count).reshape(block, count)
        use(start, times.astype(np.float64))

    _each(one, range(0, draws, size), groups.size * draws)


def _each(one: Callable[[int], None], starts: Iterable[int], work: int) -> None:
    """Call ``one`` for every start; numpy computes outside the lock that threads share."""
    if work < _SMALL or _THREADS == 1:
        for start in starts:
            one(start)
        return
    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(one, starts):
            pass
