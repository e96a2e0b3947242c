"""Clips through H.264 once more, as a platform encodes what is uploaded to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import cv2
import numpy as np

from deepfake_lightning.errors import MediaError, MediaLimitError
from deepfake_lightning.media.degrading import Picture
from deepfake_lightning.media.limits import VIDEO_LIMITS, Limits
from deepfake_lightning.media.video import open_video

PRESET = "veryfast"
"""Of x264. Slower ones give smaller files of about the same look at the same rate factor."""

MOST_BYTES = 1 << 30
"""Of a clip that is encoded anew: several lie on the disk for temporary files at a time."""

_MILLISECOND = Fraction(1, 1000)


def write_h264(
    target: Path | BinaryIO,
    frames: Iterable[tuple[int | None, Picture]],
    *,
    crf: int,
    fps: int,
) -> None:
    """Encode frames as H.264 in MP4 without sound; the same frames give the same bytes.

    Args:
        target: a file to write, or a stream that can be sought.
        frames: at least one, each with when it is shown, milliseconds, ascending; None of all:
            one after the other. All are of the first one's size, whose sides are even.
        crf: constant rate factor, 0 (lossless) to 51.
        fps: frames a second.
    """
    out = str(target) if isinstance(target, Path) else target
    with av.open(out, mode="w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        # The result of several threads depends on their number, and so on the machine.
        stream.codec_context.thread_count = 1
        stream.options = {"crf": str(crf), "preset": PRESET}
        for number, (at, picture) in enumerate(frames):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                if at is not None:
                    stream.codec_context.time_base = stream.time_base = _MILLISECOND
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if at is not None:
                frame.pts, frame.time_base = at, _MILLISECOND
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def recode(
    source: Path | bytes,
    target: Path,
    crf: int,
    change: Callable[[Picture], Picture] | None = None,
    *,
    limits: Limits = VIDEO_LIMITS,
    most_bytes: int = MOST_BYTES,
) -> Path:
    """Encode a clip anew: all of its frames, upright, shown when they were.

    Sides that are odd lose a row or column, since colours are stored for two by two pixels. Sound
    is left out. Frames that are damaged are, too.

    Args:
        source: the clip.
        target: the file to write.
        crf: constant rate factor, see :func:`write_h264`.
        change: of each frame, before it is encoded; it gives frames of one size.
        limits: of the clip.
        most_bytes: that the file may have, or a frame more.

    Returns:
        the file.

    Raises:
        MediaError: it cannot be read, is or becomes larger than may be, or cannot be encoded:
            x264 takes no side of more than 16,384 pixels.
    """
    with open_video(source, limits) as video:

        def frames() -> Iterator[tuple[int, Picture]]:
            size, free = None, 0
            for frame in video.read(np.arange(video.info.frames)):
                image = _even(frame.image if change is None else change(frame.image))
                size = size or (image.shape[1], image.shape[0])
                if (image.shape[1], image.shape[0]) != size:  # few streams change their size
                    image = np.asarray(cv2.resize(image, size), np.uint8)
                at = max(frame.timestamp_ms, free)  # no two at one time
                free = at + 1
                if target.exists() and target.stat().st_size > most_bytes:
                    raise MediaLimitError(f"{_name(source)} takes over {most_bytes:,} bytes as"
                                          " H.264")  # fmt: skip
                yield at, image

        seconds = max(video.info.seconds, 1e-3)
        fps = min(max(1, round(video.info.frames / seconds)), 240)
        try:
            write_h264(target, frames(), crf=crf, fps=fps)
        except av.FFmpegError as error:
            raise MediaError(f"{_name(source)} cannot be encoded as H.264: {error}") from error
        return target


def _name(source: Path | bytes) -> str:
    return str(source) if isinstance(source, Path) else "the clip"


def _even(image: Picture) -> Picture:
    height, width = image.shape[:2]
    if height < 2 or width < 2:
        return np.asarray(cv2.resize(image, (max(2, width), max(2, height))), np.uint8)
    return np.ascontiguousarray(image[: height - height % 2, : width - width % 2])
