"""Metrics that add up over items, from sums per group and how often each group was drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.metrics.checks import BoolArray, Float64Array, sigmoid

_BINS = 10


class Sums(NamedTuple):
    """Sums over items, float64 [...] each: counts of decisions, losses, and gaps [..., bins].

    ``loss`` is in nats, ``squares`` are of probability - label, ``gaps`` are of label -
    probability in each bin of equal width.
    """

    tn: Float64Array
    fp: Float64Array
    fn: Float64Array
    tp: Float64Array
    loss: Float64Array
    squares: Float64Array
    gaps: Float64Array

    @property
    def items(self) -> Float64Array:
        """How many items there are."""
        return self.tn + self.fp + self.fn + self.tp


def group_sums(values: Float64Array, fake: BoolArray, groups: NDArray[np.intp]) -> Float64Array:
    """Sums of each group, float64 [6 + bins, G], in the order of :class:`Sums`.

    Args:
        values: logits, float64 [N >= 1].
        fake: bool [N].
        groups: [N], 0 to G - 1.
    """
    # Sums of floats depend on the order of the rows, which is not to matter.
    order = np.lexsort((values, fake, groups))
    values, fake, groups = values[order], fake[order], groups[order]
    called, chance = values >= 0, sigmoid(values)
    loss = np.logaddexp(0.0, np.where(fake, -values, values))
    edges = np.linspace(0.0, 1.0, _BINS + 1)[1:-1]
    place = np.searchsorted(edges, chance, side="right") * (groups[-1] + 1) + groups
    columns = (~fake & ~called, ~fake & called, fake & ~called, fake & called,
               loss, (chance - fake) ** 2)  # fmt: skip
    totals = [np.bincount(groups, weights=one) for one in columns]
    gaps = np.bincount(place, weights=fake - chance, minlength=_BINS * (groups[-1] + 1))
    return np.vstack([*totals, gaps.reshape(_BINS, -1)])


def _share(part: Float64Array, whole: Float64Array) -> Float64Array:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


_FROM_SUMS: dict[str, Callable[[Sums], Float64Array]] = {
    "accuracy": lambda n: _share(n.tp + n.tn, n.items),
    "balanced_accuracy": lambda n: (_share(n.tp, n.tp + n.fn) + _share(n.tn, n.tn + n.fp)) / 2,
    "precision": lambda n: _share(n.tp, n.tp + n.fp),
    "recall": lambda n: _share(n.tp, n.tp + n.fn),
    "f1": lambda n: _share(2 * n.tp, 2 * n.tp + n.fp + n.fn),
    "log_loss": lambda n: _share(n.loss, n.items),
    "brier": lambda n: _share(n.squares, n.items),
    "ece": lambda n: _share(np.abs(n.gaps).sum(axis=-1), n.items),
}


def from_sums(
    times: Float64Array, sums: Float64Array, names: Iterable[str]
) -> dict[str, Float64Array]:
    """Metrics, float64 [B] by name, of draws ``times`` [B, G] of groups with ``sums`` [K, G]."""
    # einsum without optimize adds in one order, where a BLAS may split sums between its threads.
    drawn = np.einsum("bg,kg->kb", times, sums)
    tn, fp, fn, tp, loss, squares = drawn[:6]
    parts = Sums(tn, fp, fn, tp, loss, squares, gaps=drawn[6:].T)
    return {name: _FROM_SUMS[name](parts) for name in names}
