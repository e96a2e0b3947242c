"""The forging operations: a region is taken, spoilt a little and blended back in.

Every forged frame goes the way of a real one: a region of a face (of another
person or of the same one at another moment) is moved into place, resampled,
recoloured and laid over the target through a soft mask. What a detector can
find is what such blending leaves: a seam, a region softer or grainier than its
surroundings, and a colour that does not quite fit.

All functions are pure: same arguments, same pixels; pixels where the mask is 0
are returned as they came.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from deepfake_lightning.data.demo.canvas import CANVAS, UNIT
from deepfake_lightning.data.demo.draw import FPS, Frame, canvas_positions
from deepfake_lightning.data.demo.identity import FloatArray
from deepfake_lightning.data.demo.recipe import Method, Recipe

Image = npt.NDArray[np.uint8]

# Centre (u, v) and half axes of the forged region, face units.
_REGIONS: dict[Method, tuple[float, float, float, float]] = {
    "swap": (0.0, 0.18, 0.60, 0.70),
    "reenact": (0.0, 0.16, 0.60, 0.70),
    "mouth": (0.0, 0.45, 0.50, 0.44),
    "render": (0.0, 0.16, 0.62, 0.72),
}
_STRIDE = 8
"""Distance of the lines of a grid, frame pixels: the stride of the network that is imitated."""


def region_mask(target: Frame, recipe: Recipe) -> FloatArray:
    """Soft mask of the forged region in the target's frame.

    Returns:
        (H, W) float32 in [0, 1]: 1 inside, exactly 0 outside.
    """
    x, y = canvas_positions(target.affine)
    cu, cv, half_u, half_v = _REGIONS[recipe.method]
    u = ((x - CANVAS / 2) / UNIT - cu) / (half_u * recipe.reach)
    v = ((y - CANVAS / 2) / UNIT - cv) / (half_v * recipe.reach)
    radius, angle = np.sqrt(u * u + v * v), np.arctan2(v, u)
    outline = np.ones_like(radius)
    for order, amplitude in enumerate(recipe.ripple, start=2):
        outline += np.float32(amplitude) * np.sin(order * angle)
    ramp = np.clip((outline - radius) / np.float32(recipe.feather), 0.0, 1.0)
    return np.asarray(ramp * ramp * (3.0 - 2.0 * ramp), dtype=np.float32)


def resample(image: FloatArray, detail: float) -> FloatArray:
    """Shrink (H, W, 3) by ``detail`` and enlarge it again, which softens it."""
    height, width = image.shape[:2]
    small = cv2.resize(
        image,
        (max(1, round(width * detail)), max(1, round(height * detail))),
        interpolation=cv2.INTER_AREA,
    )
    return np.asarray(
        cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.float32
    )


def blend(target: Image, region: FloatArray, mask: FloatArray) -> Image:
    """Lay ``region`` over ``target`` (H, W, 3) through ``mask`` (H, W).

    Returns:
        (H, W, 3) uint8, equal to ``target`` wherever ``mask`` is 0.
    """
    base = target.astype(np.float32)
    mixed = base + mask[..., None] * (region - base)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _placement(target: Frame, donor: Frame, recipe: Recipe) -> npt.NDArray[np.float64]:
    """(2, 3) map from the donor's frame to the target's, with the recipe's misfit."""
    to_target, to_donor = np.eye(3), np.eye(3)
    to_target[:2], to_donor[:2] = target.affine, donor.affine
    # The zoom keeps the middle of the region where it is.
    cu, cv = _REGIONS[recipe.method][:2]
    middle = to_target @ np.array([cu * UNIT + CANVAS / 2, cv * UNIT + CANVAS / 2, 1.0])
    misfit = np.diag([recipe.zoom, recipe.zoom, 1.0])
    misfit[:2, 2] = middle[:2] * (1.0 - recipe.zoom) + np.array(recipe.shift)
    placed = misfit @ to_target @ np.linalg.inv(to_donor)
    return np.asarray(placed[:2], dtype=np.float64)


def _grid(height: int, width: int) -> FloatArray:
    """(H, W, 1) float32 in [-1, 1] of mean 0, a wave of ``_STRIDE`` along both axes."""
    down = np.cos(2 * np.pi * np.arange(height) / _STRIDE)[:, None, None]
    right = np.cos(2 * np.pi * np.arange(width) / _STRIDE)[None, :, None]
    return np.asarray(0.5 * (down + right), dtype=np.float32)


def forge_frame(
    target: Frame, donor: Frame, recipe: Recipe, mask: FloatArray, pattern: FloatArray
) -> Image:
    """Forge one frame.

    Args:
        target: the frame that is forged.
        donor: the frame that the region is taken from.
        recipe: how the region is spoilt.
        mask: (H, W) float32 in [0, 1], see :func:`region_mask`.
        pattern: (H, W, 3) float32 noise of variance 1, the region's grain.

    Returns:
        (H, W, 3) uint8 RGB, equal to ``target.image`` wherever ``mask`` is 0.
    """
    height, width = target.image.shape[:2]
    region = cv2.warpAffine(
        donor.image.astype(np.float32),
        _placement(target, donor, recipe),
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    region = resample(region, recipe.detail)
    weight = mask[..., None] / max(float(mask.sum()), 1e-6)
    gap = ((target.image - region) * weight).sum(axis=(0, 1))
    region += recipe.match * gap + np.asarray(recipe.cast, dtype=np.float32)
    region += np.float32(recipe.grain) * pattern
    region += np.float32(recipe.grid) * _grid(height, width)
    return blend(target.image, np.asarray(region, dtype=np.float32), mask)


def forge_clip(
    target: list[Frame], source: list[Frame], recipe: Recipe, rng: np.random.Generator
) -> list[Image]:
    """Forge every frame of a clip.

    Args:
        target: the clip whose face is forged.
        source: a clip of another person, at least as long: the donor of ``swap``
            and ``mouth``, the driver of ``reenact``; ``render`` does not need it.
        recipe: how the clip is forged.
        rng: source of the grain's pattern.

    Returns:
        As many (H, W, 3) uint8 RGB frames as ``target`` has.
    """
    # One pattern for the whole clip, as generators leave: grain that changes with
    # every frame would make the fakes' clips the larger files.
    pattern = rng.standard_normal(target[0].image.shape, dtype=np.float32)
    forged = []
    for index, frame in enumerate(target):
        # A reenacted face shows the target's own face a third of a second later,
        # displaced as the source's head is displaced against its first frame.
        driven = recipe.method == "reenact"
        own = target[_later(index, len(target))] if driven else frame
        donor = source[index] if recipe.method in ("swap", "mouth") else own
        mask = region_mask(frame, recipe)
        moved = recipe
        if driven:
            step = 0.25 * (source[index].affine[:, 2] - source[0].affine[:, 2])
            moved = _moved(recipe, float(step[0]), float(step[1]))
        forged.append(forge_frame(frame, donor, moved, mask, pattern))
    return forged


def _later(index: int, count: int) -> int:
    """A third of a second after ``index``; time runs back from the last frame, without a jump."""
    period = max(1, 2 * (count - 1))
    later = (index + FPS // 3) % period
    return min(later, period - later)


def _moved(recipe: Recipe, right: float, down: float) -> Recipe:
    return replace(recipe, shift=(recipe.shift[0] + right, recipe.shift[1] + down))
