"""Still pictures: one decoder, and a check that finds what it would silently repair."""

from __future__ import annotations

import hashlib
import io
import struct
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

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
        data = _read_bytes(path)
    except MediaError as error:
        return error.what.removeprefix(f"{path} "), 0
    digest = hashlib.blake2b(data, digest_size=8).digest()
    return _fault(data), int.from_bytes(digest, "big", signed=True)


def _fault(data: bytes) -> str | None:
    if _is_truncated(data):
        return "is truncated"
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)
    except cv2.error:
        image = None
    return "is not a picture" if image is None else None


def _is_truncated(data: bytes) -> bool:
    """Return whether a JPEG or PNG lacks its end; phones write more bytes after the end marker."""
    tail = data[-64:].rstrip(b"\0")
    if data.startswith(_JPEG_START):
        # A download cut short can be filled up with zeros, which decode as grey: the marker has
        # to be there, and after the header, where thumbnails have one of their own.
        if tail.endswith(_JPEG_END):
            return False
        if data.find(_JPEG_END, _jpeg_frame(data)) < 0:
            return True
    elif not data.startswith(_PNG_START) or tail.endswith(_PNG_END):
        return False
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, EOFError):  # by format and by place of the cut
        return True
    return False


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
    position = _jpeg_frame(data)
    if position < len(data):
        height, width = struct.unpack(">HH", data[position + 5 : position + 9])
        return width, height
    return 0, 0


def _jpeg_frame(data: bytes) -> int:
    """Return where a JPEG's frame header begins, after all thumbnails; its length without one."""
    position = 2 if data.startswith(_JPEG_START) else len(data)
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME_HEADER:
            return position
        if marker == 0xFF:  # padding before a marker
            position += 1
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4])
    return len(data)
