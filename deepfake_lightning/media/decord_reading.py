"""Frames of a clip with decord: fast, and right only for plain clips."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.media.video_index import VideoIndex
from deepfake_lightning.media.video_source import VideoSource

# Decord's own ffmpeg rounds deeper pixels differently from newer ones.
_EIGHT_BITS = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"})

# The share of frames that decord may replace by their neighbours without saying so; 0 is all.
_NO_COPIES = 1e-9


class DecordFailed(Exception):
    """Decord gave up; the caller reads on with PyAV, which salvages more."""


@cache
def _decord() -> Any:
    """Return decord, or None where it has no wheel."""
    try:
        import decord  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except (ImportError, OSError, RuntimeError):
        return None
    decord.logging.set_level(decord.logging.QUIET)
    return decord


def decord_reads(source: VideoSource, index: VideoIndex, pixel_format: str, mirrored: bool) -> bool:
    """Return whether decord is here and gives the same frames of this clip as PyAV.

    It does not know edit lists, numbers frames by counting packets, jumps wrong where frames
    refer back past a key frame, and makes noise of streams that change their format.
    """
    if not index.plain or pixel_format not in _EIGHT_BITS or mirrored or _decord() is None:
        return False
    try:
        return len(_open(source)) == len(index.pts)
    except DecordFailed:
        return False


def read_frames(
    source: VideoSource, positions: Sequence[int]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield position and picture (uint8 [H, W, 3], RGB, upright) of the frames at ``positions``.

    Where damage makes a packet vanish without an error (1 in 100 lightly damaged clips), the
    frames from there to the next key frame come one too early.

    Raises:
        DecordFailed: a packet is damaged.
    """
    reader = _open(source)
    if len(positions) and positions[0]:
        # Decord jumps to the first position at once, past the packet in which x264 names its
        # version: FaceForensics++'s clips come out as noise without (see pyav_reading).
        with suppress(Exception):
            reader[0]
    for position in positions:
        try:
            image = reader[position].asnumpy()
        except Exception as error:  # its classes are made at run time
            raise DecordFailed(str(error)) from error
        yield position, _without_padding(np.asarray(image, np.uint8))


def _without_padding(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return [H, W, 3]: of some narrow clips decord (0.6) takes what pads a line for channels."""
    height, width, channels = image.shape
    if channels == 3:
        return image
    lines = image.reshape(height, width * channels)[:, : 3 * width]
    return np.ascontiguousarray(lines).reshape(height, width, 3)


def _open(source: VideoSource) -> Any:
    # Never kept between readings: its threads do not survive a fork.
    decord = _decord()
    content = source.content
    opened = io.BytesIO(content) if isinstance(content, bytes) else str(content.absolute())
    try:
        return decord.VideoReader(opened, ctx=decord.cpu(0), num_threads=1, fault_tol=_NO_COPIES)
    except Exception as error:  # its classes are made at run time
        raise DecordFailed(str(error)) from error
