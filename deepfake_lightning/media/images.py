"""Still pictures: one decoder, and a check that finds what it would silently repair."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepfake_lightning.errors import MediaError, MediaLimitError
from deepfake_lightning.media.image_headers import (
    JPEG_END,
    JPEG_START,
    PNG_END,
    PNG_START,
    claims_too_much,
    jpeg_frame,
    picture_size,
    starts_like_picture,
    tiff_with_alpha,
)

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff"})
VIDEO_SUFFIXES = frozenset({
    ".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".wmv", ".3gp", ".flv", ".mts",
    ".m2ts", ".ogv",
})  # fmt: skip
MAX_BYTES = 64 * 1024 * 1024
MAX_PIXELS = 100_000_000
# What Pillow raises, by format and by place of the damage.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def media_kind(source: Path | bytes) -> Literal["image", "video"]:
    """Return whether media are to be read as a picture or as a video.

    A file's suffix tells; where it does not, and of bytes, the first of them do: what does not
    begin like a picture is tried as a video.
    """
    if isinstance(source, bytes):
        return "image" if starts_like_picture(source[:16]) else "video"
    suffix = source.suffix.lower()
    if suffix in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
        return "image" if suffix in IMAGE_SUFFIXES else "video"
    try:
        with source.open("rb") as file:
            return media_kind(file.read(16))
    except (OSError, ValueError):  # whoever reads it says what is wrong with it
        return "image"


def read_image(source: Path | bytes, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode a picture from a file, or from its bytes.

    Args:
        source: which.
        max_pixels: that it may claim.

    Returns:
        uint8 [H, W, 3], RGB, turned upright as its EXIF orientation says; grey, palette, CMYK
        and transparent pictures become RGB, and of 16 bits the upper 8 are kept.

    Raises:
        MediaError: it is missing, empty, too large or not a JPEG, PNG, WebP, BMP or TIFF; the
            message begins with the path, or with ``the upload``.
    """
    data, known = _read_bytes(source, max_pixels)
    image = _decode(data, known, cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise MediaError(
            f"{_name(source)} cannot be decoded",
            why="it is damaged, or not a JPEG, PNG, WebP, BMP or TIFF picture",
            next_step="replace or remove the file",
        )
    return image


def inspect_image(path: Path) -> tuple[str | None, int]:
    """Read a picture once and return what is wrong with it, or None, and a digest of its bytes.

    Decoders fill the missing half of a truncated file with grey and say nothing, which
    would teach a network that grey means fake. So the end is checked as well as
    whether the picture decodes (at an eighth of its size: the whole stream is read,
    few pixels are made).

    Returns:
        the fault, and a signed 64-bit blake2b digest of the file (0 where it cannot be read).
    """
    try:
        data, known = _read_bytes(path)
    except MediaError as error:
        return error.what.removeprefix(f"{path} "), 0
    digest = hashlib.blake2b(data, digest_size=8).digest()
    return _fault(data, known), int.from_bytes(digest, "big", signed=True)


def _fault(data: bytes, known: bool) -> str | None:
    if _is_truncated(data):
        return "is truncated"
    image = _decode(data, known, cv2.IMREAD_REDUCED_GRAYSCALE_8)
    return "is not a picture" if image is None else None


def _is_truncated(data: bytes) -> bool:
    """Return whether a JPEG or PNG lacks its end; phones write more bytes after the end marker."""
    tail = data[-64:].rstrip(b"\0")
    if data.startswith(JPEG_START):
        # A download cut short can be filled up with zeros, which decode as grey: the marker has
        # to be there, and after the header, where thumbnails have one of their own.
        if tail.endswith(JPEG_END):
            return False
        if data.find(JPEG_END, jpeg_frame(data)) < 0:
            return True
    elif not data.startswith(PNG_START) or tail.endswith(PNG_END):
        return False
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except _DAMAGE:
        return True
    return False


def _read_bytes(source: Path | bytes, max_pixels: int = MAX_PIXELS) -> tuple[bytes, bool]:
    """Return a picture within the limits, and whether it is of a kind whose size is known."""
    name = _name(source)
    try:
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if size == 0:
            raise MediaError(f"{name} is empty")
        if size > MAX_BYTES:
            raise MediaLimitError(
                f"{name} has {size:,} bytes, more than the limit of {MAX_BYTES:,}"
            )
        data = source if isinstance(source, bytes) else source.read_bytes()
    except FileNotFoundError as error:
        raise MediaError(f"{name} does not exist", next_step="check the root and path") from error
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        fault = getattr(error, "strerror", None) or error
        raise MediaError(f"{name} cannot be read: {fault}") from error
    if claims_too_much(data):
        raise MediaError(
            f"{name} is damaged: a part of it claims more bytes than there are",
            why="a decoder would take memory for all that is claimed",
            next_step="fetch it again, or remove it",
        )
    width, height = picture_size(data)
    if width * height > max_pixels:
        raise MediaLimitError(
            f"{name} claims {width} x {height} pixels, more than the limit of {max_pixels:,}",
            why="a small file can claim more pixels than memory holds",
            next_step="shrink or remove it",
        )
    return data, width > 0 and height > 0


def _name(source: Path | bytes) -> str:
    return "the upload" if isinstance(source, bytes) else str(source)


def _decode(data: bytes, known: bool, flag: int) -> NDArray[np.uint8] | None:
    """Return the pixels, or None for what does not decode or is none of the known kinds."""
    if not known:  # it could claim any size
        return None
    if flag == cv2.IMREAD_COLOR_RGB and (tiff := tiff_with_alpha(data)):
        upright = _without_alpha(*tiff)
        if upright is not None:
            return upright
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error:
        return None
    return None if image is None else np.asarray(image, np.uint8)


def _without_alpha(data: bytes, orientation: int) -> NDArray[np.uint8] | None:
    """Return RGB, upright, of a TIFF with alpha whose own orientation has been taken out.

    OpenCV darkens the colours of a TIFF by its transparency, but not those of a PNG or WebP.
    Pillow does not, but versions of it turn such TIFFs twice, so they are turned here.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            rgb = np.array(image.convert("RGB"), np.uint8)
    except _DAMAGE:
        return None
    if orientation in (5, 6, 7, 8):  # columns and rows are swapped
        rgb = rgb.transpose(1, 0, 2)
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    return np.ascontiguousarray(rgb[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1])
