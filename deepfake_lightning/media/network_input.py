"""From a decoded picture to a network's input, the same at training and serving."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.schemas import Preprocess

Interpolation = Literal["area", "linear", "cubic"]
_INTERPOLATIONS = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}


def resize(image: NDArray[np.uint8], preprocess: Preprocess) -> NDArray[np.uint8]:
    """Return ``image`` (uint8 [H, W, 3]) at the input size, uint8 [size, size, 3]."""
    return resize_square(image, preprocess.size, preprocess.interpolation)


def resize_square(
    image: NDArray[np.uint8], size: int, interpolation: Interpolation
) -> NDArray[np.uint8]:
    """Return ``image`` (uint8 [H, W, 3]) as uint8 [size, size, 3]."""
    if image.shape[:2] == (size, size):
        return image
    flag = _INTERPOLATIONS[interpolation]
    return np.asarray(cv2.resize(image, (size, size), interpolation=flag), np.uint8)


def normalise(image: NDArray[np.uint8], preprocess: Preprocess) -> NDArray[np.float32]:
    """Return float32 [3, H, W], ``(pixel / 255 - mean) / std`` of uint8 [H, W, 3]."""
    levels = np.arange(256, dtype=np.float32)
    planes = np.empty((3, *image.shape[:2]), np.float32)
    for channel, (mean, std) in enumerate(zip(preprocess.mean, preprocess.std, strict=True)):
        # A table of the 256 levels: six times as fast as arithmetic on every pixel.
        table = (levels / 255 - np.float32(mean)) / np.float32(std)
        cv2.LUT(cv2.extractChannel(image, channel), table, dst=planes[channel])
    return planes


def to_input(image: NDArray[np.uint8], preprocess: Preprocess) -> NDArray[np.float32]:
    """Return a network's input, float32 [3, size, size], of a crop (uint8 [H, W, 3], RGB)."""
    return normalise(resize(image, preprocess), preprocess)
