"""A heat map against the mask of what was altered, where that is known. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import DataError

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Overlap:
    """How much of a map lies on a mask.

    Attributes:
        hit: the pointing game: the middle of the map's highest field lies in the mask (Zhang et
            al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016, section 4.1, without
            its tolerance of 15 pixels).
        energy: share of the map's positive values in the mask (the energy-based pointing game of
            Wang et al., "Score-CAM", CVPR Workshops 2020, section 4.3); None where none is
            positive. A map that is the same everywhere has the mask's share of the picture.
        iou: intersection over union of the mask and the map's highest pixels, as many as the mask
            has: no threshold is chosen.
        share: of the picture in the mask: what a map that knows nothing gets as ``hit`` and
            ``energy``, on average.
    """

    hit: bool
    energy: float | None
    iou: float
    share: float


def overlap(heat: Floats, mask: Mask) -> Overlap:
    """Hold a map [G, G] against a mask, bool [S, S], which covers some of the picture.

    The map is enlarged as such maps are shown, by linear interpolation.

    Raises:
        DataError: they are not square, or the mask is empty.
    """
    if heat.shape != (len(heat), len(heat)) or mask.shape != (len(mask), len(mask)):
        raise DataError(f"a map of {heat.shape} or a mask of {mask.shape} is not square")
    inside, size = int(mask.sum()), len(mask)
    if not inside:
        raise DataError("the mask is empty: nothing was altered")
    # Not of the enlarged map: at the border it is flat, and its first pixel would be the corner.
    row, column = np.unravel_index(int(np.argmax(heat)), heat.shape)
    middle = [int((place + 0.5) * size / len(heat)) for place in (row, column)]
    pixels = cv2.resize(heat.astype(np.float32), mask.shape, interpolation=cv2.INTER_LINEAR)
    positive = np.maximum(pixels.astype(np.float64), 0)
    total = float(positive.sum())
    highest = np.zeros(mask.size, bool)
    highest[np.argsort(-pixels.ravel(), kind="stable")[:inside]] = True
    both = int((highest & mask.ravel()).sum())
    return Overlap(
        hit=bool(mask[middle[0], middle[1]]),
        energy=float(positive[mask].sum()) / total if total > 0 else None,
        iou=both / (2 * inside - both),
        share=inside / mask.size,
    )
