"""Clips: the frames that are shown, upright and in RGB, of whole and of damaged files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepfake_lightning.errors import MediaError, MediaLimitError
from deepfake_lightning.media import decord_reading, pyav_reading
from deepfake_lightning.media.frame_choice import choose_frames
from deepfake_lightning.media.limits import VIDEO_LIMITS, Limits
from deepfake_lightning.media.video_index import VideoIndex
from deepfake_lightning.media.video_source import VideoSource
from deepfake_lightning.media.video_survey import VideoInfo, survey
from deepfake_lightning.schemas import Sampling


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a clip.

    Attributes:
        index: position among the frames that are shown, from 0.
        timestamp_ms: when it is shown, in milliseconds from the first.
        image: uint8 [H, W, 3], RGB, upright. Few streams change their size in between.
    """

    index: int
    timestamp_ms: int
    image: NDArray[np.uint8]


class Video:
    """An open clip; made by :func:`open_video`.

    It keeps no file, thread or decoder between readings, so it may cross a fork, and several
    readings of it may go on at a time. Interlaced frames are not taken apart, and pixels that
    are not square stay as stored.

    Attributes:
        info: what it is.
        timestamps_ms: int64 [frames], milliseconds from the first shown frame.
        keyframes: int64 [K], positions of the key frames.
        lost: how many wanted frames did not decode in the latest reading, once it is through.
    """

    def __init__(
        self, source: VideoSource, index: VideoIndex, info: VideoInfo, turn: tuple[int, bool]
    ) -> None:
        self.info = info
        self.timestamps_ms = index.timestamps_ms
        self.keyframes = index.keyframes
        self.lost = 0
        self._source = source
        self._index = index
        self._turn = turn
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the use of the clip; a second time does nothing."""
        self._closed = True

    def choose(self, sampling: Sampling) -> NDArray[np.int64]:
        """Return the positions of the frames that ``sampling`` means (:func:`choose_frames`).

        Returns:
            int64 [chosen], ascending, without repeats.

        Raises:
            MediaError: they are more than ``limits.frames``.
        """
        positions = choose_frames(self.timestamps_ms, self.keyframes, sampling)
        self._check_count(len(positions), f"{sampling} would take")
        return positions

    def frames(self, sampling: Sampling) -> Iterator[Frame]:
        """Yield the frames that ``sampling`` means (:meth:`choose`, then :meth:`read`)."""
        return self.read(self.choose(sampling))

    def read(self, positions: ArrayLike) -> Iterator[Frame]:
        """Yield the frames at ``positions``, one in memory at a time.

        Damaged frames are left out and counted in :attr:`lost`; where none of the wanted
        decodes, the nearest that do come instead. Decoders fill in damaged parts of a frame from
        its neighbours, and with what depends on where they began: there, and only there, a
        sparse reading may differ from a whole one.

        Args:
            positions: int [wanted], ascending, without repeats, 0 to ``info.frames - 1``.

        Raises:
            MediaError: they are more than ``limits.frames``, no frame of the clip decodes, or
                one is larger than the limit.
            ValueError: positions are out of range or order, or the clip is closed.
        """
        wanted = np.asarray(positions, np.int64).reshape(-1)
        if self._closed:
            raise ValueError(f"{self._source.name} is closed")
        if len(wanted) and (wanted[0] < 0 or wanted[-1] >= self.info.frames):
            raise ValueError(f"positions have to be 0 to {self.info.frames - 1}")
        if (np.diff(wanted) <= 0).any():
            raise ValueError("positions have to be ascending, without repeats")
        self._check_count(len(wanted), "the reading would take")
        return self._salvage([int(position) for position in wanted])

    def _salvage(self, wanted: list[int]) -> Iterator[Frame]:
        self.lost = 0
        found = 0
        for frame in self._read(wanted):
            found += 1
            yield frame
        self.lost = len(wanted) - found
        if found or not wanted:
            return
        whole = np.array(pyav_reading.decodable_positions(self._source, self._index), np.int64)
        if not len(whole):
            raise MediaError(f"{self._source.name} holds no frame that can be decoded")
        nearest = {int(whole[np.abs(whole - position).argmin()]) for position in wanted}
        yield from self._read(sorted(nearest))

    def _read(self, wanted: list[int]) -> Iterator[Frame]:
        done = 0
        if self.info.reader == "decord" and _is_dense(wanted):
            try:
                for position, image in decord_reading.read_frames(self._source, wanted):
                    done += 1
                    yield self._frame(position, image)
            except decord_reading.DecordFailed:
                pass
        rest = wanted[done:]
        if rest:
            for position, image in pyav_reading.read_frames(
                self._source, self._index, rest, self._turn
            ):
                yield self._frame(position, image)

    def _frame(self, position: int, image: NDArray[np.uint8]) -> Frame:
        return Frame(position, int(self.timestamps_ms[position]), image)

    def _check_count(self, count: int, claim: str) -> None:
        most = self._source.limits.frames
        if count > most:
            raise MediaLimitError(
                f"{self._source.name}: {claim} {count:,} frames, more than the limit of {most:,}",
                next_step=f"take fewer, as with even:{min(most, 32)}, or raise the limit",
            )


def _is_dense(wanted: list[int]) -> bool:
    """Return whether most frames of a stretch are wanted, which is where decord is the faster.

    Of others PyAV decodes only what is needed: a third less than decord for 16 frames of a clip.
    """
    return len(wanted) > 0 and len(wanted) > 0.75 * (wanted[-1] - wanted[0] + 1)


def open_video(source: Path | bytes, limits: Limits = VIDEO_LIMITS) -> Video:
    """Open a clip from a file, or from its bytes.

    Its packets are listed and its first frame is decoded; nothing more is. Decord reads dense
    stretches of plain H.264 and HEVC clips where it is installed, PyAV all others; the pixels are
    the same.
    Threads may open and read clips of their own at the same time.

    Raises:
        MediaError: it is missing, no video, damaged beyond use, or over a limit; the message
            begins with the path, or with ``the upload``.
    """
    video_source = VideoSource(source, limits)
    index, info, turn = survey(video_source, decord=True)
    return Video(video_source, index, info, turn)
