"""What platforms do to pictures: pure functions of pixels, a severity and a generator.

Pictures are uint8 [H, W, 3], RGB, of any size, and stay so. What the size changes with is said.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import MediaError

Picture = NDArray[np.uint8]

_STRIPE = 256  # rows that are floats at a time: of a whole picture they are 50 bytes a pixel


def jpeg(image: Picture, quality: int) -> Picture:
    """Compress once and decode again.

    Args:
        image: the picture.
        quality: 1 to 100, as libjpeg scales its tables by; colours at half the resolution.
    """
    return np.asarray(
        cv2.imdecode(np.frombuffer(jpeg_bytes(image, quality), np.uint8), cv2.IMREAD_COLOR_RGB),
        np.uint8,
    )


def jpeg_bytes(image: Picture, quality: int) -> bytes:
    """Return the file that :func:`jpeg` decodes.

    Raises:
        MediaError: JPEG cannot hold it: a side has more than 65,500 pixels.
    """
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    try:
        done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error:
        done = False
    if not done:
        height, width = image.shape[:2]
        raise MediaError(f"{width:,} x {height:,} pixels cannot be written as JPEG")
    return bytes(data)


def downscale(image: Picture, factor: float) -> Picture:
    """Shrink both sides by ``factor`` in (0, 1], averaging areas; it stays small."""
    height, width = image.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def blur(image: Picture, sigma: float) -> Picture:
    """Blur with a Gaussian of ``sigma`` pixels, mirrored at the border."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def noise(image: Picture, sigma: float, generator: np.random.Generator) -> Picture:
    """Add white Gaussian noise of ``sigma`` grey levels, each channel its own."""

    def add(stripe: Picture) -> NDArray[np.float32]:
        return stripe + np.float32(sigma) * generator.standard_normal(stripe.shape, np.float32)

    return _by_stripes(image, add)


def colour(image: Picture, strength: float, generator: np.random.Generator) -> Picture:
    """Shift exposure, white balance and saturation, each up or down as is drawn.

    Args:
        image: the picture.
        strength: 0 to 0.5: of the exposure; white balance shifts by 0.4 of it from blue to red,
            saturation by all of it.
        generator: draws the three directions.
    """
    exposure, warmth, saturation = generator.choice([-1.0, 1.0], 3)
    gain = 1 + strength * (exposure + 0.4 * warmth * np.array([1.0, 0.0, -1.0]))
    luma = np.array([0.299, 0.587, 0.114], np.float32)  # of ITU-R BT.601

    def shift(stripe: Picture) -> NDArray[np.float32]:
        lit = stripe * gain.astype(np.float32)
        grey = (lit @ luma)[..., None]
        return np.asarray(grey + np.float32(1 + strength * saturation) * (lit - grey), np.float32)

    return _by_stripes(image, shift)


def crop(image: Picture, share: float, generator: np.random.Generator) -> Picture:
    """Cut off ``share`` in [0, 1) of the width and of the height; where, is drawn."""
    at = []
    for side, place in zip(image.shape[:2], generator.random(2), strict=True):
        kept = max(1, round(side * (1 - share)))
        start = round(place * (side - kept))
        at.append(slice(start, start + kept))
    return np.ascontiguousarray(image[at[0], at[1]])


def _by_stripes(image: Picture, change: Callable[[Picture], NDArray[np.float32]]) -> Picture:
    """Return a picture changed stripe by stripe, from the top, and rounded."""
    out = np.empty_like(image)
    for top in range(0, len(image), _STRIPE):
        levels = change(image[top : top + _STRIPE])
        out[top : top + _STRIPE] = np.clip(np.rint(levels), 0, 255)
    return out
