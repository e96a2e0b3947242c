"""How a clip is forged: the methods, and the choices made once per clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Method = Literal["swap", "reenact", "mouth", "render"]

METHODS: tuple[Method, ...] = ("swap", "reenact", "mouth")
"""``swap``: the source's inner face on the target. ``reenact``: the target's own
inner face, moved as the source's head moves. ``mouth``: the source's lower face."""
LATER: tuple[Method, ...] = ("render",)
"""Those of another kind, for what a detector does when a new forgery appears. ``render``:
the target's whole face as if out of a network that upsamples. It has no seam, no foreign
colour and no softer region, but the grid that such networks leave (Odena et al. 2016,
"Deconvolution and checkerboard artifacts", doi:10.23915/distill.00003)."""


@dataclass(frozen=True)
class Recipe:
    """How one clip is forged; the same for all its frames.

    Attributes:
        method: which region is taken, and from whom.
        reach: factor on the region's size, about 1.
        ripple: amplitudes of the outline's second to fourth harmonics.
        feather: width of the soft edge as a part of the region's radius.
        shift: displacement of the region, frame pixels (x, y).
        zoom: magnification of the region, about 1.
        detail: resolution kept when the region is resampled, in (0, 1].
        grain: standard deviation of the noise pattern added to the region, grey levels.
        match: how far the region's mean colour is moved to the target's, 0 to 1.
        cast: colour added to the region, grey levels (R, G, B).
        grid: amplitude of the grid that upsampling leaves, grey levels.
    """

    method: Method
    reach: float
    ripple: tuple[float, float, float]
    feather: float
    shift: tuple[float, float]
    zoom: float
    detail: float
    grain: float
    match: float
    cast: tuple[float, float, float]
    grid: float = 0.0


def draw_recipe(rng: np.random.Generator, method: Method, turn: int) -> Recipe:
    """Choose how a clip is forged.

    Args:
        rng: source of the choices.
        method: the forging method.
        turn: number that alternates what would otherwise show in plain sight:
            brighter and darker regions, and softer (smaller files) and grainier
            (larger files) ones take turns, so neither mean colour nor file size
            tells fakes from real clips.

    Returns:
        The recipe.
    """
    if method == "render":
        return _rendered(rng)
    brighter, softer = turn % 2 == 0, (turn // 2) % 2 == 0
    warm = rng.uniform(-9.0, 9.0)
    level = rng.uniform(9.0, 16.0) * (1.0 if brighter else -1.0)
    cast = np.array([level + warm, level, level - warm]) + rng.uniform(-3.0, 3.0, 3)
    angle, distance = rng.uniform(0.0, 2 * np.pi), rng.uniform(1.5, 3.5)
    ripple = rng.uniform(-0.05, 0.05, 3)
    return Recipe(
        method=method,
        reach=float(rng.uniform(0.95, 1.08)),
        ripple=(float(ripple[0]), float(ripple[1]), float(ripple[2])),
        feather=float(rng.uniform(0.07, 0.13)),
        shift=(float(distance * np.cos(angle)), float(distance * np.sin(angle))),
        zoom=float(rng.uniform(1.03, 1.08) if rng.random() < 0.5 else rng.uniform(0.93, 0.97)),
        detail=float(rng.uniform(0.38, 0.5) if softer else rng.uniform(0.65, 0.8)),
        grain=float(0.0 if softer else rng.uniform(5.0, 7.0)),
        match=float(rng.uniform(0.85, 0.95)),
        cast=(float(cast[0]), float(cast[1]), float(cast[2])),
    )


def _rendered(rng: np.random.Generator) -> Recipe:
    """Choose how a face is rendered: all of it is the target's own, but for the grid."""
    return Recipe(
        method="render",
        reach=float(rng.uniform(0.95, 1.08)),
        ripple=(0.0, 0.0, 0.0),
        feather=float(rng.uniform(0.5, 0.7)),
        shift=(0.0, 0.0),
        zoom=1.0,
        detail=float(rng.uniform(0.9, 1.0)),
        grain=0.0,
        match=1.0,
        cast=(0.0, 0.0, 0.0),
        grid=float(rng.uniform(9.0, 14.0)),
    )
