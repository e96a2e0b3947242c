"""Deletion and insertion: does a heat map point at what the score hangs on? Pure.

Petsiuk, Das & Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC
2018, section 4.1. Deletion takes the most important pixels away first: the sooner the score falls,
the smaller the area under its curve, the better the map. Insertion brings them back first, into a
blurred picture: the larger the area, the better. Here pixels go in square cells, so that an order
by the map, a random one and one from the middle outwards differ in nothing but the order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import UsageError

GRID = 8
"""Cells on a side."""
STEPS = 16
"""Steps from the whole picture to none of it."""
_BLUR = 5 / 224
"""Standard deviation of the blur over the side: 5 pixels of 224, as in the paper's code."""

Kind = Literal["deletion", "insertion"]
KINDS: tuple[Kind, Kind] = ("deletion", "insertion")
Floats = NDArray[np.float32]
Score = Callable[[Floats], NDArray[np.float64]]
"""Network inputs float32 [N, 3, S, S] -> scores in [0, 1], float64 [N]."""


@dataclass(frozen=True)
class Curve:
    """Scores while a picture is taken away or brought back.

    Attributes:
        scores: after 0, 1, ... of all steps, each in [0, 1].
        area: below them, in [0, 1].
    """

    scores: tuple[float, ...]
    area: float


@dataclass(frozen=True)
class Faithfulness:
    """How the score of one face follows a heat map, and how it follows nothing of the kind.

    Attributes:
        kind: deletion (a small area is good) or insertion (a large one).
        map: in the map's order.
        centre: from the middle outwards: what any map of faces has to beat to be of use.
        random: the mean over random orders.
        random_areas: of each random order.
    """

    kind: Kind
    map: Curve
    centre: Curve
    random: Curve
    random_areas: tuple[float, ...]

    @property
    def beats_random(self) -> bool:
        """Whether the map's order is better than each of the random ones."""
        if self.kind == "deletion":
            return self.map.area < min(self.random_areas)
        return self.map.area > max(self.random_areas)

    @property
    def beats_centre(self) -> bool:
        """Whether the map's order is better than from the middle outwards."""
        gain = self.centre.area - self.map.area
        return gain > 0 if self.kind == "deletion" else gain < 0


def faithfulness(
    image: Floats, heat: Floats, score: Score, *, orders: int = 5, seed: int = 0
) -> tuple[Faithfulness, Faithfulness]:
    """Return deletion and insertion of one face.

    Args:
        image: the network's input, float32 [3, S, S]; 0 is the colour that is put in place of what
            is taken away.
        heat: the map, float32 [G, G] of any size; larger raises the score more.
        score: the network.
        orders: random orders, at least 1.
        seed: of them.
    """
    if orders < 1:
        raise UsageError(f"{orders} random orders are none", next_step="take one or more")
    generator = np.random.default_rng(seed)
    ways = {"map": cell_order(heat), "centre": cell_order(centre_gaussian(GRID))}
    ways |= {f"random {n}": generator.permutation(GRID * GRID) for n in range(orders)}
    size = image.shape[-1]
    masks = {name: cell_masks(order, size) for name, order in ways.items()}
    empty, blurred = np.zeros_like(image), _blurred(image)
    return (
        _measured("deletion", masks, lambda gone: np.where(gone, empty, image), score),
        _measured("insertion", masks, lambda back: np.where(back, image, blurred), score),
    )


def _measured(
    kind: Kind,
    masks: Mapping[str, NDArray[np.bool_]],
    mixed: Callable[[NDArray[np.bool_]], Floats],
    score: Score,
) -> Faithfulness:
    curves = {name: _curve(score(mixed(mask[:, None]))) for name, mask in masks.items()}
    random = [curve for name, curve in curves.items() if name.startswith("random")]
    mean = _curve(np.mean([curve.scores for curve in random], axis=0))
    areas = tuple(curve.area for curve in random)
    return Faithfulness(kind, curves["map"], curves["centre"], mean, areas)


def _curve(scores: NDArray[np.float64]) -> Curve:
    return Curve(tuple(float(score) for score in scores), area(scores))


def area(scores: Sequence[float] | NDArray[np.float64]) -> float:
    """Return the area below scores at even distances from 0 to 1, by the trapezoid rule."""
    values = np.asarray(scores, np.float64)
    return float(np.trapezoid(values, dx=1 / (len(values) - 1)))


def cell_order(heat: Floats, grid: int = GRID) -> NDArray[np.int64]:
    """Return the cells of a map [G, G] (any G), the highest first: int64 [grid * grid]."""
    flag = cv2.INTER_AREA if heat.shape[0] > grid else cv2.INTER_LINEAR
    cells = cv2.resize(np.asarray(heat, np.float32), (grid, grid), interpolation=flag)
    return np.argsort(-cells.ravel(), kind="stable")


def cell_masks(order: NDArray[np.int64], size: int, steps: int = STEPS) -> NDArray[np.bool_]:
    """Return which pixels are taken after each step, bool [steps + 1, size, size].

    Args:
        order: the cells, a permutation of [grid * grid].
        size: side of the picture, pixels.
        steps: from none of the cells to all.
    """
    grid = int(np.sqrt(len(order)))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    line = np.arange(size) * grid // size
    of_pixel = rank.reshape(grid, grid)[line[:, None], line]
    taken = np.arange(steps + 1) * len(order) // steps
    return np.asarray(of_pixel < taken[:, None, None])


def centre_gaussian(side: int) -> Floats:
    """Return a Gaussian in the middle, float32 [side, side], a quarter of the side wide."""
    line = (np.arange(side) - (side - 1) / 2) / (side / 4)
    return np.asarray(np.exp(-(line[:, None] ** 2 + line**2) / 2), np.float32)


def _blurred(image: Floats) -> Floats:
    planes = np.ascontiguousarray(image.transpose(1, 2, 0))
    sigma = _BLUR * image.shape[-1]
    return np.asarray(cv2.GaussianBlur(planes, (0, 0), sigma), np.float32).transpose(2, 0, 1)
