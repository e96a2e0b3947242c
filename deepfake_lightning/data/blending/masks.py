"""Masks of a face or a part of it, without a landmark network (section 3.2 of arXiv 2204.08376).

The paper takes the convex hull of 81 landmarks. Here shapes are drawn about the five points and the
box that a face detector gives, or where these usually are.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.data.blending.face_place import FacePlace

Mask = NDArray[np.float32]
Shape = Literal["face", "polygon", "lower", "eyes", "mouth"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
CHANCES = (0.35, 0.35, 0.1, 0.1, 0.1)
STRENGTHS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
PAPER_SIDE = 380
"""Side of the paper's pictures, pixels (section 4.1): its lengths are in pixels of these."""
SHAPE_SIDE = 96
"""Side of hard-edged masks, pixels: they are enlarged and blurred, and cost the same for all."""
_KERNELS = (5, 25)
_EDGE = 0.04  # of the side, in which a mask fades to nothing at the border


def draw_shape(shape: Shape, place: FacePlace, generator: np.random.Generator) -> Mask:
    """Return a hard-edged mask about a face, to be enlarged.

    Args:
        shape: ``face`` (a superellipse), ``polygon`` (a convex one), ``lower`` (the face below a
            line between eyes and nose), ``eyes`` or ``mouth``.
        place: where the face is.
        generator: of the proportions.

    Returns:
        float32 [SHAPE_SIDE, SHAPE_SIDE], 0 or 1, of the whole picture.
    """
    across, down = _face_axes(place)
    eyes, mouth = (_middle(place, part) for part in ((0, 1), (3, 4)))
    apart = float(np.linalg.norm(place.points[1] - place.points[0]))
    apart = max(apart, 0.3 * place.width)  # the eyes of a profile are close to each other
    long = max(float(np.linalg.norm(mouth - eyes)), 0.2 * place.height)
    if shape == "eyes":
        reach = (0.85 * apart, 0.4 * apart)
        return _superellipse(*_about(across, down, eyes), reach, generator)
    if shape == "mouth":
        return _superellipse(*_about(across, down, mouth), (0.6 * apart, 0.38 * long), generator)
    reach = (0.52 * place.width, 0.5 * place.height)
    if shape == "polygon":
        return _polygon(place, reach, generator)
    mask = _superellipse(across, down, reach, generator)
    if shape == "lower":
        _, below = _about(across, down, eyes)
        mask[below < long * generator.uniform(0.2, 0.6)] = 0
    return mask


def soften(mask: Mask, generator: np.random.Generator) -> Mask:
    """Blur a mask, shrink it, blur it again, and weaken it (section 3.2, "mask generation").

    Kernels are odd and 5 to 25 pixels wide in a picture of 380; shrinking zeroes what the first
    blur has touched; the result is multiplied by one of :data:`STRENGTHS`. A mask that shrinking
    would take away stays as large as it was. At the border of the picture every mask fades to 0,
    so that no seam is made there.

    Args:
        mask: float32 [H, W] in [0, 1].
        generator: of the kernels and the strength.

    Returns:
        float32 [H, W] in [0, 1], 0 at the border.
    """
    first, second = (_kernel(mask.shape, generator) for _ in range(2))
    blurred = cv2.GaussianBlur(mask, (first, first), 0)
    inner = np.where(blurred < 1 - 1e-3, np.float32(0), blurred)  # sums of a kernel are inexact
    blurred = cv2.GaussianBlur(inner if inner.any() else mask, (second, second), 0)
    strength = np.float32(generator.choice(STRENGTHS))
    faded = np.clip(blurred, 0, 1) * _fading(mask.shape) * strength
    return np.asarray(faded, np.float32)


def _kernel(shape: tuple[int, ...], generator: np.random.Generator) -> int:
    """Return an odd width, pixels."""
    width = generator.integers(_KERNELS[0], _KERNELS[1], endpoint=True)
    return 2 * round(float(width) * min(shape) / PAPER_SIDE / 2) + 1


def _fading(shape: tuple[int, ...]) -> Mask:
    """Return float32 [H, W]: 1, falling to 0 at the border."""
    ramps = []
    for length in shape:
        from_edge = np.minimum(np.arange(length), np.arange(length)[::-1])
        ramps.append(np.minimum(1, from_edge / max(1, round(_EDGE * length))))
    return np.outer(*ramps).astype(np.float32)


def _face_axes(place: FacePlace) -> tuple[Mask, Mask]:
    """Return the coordinates of each pixel along the axes of a face, from the picture's middle.

    Two float32 [SHAPE_SIDE, SHAPE_SIDE] in units of the picture's side: to the face's left and
    down it.
    """
    line = (np.arange(SHAPE_SIDE, dtype=np.float32) + np.float32(0.5)) / SHAPE_SIDE
    x, y = (line - np.float32(0.5))[None], (line - np.float32(0.5))[:, None]
    cos, sin = np.float32(math.cos(place.roll)), np.float32(math.sin(place.roll))
    return np.asarray(cos * x + sin * y), np.asarray(cos * y - sin * x)


def _middle(place: FacePlace, part: tuple[int, int]) -> NDArray[np.float32]:
    """Return the middle of two points, float32 [2], along the axes of :func:`_face_axes`."""
    x, y = place.points[list(part)].mean(axis=0) - np.float32(0.5)
    cos, sin = math.cos(place.roll), math.sin(place.roll)
    return np.array([cos * x + sin * y, cos * y - sin * x], np.float32)


def _about(across: Mask, down: Mask, middle: NDArray[np.float32]) -> tuple[Mask, Mask]:
    return across - middle[0], down - middle[1]


def _superellipse(
    across: Mask, down: Mask, reach: tuple[float, float], generator: np.random.Generator
) -> Mask:
    """Return 1 where ``|x / a|^n + |y / b|^n <= 1``; n is 2 (an ellipse) to 3.5 (rounded box)."""
    half = [np.float32(length * generator.uniform(0.8, 1.05)) for length in reach]
    power = np.float32(generator.uniform(2, 3.5))
    inside: NDArray[np.bool_] = (
        np.abs(across / half[0]) ** power + np.abs(down / half[1]) ** power <= 1
    )
    return inside.astype(np.float32)


def _polygon(place: FacePlace, reach: tuple[float, float], generator: np.random.Generator) -> Mask:
    """Return 1 inside the convex hull of 8 to 16 points near an ellipse."""
    count = int(generator.integers(8, 16, endpoint=True))
    angles = (np.arange(count) + generator.uniform(-0.4, 0.4, count)) * (2 * np.pi / count)
    away = generator.uniform(0.8, 1.1, count)
    across, down = np.cos(angles) * reach[0] * away, np.sin(angles) * reach[1] * away
    cos, sin = math.cos(place.roll), math.sin(place.roll)
    corners = np.stack([cos * across - sin * down, sin * across + cos * down], axis=1)
    pixels = (corners + 0.5) * SHAPE_SIDE - 0.5  # they count from the middle of the first
    hull = cv2.convexHull(pixels.round().astype(np.int32))
    mask = np.zeros((SHAPE_SIDE, SHAPE_SIDE), np.float32)
    cv2.fillConvexPoly(mask, hull, 1.0)
    return mask
