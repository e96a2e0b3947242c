"""Scores of clips that resemble each other by person."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

Table = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]


@pytest.fixture(scope="session")
def clips() -> Callable[..., Table]:
    """Return a function that draws logits, labels and groups of clips."""

    def draw(seed: int, count: int = 300, people: int = 25, ties: bool = False) -> Table:
        rng = np.random.default_rng(seed)
        groups = rng.integers(0, people, count)
        labels = rng.integers(0, 2, count)
        logits = rng.normal(size=count) + 2 * labels - 1 + rng.normal(size=people)[groups]
        return (np.round(logits * 2) / 2 if ties else logits), labels, groups

    return draw
