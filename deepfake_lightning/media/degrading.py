"""What platforms do to pictures: pure functions of pixels, a severity and a generator.

Pictures are uint8 [H, W, 3], RGB, of any size, and stay so. What the size changes with is said.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


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
    """Return the file that :func:`jpeg` decodes."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


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
    grain = generator.standard_normal(image.shape, np.float32)
    return _rounded(image + np.float32(sigma) * grain)


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
    lit = image * gain.astype(np.float32)
    grey = lit @ np.array([0.299, 0.587, 0.114], np.float32)  # luma of ITU-R BT.601
    vivid = grey[..., None] + np.float32(1 + strength * saturation) * (lit - grey[..., None])
    return _rounded(vivid)


def crop(image: Picture, share: float, generator: np.random.Generator) -> Picture:
    """Cut off ``share`` in [0, 1) of the width and of the height; where, is drawn."""
    at = []
    for side, place in zip(image.shape[:2], generator.random(2), strict=True):
        kept = max(1, round(side * (1 - share)))
        start = round(place * (side - kept))
        at.append(slice(start, start + kept))
    return np.ascontiguousarray(image[at[0], at[1]])


def _rounded(levels: NDArray[np.float32]) -> Picture:
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)
