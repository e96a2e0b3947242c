"""Still pictures: one decoder, and a check that finds what it would silently repair."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import MediaError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".wmv"})
MAX_BYTES = 64 * 1024 * 1024
MAX_PIXELS = 100_000_000

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_NO_FRAME_HEADER = frozenset({0xC4, 0xC8, 0xCC})  # tables among the SOF markers
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


def read_image(path: Path) -> NDArray[np.uint8]:
    """Decode a picture.

    Returns:
        uint8 [H, W, 3], RGB, turned upright as its EXIF orientation says; grey and
        transparent pictures become RGB.

    Raises:
        MediaError: the file is missing, too large or not a picture.
    """
    data = _read_bytes(path)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise MediaError(f"{path} cannot be decoded: {error.err}") from error
    if image is None:
        raise MediaError(f"{path} cannot be decoded", next_step="replace or remove the file")
    return np.asarray(image, np.uint8)


def image_fault(path: Path) -> str | None:
    """Return what is wrong with a picture, or None.

    Decoders fill the missing half of a truncated file with grey and say nothing, which
    would teach a network that grey means fake. So the end marker is checked as well as
    whether the picture decodes (at an eighth of its size: the whole stream is read,
    few pixels are made).
    """
    try:
        data = _read_bytes(path)
    except MediaError as error:
        return error.what.removeprefix(f"{path} ")
    tail = data[-64:].rstrip(b"\0")
    if (data.startswith(_JPEG_START) and not tail.endswith(_JPEG_END)) or (
        data.startswith(_PNG_START) and not tail.endswith(_PNG_END)
    ):
        return "is truncated"
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)
    except cv2.error:
        image = None
    return "is not a picture" if image is None else None


def _read_bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size == 0:
            raise MediaError(f"{path} is empty")
        if size > MAX_BYTES:
            raise MediaError(f"{path} has {size:,} bytes, more than the limit of {MAX_BYTES:,}")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise MediaError(f"{path} does not exist", next_step="check the root and path") from error
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror}") from error
    width, height = _claimed_size(data)
    if width * height > MAX_PIXELS:
        raise MediaError(
            f"{path} claims {width} x {height} pixels, more than the limit of {MAX_PIXELS:,}",
            why="a small file can claim more pixels than memory holds",
            next_step="shrink or remove it",
        )
    return data


def _claimed_size(data: bytes) -> tuple[int, int]:
    """Return width and height as a PNG's or JPEG's header says, (0, 0) where there is none."""
    if data.startswith(_PNG_START) and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    position = 2 if data.startswith(_JPEG_START) else len(data)
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME_HEADER:
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return width, height
        if marker == 0xFF:  # padding before a marker
            position += 1
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4])
    return 0, 0
