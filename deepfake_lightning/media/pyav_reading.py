"""Frames of a clip with PyAV: reads every kind of clip, and what is left of damaged ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import MediaError
from deepfake_lightning.media.video_index import VideoIndex, decoded_frames, packets
from deepfake_lightning.media.video_source import VideoSource

# What does not come out after a jump is tried again from so many entries before.
_STEPS_BACK = 2
# Frames; to open the clip again and jump costs about as much as to decode so many small ones.
_WORTH_A_JUMP = 24
# Whose decoders tell frames that no other refers to. AV1's and, with temporal layers, HEVC's drop
# others as well.
_SKIPPING_CODECS = frozenset({"h264"})


def first_frame(source: VideoSource) -> Any:
    """Return PyAV's first frame of a clip, as stored.

    Raises:
        MediaError: the clip cannot be opened or nothing in it decodes.
    """
    for quick in (True, False):
        container, stream = source.open_container()
        with container:
            read = packets(container, stream)
            # The empty packet makes a decoder hand out what it holds back to put in order.
            some = (next(read), av.Packet()) if quick else read
            for frame in decoded_frames(source, some, stream):
                return frame
    raise MediaError(
        f"{source.name} holds no frame that can be decoded", next_step="fetch it again"
    )


def upright_turn(frame: Any) -> tuple[int, bool]:
    """Return how a stored frame is turned upright: quarter turns clockwise, after a mirroring.

    The container's display matrix says so, as phones write it; angles between quarter turns
    are rounded to the nearest.

    Returns:
        quarter turns clockwise, 0-3, and whether left and right are swapped before.
    """
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].astype(float)
            mirrored = a * d - b * c < 0
            if mirrored:
                a, b = -a, -b
            return round(np.degrees(np.arctan2(b, a)) / 90) % 4, bool(mirrored)
    return 0, False


def upright_rgb(frame: Any, turn: tuple[int, bool]) -> NDArray[np.uint8]:
    """Return uint8 [H, W, 3], RGB, of a decoded frame of any pixel format, turned upright.

    The matrix from YUV to RGB and the range of levels are the ones that the stream names (BT.601,
    709, 2020 ...); where it names none it is BT.601 with levels 16-235, as ffmpeg takes it,
    whatever the size. HDR transfer curves are left as they are.

    Raises:
        MediaError: there is no way from its colours to RGB.
    """
    try:
        image = frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, ValueError) as error:
        raise MediaError(
            f"a frame's colours are of a kind that cannot be converted ({error})",
            next_step="re-encode the clip",
        ) from error
    quarters, mirrored = turn
    if mirrored:
        image = image[:, ::-1]
    if quarters:
        image = np.rot90(image, -quarters)
    return np.ascontiguousarray(image)


def read_frames(
    source: VideoSource, index: VideoIndex, positions: Sequence[int], turn: tuple[int, bool]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield position and picture of the frames at ``positions`` (ascending) that decode.

    Stretches without a wanted frame are jumped over up to the next entry, of entries alone nothing
    else is decoded, and frames that no other refers to are passed over.

    Raises:
        MediaError: the clip cannot be opened any more, or a frame is larger than the limit.
    """
    if not index.dated or not len(index.entries):
        for position, frame in _decode(source, index, list(positions), None):
            yield position, upright_rgb(frame, turn)
        return
    for run in _runs(index, positions):
        start = max(_entry_before(index, run[0]), 0)
        for position, frame in _decode_from(source, index, run, start):
            yield position, upright_rgb(frame, turn)


def decodable_positions(source: VideoSource, index: VideoIndex) -> list[int]:
    """Return the positions of all frames that decode; costs decoding the whole clip."""
    everything = range(len(index.pts))
    return [position for position, _ in _decode(source, index, everything, None)]


def _decode_from(
    source: VideoSource, index: VideoIndex, run: Sequence[int], start: int
) -> Iterator[tuple[int, Any]]:
    """Decode a run from entry ``start`` on; what does not come out, once from further back."""
    keys_only = len(run) > 1 and bool(np.isin(run, index.entries).all())
    waiting = list(run)

    def again(until: int) -> Iterator[tuple[int, Any]]:
        missed = [position for position in waiting if position < until]
        del waiting[: len(missed)]
        if missed and (start > 0 or keys_only):
            yield from _decode(source, index, missed, max(start - _STEPS_BACK, 0))

    for position, frame in _decode(source, index, run, start, keys_only):
        yield from again(position)
        del waiting[0]
        yield position, frame
    yield from again(len(index.pts))


def _decode(
    source: VideoSource,
    index: VideoIndex,
    wanted: Sequence[int],
    start: int | None,
    keys_only: bool = False,
) -> Iterator[tuple[int, Any]]:
    """Yield those of ``wanted`` that come out when decoding from entry number ``start`` on."""
    if not len(wanted):
        return
    container, stream = source.open_container()
    with container:
        if keys_only:
            stream.codec_context.skip_frame = "NONKEY"
        if start:
            _introduce(container, stream)
            with suppress(av.FFmpegError, OSError):  # no way to jump: goes on from the beginning
                container.seek(int(index.pts[index.entries[start]]), stream=stream)
        yield from _picked(source, index, wanted, container, stream, keys_only)


def _introduce(container: Any, stream: Any) -> None:
    """Let the decoder see the first packet before it jumps.

    x264 names its version there alone, and ffmpeg decodes what old versions wrote in their own
    way: FaceForensics++'s clips come out as noise by a decoder that has not been told.
    """
    for packet in packets(container, stream):
        with suppress(av.FFmpegError, EOFError, ValueError):
            stream.codec_context.decode(packet)
        return


def _picked(
    source: VideoSource,
    index: VideoIndex,
    wanted: Sequence[int],
    container: Any,
    stream: Any,
    keys_only: bool,
) -> Iterator[tuple[int, Any]]:
    numbers = {
        int(index.pts[position]) if index.dated else position: position for position in wanted
    }
    last = max(numbers)
    previous = -1
    # Frames that are found by counting have to be decoded to be counted.
    skips = index.dated and index.codec in _SKIPPING_CODECS and not keys_only
    skipping = numbers.keys() if skips else None
    frames = decoded_frames(source, packets(container, stream), stream, skipping)
    for count, frame in enumerate(frames):
        number = frame.pts if index.dated else count
        if number is None:
            continue
        position = numbers.get(number, -1)
        if position > previous:
            yield position, frame
            previous = position
        if number >= last:
            return


def _runs(index: VideoIndex, positions: Sequence[int]) -> Iterator[list[int]]:
    """Split ``positions`` where an entry lies so far ahead that jumping to it pays."""
    run: list[int] = []
    for position in positions:
        entry = max(_entry_before(index, position), 0)
        if run and index.entries[entry] - run[-1] > _WORTH_A_JUMP:
            yield run
            run = []
        run.append(position)
    if run:
        yield run


def _entry_before(index: VideoIndex, position: int) -> int:
    return int(np.searchsorted(index.entries, position, side="right")) - 1
