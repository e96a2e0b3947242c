"""The canvas that portraits are painted on, and the strokes they are painted with.

Canvas coordinates are face units: u to the right, v down, the origin between
eyes and mouth, one unit ``UNIT`` canvas pixels.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from deepfake_lightning.data.demo.identity import Colour, FloatArray

CANVAS = 400
"""Side of the square canvas, pixels."""
UNIT = 100.0
"""Canvas pixels per face unit."""
EYE_LEVEL = -0.12
MOUTH_LEVEL = 0.56
"""Heights of the eyes and of the mouth, face units."""


def canvas_grid() -> tuple[FloatArray, FloatArray]:
    """Face coordinates of the canvas pixels: two (CANVAS, CANVAS) float32 arrays."""
    axis = (np.arange(CANVAS, dtype=np.float32) + 0.5 - CANVAS / 2) / np.float32(UNIT)
    return np.tile(axis, (CANVAS, 1)), np.tile(axis[:, None], (1, CANVAS))


def coverage(implicit: npt.NDArray[np.floating[Any]], softness: float = 1.0) -> FloatArray:
    """Anti-aliased coverage of the region where ``implicit`` is negative.

    Args:
        implicit: (H, W) float, a function whose zero set is the outline.
        softness: width of the edge, pixels.

    Returns:
        (H, W) float32 in [0, 1].
    """
    down, right = np.gradient(implicit)
    slope = np.sqrt(down * down + right * right) + np.float32(1e-4)
    cover = np.clip(0.5 - implicit / (slope * np.float32(softness)), 0.0, 1.0)
    return np.asarray(cover, dtype=np.float32)


def paint(picture: FloatArray, cover: FloatArray, colour: Colour | FloatArray) -> None:
    """Lay ``colour`` over ``picture`` (H, W, 3) in place where ``cover`` (H, W) says so."""
    layer = np.asarray(colour, dtype=np.float32)
    picture += cover[..., None] * (layer - picture)


def bump(u: FloatArray, v: FloatArray, at: tuple[float, float], su: float, sv: float) -> FloatArray:
    """A Gaussian of height 1 at ``at`` with widths ``su`` and ``sv``, face units."""
    exponent = ((u - at[0]) / su) ** 2 + ((v - at[1]) / sv) ** 2
    return np.asarray(np.exp(np.float32(-0.5) * exponent), dtype=np.float32)


def noise(rng: np.random.Generator, sigma_u: float, sigma_v: float) -> FloatArray:
    """Canvas-sized Gaussian noise of variance 1, smoothed by so many pixels."""
    raw = rng.standard_normal((CANVAS, CANVAS), dtype=np.float32)
    smooth = cv2.GaussianBlur(raw, (0, 0), sigmaX=sigma_u, sigmaY=sigma_v)
    return np.asarray(smooth / smooth.std(), dtype=np.float32)
