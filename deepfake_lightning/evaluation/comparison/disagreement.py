"""The items on which detectors disagree most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.evaluation.comparison.items import CommonItems
from deepfake_lightning.metrics import sigmoid

MOST = 20


@dataclass(frozen=True)
class Disagreement:
    """One item and what each detector says of it.

    Attributes:
        item: its name.
        label: 0 real, 1 fake.
        scores: by detector, 0 to 1: probability of fake, or place in its own ranking.
        apart: the highest score less the lowest.
        right: the detectors that are right, or nearest to it where there are ranks only.
    """

    item: str
    label: int
    scores: Mapping[str, float]
    apart: float
    right: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return {
            "item": self.item,
            "label": self.label,
            "scores": dict(self.scores),
            "apart": self.apart,
            "right": list(self.right),
        }


def how_far_apart(ranks: bool) -> str:
    """Return what the scores of :func:`disagreements` are and who is right, in words."""
    if ranks:
        return (
            "the share of items that the detector scores lower, from 0 to 1, since not all scores"
            " are probabilities; nearest to the truth is who ranks a fake highest, a real lowest"
        )
    return "the probability of fake; right is who is on the label's side of 0.5"


def disagreements(
    items: CommonItems, names: Sequence[str], ranks: bool
) -> tuple[Disagreement, ...]:
    """Return the items with the largest differences of score, at most :data:`MOST`.

    Args:
        items: that all scored.
        names: of the detectors.
        ranks: compare places in the rankings, not probabilities.
    """
    scores = placed(items.logits) if ranks else sigmoid(items.logits)
    apart = np.ptp(scores, axis=0)
    order = np.argsort(-apart, kind="stable")[:MOST]
    return tuple(
        Disagreement(
            items.names[at],
            int(items.labels[at]),
            dict(zip(names, scores[:, at].tolist(), strict=True)),
            float(apart[at]),
            _right(scores[:, at], int(items.labels[at]), names, ranks),
        )
        for at in order.tolist()
        if apart[at] > 0
    )


def placed(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of items that score lower, ties half, float64 [S, N] of [S, N] scores."""
    from scipy.stats import rankdata

    return np.asarray((rankdata(scores, axis=1) - 0.5) / scores.shape[1], dtype=np.float64)


def _right(
    scores: NDArray[np.float64], label: int, names: Sequence[str], ranks: bool
) -> tuple[str, ...]:
    off = np.abs(scores - label)
    right = off == off.min() if ranks else (scores >= 0.5) == bool(label)
    return tuple(name for name, yes in zip(names, right.tolist(), strict=True) if yes)
