"""How good the picture of a face is, in a few numbers.

They are compared between the pictures of training and those of production: where they differ, the
detector meets pictures that it has not learnt from.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.media.face_crops import sharpness

QUALITY_FEATURES: tuple[str, ...] = (
    "brightness",
    "contrast",
    "saturation",
    "sharpness",
    "noise",
    "blockiness",
)
_SIDE = 112  # as in ``sharpness``
_BLOCK = 8  # the side of a JPEG's blocks, pixels
_SECOND_DIFFERENCE = np.array([1.0, -2.0, 1.0])


def quality(image: NDArray[np.uint8]) -> dict[str, float]:
    """Return the image-quality features of a face crop.

    Luma is that of ITU-R BT.601. The first four features are measured at 112 x 112 pixels, so
    that they hardly depend on the size of the crop. Noise and blockiness belong to the grid of
    pixels and are measured on the picture as it is: shrinking averages noise away and leaves the
    detail of the face, which would be taken for noise.

    Args:
        image: uint8 [H, W, 3], RGB, of 1 x 1 pixels or more.

    Returns:
        a finite number for each of ``QUALITY_FEATURES``:

        - ``brightness``: mean of the luma, 0 to 255.
        - ``contrast``: standard deviation of the luma, 0 to 127.5.
        - ``saturation``: mean over the pixels of the largest minus the smallest channel, 0 to
          255. HSV divides this by the largest channel, which makes much of the noise in shadows.
        - ``sharpness``: see ``sharpness``, grey levels squared.
        - ``noise``: see ``noise``, grey levels.
        - ``blockiness``: see ``blockiness``, a ratio, 1 for none.
    """
    grey = _luma(image)
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    brightness, contrast = cv2.meanStdDev(_luma(small))
    red, green, blue = cv2.split(small)
    largest = cv2.max(cv2.max(red, green), blue)
    smallest = cv2.min(cv2.min(red, green), blue)
    return {
        "brightness": float(brightness[0, 0]),
        "contrast": float(contrast[0, 0]),
        "saturation": float(cv2.mean(cv2.subtract(largest, smallest))[0]),
        "sharpness": sharpness(image),
        "noise": noise(grey),
        "blockiness": blockiness(grey),
    }


def noise(grey: NDArray[np.uint8]) -> float:
    """Return an estimate of the standard deviation of white noise in a picture.

    The mean absolute response to the difference of two Laplacians, [1, -2, 1] along the rows and
    along the columns, scaled to what Gaussian noise of standard deviation 1 gives (Immerkaer
    1996, "Fast noise variance estimation", doi:10.1006/cviu.1996.0060). Fine texture adds to it,
    and levels that are cut off at 0 or 255 take from it.

    Args:
        grey: uint8 [H, W].

    Returns:
        0 or more, grey levels; 0 where a side is below 3 pixels.
    """
    height, width = grey.shape
    if min(height, width) < 3:
        return 0.0
    # Exact in 16 bits: 8 x 255 at most.
    response = cv2.sepFilter2D(grey, cv2.CV_16S, _SECOND_DIFFERENCE, _SECOND_DIFFERENCE)
    # Along the border the filter sees pixels that are made up.
    total = float(cv2.norm(np.ascontiguousarray(response[1:-1, 1:-1]), cv2.NORM_L1))
    pixels = (height - 2) * (width - 2)
    return float(math.sqrt(math.pi / 2) * total / (6 * pixels))


def blockiness(grey: NDArray[np.uint8]) -> float:
    """Return how strongly the 8 x 8 grid of JPEG shows in a picture.

    The mean absolute difference of neighbours on both sides of a block's border, over that of
    neighbours within a block: the features B and A of Wang, Sheikh and Bovik 2002 ("No-reference
    perceptual quality assessment of JPEG compressed images", doi:10.1109/ICIP.2002.1038064), here
    over rows and columns together. One grey level is added to each, so that a flat picture gives
    1 and a nearly flat one no huge number.

    The grid is looked for where a JPEG of this very picture has it, from the first pixel on. In
    a crop that was cut elsewhere or resized after decoding it is not seen.

    Args:
        grey: uint8 [H, W].

    Returns:
        between 1/256 and 256; about 1 without a grid, and 1 where there is no border of blocks.
    """
    across = cv2.absdiff(grey[:, 1:], grey[:, :-1]) if grey.shape[1] > _BLOCK else None
    down = cv2.absdiff(grey[1:], grey[:-1]) if grey.shape[0] > _BLOCK else None
    border = within = 0.0
    border_count = within_count = 0
    for differences, axis in ((across, 0), (down, 1)):
        if differences is None:
            continue
        sums = cv2.reduce(differences, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel()
        at_border = sums[_BLOCK - 1 :: _BLOCK]
        length = differences.shape[axis]
        border += int(at_border.sum())
        within += int(sums.sum()) - int(at_border.sum())
        border_count += at_border.size * length
        within_count += (sums.size - at_border.size) * length
    if border_count == 0:
        return 1.0
    return (border / border_count + 1) / (within / within_count + 1)


def _luma(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
