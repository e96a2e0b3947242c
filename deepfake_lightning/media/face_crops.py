"""The picture of a face: a square cut out of its frame."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.media.face_detector import Face
from deepfake_lightning.media.network_input import Interpolation, resize_square

_SHARPNESS_SIDE = 112


def crop_face(
    image: NDArray[np.uint8],
    face: Face,
    *,
    margin: float,
    size: int,
    align: bool = False,
    interpolation: Interpolation = "area",
) -> NDArray[np.uint8]:
    """Return the square around a face, uint8 [size, size, 3].

    Its side is ``margin`` times the longer side of the box, about the box's centre. Pixels are
    taken as they are and resized once; with ``align`` they are turned about the centre first, so
    that the eyes are level. Beyond the border of the frame the border is repeated.

    Args:
        image: uint8 [H, W, 3], RGB.
        face: in pixels of ``image``.
        margin: 1 for the box itself.
        size: side of the result, pixels.
        align: turn the eyes level.
        interpolation: of the resizing.
    """
    x, y, width, height = face.box
    centre = (x + width / 2, y + height / 2)
    side = max(2, round(margin * face.size))
    left, top = round(centre[0] - side / 2), round(centre[1] - side / 2)
    if align:
        return resize_square(_turned(image, face, left, top, side), size, interpolation)
    return resize_square(window(image, left, top, side), size, interpolation)


def window(image: NDArray[np.uint8], left: int, top: int, side: int) -> NDArray[np.uint8]:
    """Return a square of a picture, its border repeated where the square reaches beyond.

    Args:
        image: uint8 [H, W, 3].
        left: its first column; it may lie outside.
        top: its first row.
        side: pixels.

    Returns:
        uint8 [side, side, 3], a copy.
    """
    height, width = image.shape[:2]
    if left >= 0 and top >= 0 and left + side <= width and top + side <= height:
        # A copy: a view would keep the whole frame in memory.
        return image[top : top + side, left : left + side].copy()
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    return image[rows[:, None], columns[None]]


def _turned(
    image: NDArray[np.uint8], face: Face, left: int, top: int, side: int
) -> NDArray[np.uint8]:
    """Return the square, turned about its centre so that the line of the eyes is level."""
    across, down = (float(value) for value in face.landmarks[1] - face.landmarks[0])
    # The middle of the square in numbers of pixels, which count from the middle of the first.
    middle = (left + (side - 1) / 2, top + (side - 1) / 2)
    turn = cv2.getRotationMatrix2D(middle, math.degrees(math.atan2(down, across)), 1.0)
    turn[:, 2] -= (left, top)
    return np.asarray(
        cv2.warpAffine(
            image, turn, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        ),
        np.uint8,
    )


def sharpness(image: NDArray[np.uint8]) -> float:
    """Return how sharp a crop is: the variance of its Laplacian.

    The picture is made grey and brought to 112 x 112 pixels first, so that the number does not
    depend on the size of the face, and the Laplacian is that of the four neighbours (Pech-Pacheco
    et al. 2000, doi:10.1109/ICPR.2000.903548).

    Args:
        image: uint8 [H, W, 3], RGB.

    Returns:
        0 or more, grey levels squared.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    size = (_SHARPNESS_SIDE, _SHARPNESS_SIDE)
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(small, cv2.CV_64F).var())
