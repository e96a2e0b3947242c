"""The table of a clip's frames: when each is shown, which are whole, and how to get at them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import MediaError, MediaLimitError
from deepfake_lightning.media.parameter_sets import ParameterSets
from deepfake_lightning.media.video_source import VideoSource

# Containers that date every packet, one packet for each frame. VP8 stores frames that are never
# shown in packets of their own, which only its decoder tells apart.
_DATED_CONTAINERS = ("mov", "matroska")
_UNDATED_CODECS = frozenset({"vp8"})
_MOST_FRAMES_A_SECOND = 1000
_MOST_ERRORS = 100


@dataclass(frozen=True)
class VideoIndex:
    """The shown frames of a clip, in the order in which they are shown.

    Attributes:
        pts: int64 [frames], presentation times in the stream's own unit.
        keyframes: int64 [K], positions of the key frames, as the container marks them.
        entries: int64 [E], positions of those at which decoding may begin; empty where none is
            known, and decoding begins at the beginning.
        time_base: seconds of one unit.
        codec: ffmpeg's name of the codec.
        last_duration: length of the last frame, in units; 0 where it is not known.
        dated: whether frames are found by their pts; otherwise by counting what is decoded.
        plain: whether any decoder finds the same frames by counting packets: all are shown,
            no frame refers back past a key frame and the stream never changes its format.
    """

    pts: NDArray[np.int64]
    keyframes: NDArray[np.int64]
    entries: NDArray[np.int64]
    time_base: Fraction
    codec: str
    last_duration: int
    dated: bool
    plain: bool

    @property
    def timestamps_ms(self) -> NDArray[np.int64]:
        """int64 [frames], milliseconds from the first shown frame."""
        offsets = (self.pts - self.pts[0]) * (1000 * float(self.time_base))
        return np.asarray(np.rint(offsets), np.int64)

    @property
    def seconds(self) -> float:
        """From the start of the first shown frame to the end of the last."""
        span = int(self.pts[-1] - self.pts[0])
        last = self.last_duration or (span // max(len(self.pts) - 1, 1))
        return float((span + last) * self.time_base)


def packets(container: Any, stream: Any) -> Iterator[Any]:
    """Yield the packets of ``stream``, past places that cannot be read; ends with an empty one."""
    for _ in range(_MOST_ERRORS):
        try:
            yield from container.demux(stream)
            return
        except (av.FFmpegError, OSError):
            continue


def index_video(source: VideoSource, *, by_decoding: bool = False) -> VideoIndex:
    """Read a clip's packets, without decoding where its container can be relied on.

    AVI, MPEG, WMV and other old containers do not say when their frames are shown: those are
    decoded once, to count, which doubles what reading them costs.

    Args:
        source: the clip.
        by_decoding: do not rely on the container.

    Raises:
        MediaError: it is no video, holds no frame, or is longer than the limit.
    """
    container, stream = source.open_container()
    with container:
        codec = stream.codec_context.codec.canonical_name
        dated = container.format.name.startswith(_DATED_CONTAINERS)
        if dated and codec not in _UNDATED_CODECS and not by_decoding:
            index = _by_packets(source, container, stream)
            if index is not None:
                return index
    container, stream = source.open_container()
    with container:
        return _by_decoding(source, container, stream)


@dataclass
class _Packets:
    pts: list[int] = field(default_factory=list)
    key: list[bool] = field(default_factory=list)
    fresh: list[bool] = field(default_factory=list)
    shown: list[bool] = field(default_factory=list)
    duration: list[int] = field(default_factory=list)
    plain: bool = True


def _by_packets(source: VideoSource, container: Any, stream: Any) -> VideoIndex | None:
    table = _Packets()
    sets = ParameterSets(stream.codec_context)
    for packet in packets(container, stream):
        if not packet.size:
            continue
        if packet.pts is None:
            return None
        table.pts.append(packet.pts)
        table.key.append(packet.is_keyframe)
        table.shown.append(not packet.is_discard)
        table.duration.append(packet.duration or 0)
        content = sets.look_into(packet)
        table.fresh.append(content.fresh)
        as_marked = content.fresh or not packet.is_keyframe
        table.plain &= not packet.is_corrupt and content.as_announced and as_marked
        _check_count(source, len(table.pts))
    if stream.codec_context.has_b_frames and table.pts == sorted(table.pts):
        # Frames are stored in another order than they are shown in, or may be: some programs
        # write the times of decoding as those of showing.
        return None
    return _sorted(source, table, stream)


def _sorted(source: VideoSource, table: _Packets, stream: Any) -> VideoIndex | None:
    pts = np.array(table.pts, np.int64)
    key, shown = np.array(table.key, bool), np.array(table.shown, bool)
    none_hidden = bool(shown.all())
    if key.any():
        # What is shown before the first key frame refers to pictures that were cut off.
        shown &= pts >= pts[np.argmax(key)]
    decoded = np.flatnonzero(shown)
    order = decoded[np.argsort(pts[decoded], kind="stable")]
    if not len(order) or (np.diff(pts[order]) <= 0).any():
        return None
    keyframes = np.flatnonzero(key[order])
    fresh = np.array(table.fresh, bool)[order]
    index = VideoIndex(
        pts=pts[order],
        keyframes=keyframes,
        entries=np.flatnonzero(fresh & none_hidden),
        time_base=stream.time_base,
        codec=stream.codec_context.codec.canonical_name,
        last_duration=table.duration[order[-1]],
        dated=True,
        plain=table.plain
        and len(order) == len(pts)
        and bool(key[0])
        and bool((order[keyframes] == keyframes).all()),
    )
    source.check_seconds(index.seconds, "has")
    return index


def _by_decoding(source: VideoSource, container: Any, stream: Any) -> VideoIndex:
    pts: list[int] = []
    keyframes: list[int] = []
    rate = float(stream.average_rate or stream.guessed_rate or 25)
    step = max(round(1 / (rate * float(stream.time_base))), 1)
    for frame in decoded_frames(source, packets(container, stream), stream):
        if frame.key_frame:
            keyframes.append(len(pts))
        following = pts[-1] + step if pts else 0
        good = frame.pts is not None and (not pts or frame.pts > pts[-1])
        pts.append(frame.pts if good else following)
        _check_count(source, len(pts))
    if not pts:
        raise MediaError(f"{source.name} holds no frame that can be decoded")
    index = VideoIndex(
        pts=np.array(pts, np.int64),
        keyframes=np.array(keyframes, np.int64),
        entries=np.array([], np.int64),
        time_base=stream.time_base,
        codec=stream.codec_context.codec.canonical_name,
        last_duration=step,
        dated=False,
        plain=False,
    )
    source.check_seconds(index.seconds, "has")
    return index


def decoded_frames(
    source: VideoSource,
    stream_packets: Iterable[Any],
    stream: Any,
    wanted: Collection[int] | None = None,
) -> Iterator[Any]:
    """Decode packets one by one, past those that cannot be; frames in the order of showing.

    Args:
        source: has the limits.
        stream_packets: of ``stream``.
        stream: whose decoder is used.
        wanted: presentation times of the frames that are looked at. Of the others only those are
            decoded that further frames refer to, which leaves the wanted ones as they are in
            H.264 and saves a third to a half of the work in most clips. None: all.

    Raises:
        MediaError: a frame is larger than the limit.
    """
    for packet in stream_packets:
        if wanted is not None:
            needed = packet.pts is None or packet.pts in wanted
            stream.codec_context.skip_frame = "DEFAULT" if needed else "NONREF"
        try:
            frames = stream.codec_context.decode(packet if packet.size else None)
        except (av.FFmpegError, EOFError, ValueError):
            continue
        for frame in frames:
            source.check_size(frame.width, frame.height, "holds")
            yield frame


def _check_count(source: VideoSource, count: int) -> None:
    most = int(source.limits.seconds * _MOST_FRAMES_A_SECOND) + _MOST_FRAMES_A_SECOND
    if count > most:
        raise MediaLimitError(
            f"{source.name} has more than {most:,} frames",
            why=f"that is too many for {source.limits.seconds:,.0f} seconds",
        )
