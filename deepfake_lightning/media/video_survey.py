"""What a clip is, found without decoding more than one frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deepfake_lightning.errors import MediaError
from deepfake_lightning.media import decord_reading, pyav_reading
from deepfake_lightning.media.video_index import VideoIndex, index_video
from deepfake_lightning.media.video_source import VideoSource


@dataclass(frozen=True)
class VideoInfo:
    """What a clip is.

    Attributes:
        width: pixels, upright.
        height: pixels, upright.
        frames: how many are shown; damaged ones count.
        seconds: from the start of the first to the end of the last.
        fps: frames a second, on average.
        codec: ffmpeg's name, as ``h264``.
        rotation: degrees clockwise by which stored frames are turned: 0, 90, 180 or 270.
        reader: what decodes dense readings; sparse ones, and damage, are PyAV's all the same.
    """

    width: int
    height: int
    frames: int
    seconds: float
    fps: float
    codec: str
    rotation: int
    reader: Literal["decord", "pyav"]


def survey(source: VideoSource, decord: bool) -> tuple[VideoIndex, VideoInfo, tuple[int, bool]]:
    """List the packets of a clip and decode its first frame; nothing more.

    Args:
        source: the clip.
        decord: whether to try decord, where it may read the clip.

    Returns:
        its table of frames, what it is, and how its frames are turned upright.

    Raises:
        MediaError: it is missing, no video, damaged beyond use, or over a limit.
    """
    source.size()
    index = index_video(source)
    frame = pyav_reading.first_frame(source)
    if frame.interlaced_frame:
        # Its two fields may be in packets of their own, and decord mixes their colours.
        index = index_video(source, by_decoding=True)
    turn = pyav_reading.upright_turn(frame)
    try:
        pyav_reading.upright_rgb(frame, turn)
    except MediaError as error:
        raise MediaError(f"{source.name}: {error.what}", next_step=error.next_step) from error
    width, height = frame.width, frame.height
    if turn[0] % 2:
        width, height = height, width
    fast = decord and decord_reading.decord_reads(source, index, frame.format.name, turn[1])
    seconds = index.seconds
    info = VideoInfo(
        width=width,
        height=height,
        frames=len(index.pts),
        seconds=seconds,
        fps=len(index.pts) / seconds if seconds > 0 else 0.0,
        codec=index.codec,
        rotation=90 * turn[0],
        reader="decord" if fast else "pyav",
    )
    return index, info, turn
