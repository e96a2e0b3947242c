"""The most that reading one clip may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one clip, held before memory or time is spent on it.

    Attributes:
        bytes: size of the file.
        pixels: width times height of one frame, as the header claims it and as it decodes.
        seconds: length of the clip.
        frames: the most frames that one reading may hand out.
    """

    bytes: int
    pixels: int
    seconds: float
    frames: int


# Wide enough for archives (8K cinema frames, films of four hours); servers pass tighter ones.
VIDEO_LIMITS = Limits(bytes=8 << 30, pixels=8192 * 4352, seconds=4 * 3600.0, frames=100_000)
