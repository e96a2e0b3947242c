"""What the network is shown of a picture or clip: its faces, each where and when it was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.inference.stages import StageClock
from deepfake_lightning.media import (
    FaceReader,
    FoundFace,
    Frame,
    Limits,
    open_video,
    read_image,
    resize,
)
from deepfake_lightning.media.degradations import Alter
from deepfake_lightning.media.images import MAX_PIXELS
from deepfake_lightning.schemas import Examined, Preprocess, Sampling

_LIKE_A_CROP = 0.85  # crop wanted over the picture: 0.87 to 1.35 for crops with a margin of 1.3
_SQUARE_ENOUGH = 1.25
_MUCH_SMALLER = 0.6
Progress = Callable[[int, int], None]
"""Told how many frames have been looked at, and how many will be."""


@dataclass(frozen=True)
class Seen:
    """A picture for the network.

    Attributes:
        image: uint8 [S, S, 3], RGB.
        track, frame, timestamp_ms, box, picture: as
            :class:`~deepfake_lightning.schemas.ScoredFace`.
    """

    image: NDArray[np.uint8]
    track: int | None = None
    frame: int | None = None
    timestamp_ms: int | None = None
    box: tuple[float, float, float, float] | None = None
    picture: int | None = None

    def in_clip(
        self, picture: int, track: int | None, frame: int | None, timestamp_ms: int | None
    ) -> Seen:
        """Return it as part of a clip; a track that is given counts more than one found."""
        track = self.track if track is None else track
        return replace(self, picture=picture, track=track, frame=frame, timestamp_ms=timestamp_ms)


def hardly_a_crop(wanted: float, height: int, width: int) -> bool:
    """Return whether a picture is hardly the crop of a face.

    Args:
        wanted: side of the crop that its largest face would get, pixels.
        height: of the picture, pixels.
        width: of the picture, pixels.
    """
    long, short = max(height, width), min(height, width)
    return wanted < _MUCH_SMALLER * long or long > _SQUARE_ENOUGH * short


@dataclass
class Look:
    """What should be known of how an item was looked at; filled while it is.

    Attributes:
        notes, no_face, examined: as of :class:`~deepfake_lightning.schemas.Assessment`.
        stages: how long what takes.
        progress: told of each frame of a clip.
        alter: changes what was decoded, before faces are looked for; None: nothing does.
    """

    notes: list[str] = field(default_factory=list)
    no_face: str = "no face was found"
    examined: Examined | None = None
    stages: StageClock = field(default_factory=StageClock)
    progress: Progress | None = None
    alter: Alter | None = None

    def note(self, text: str) -> None:
        """Note something, once: what holds of one picture of a clip often holds of all."""
        if text not in self.notes:
            self.notes.append(text)


class Viewer:
    """Turns media into what the network is shown. For one thread.

    Args:
        preprocess: of the detector.
    """

    def __init__(self, preprocess: Preprocess) -> None:
        self._preprocess = preprocess
        self._sampling = Sampling.parse(preprocess.sampling)
        self._faces = FaceReader(preprocess) if preprocess.input != "whole" else None

    def picture(
        self,
        source: Path | bytes,
        look: Look,
        already_cropped: bool | None,
        max_pixels: int = MAX_PIXELS,
        number: int = 0,
    ) -> Iterator[Seen]:
        """Yield the faces of a picture, or the whole of one that is a crop.

        Args:
            source: its file, or its bytes.
            look: what to note of it.
            already_cropped: see :meth:`~deepfake_lightning.inference.Engine.assess`.
            max_pixels: that it may claim.
            number: of a picture of a clip.

        Raises:
            MediaError: it cannot be read, or claims more pixels than that.
        """
        with look.stages.stage("decode"):
            image = read_image(source, max_pixels)
        if look.alter is not None:
            image = look.alter(image, number)
        assumed = already_cropped is None and self._preprocess.input == "crop"
        if self._faces is None or already_cropped or (assumed and self._may_be_crop(image, look)):
            yield Seen(resize(image, self._preprocess))
        if self._faces is None or already_cropped or assumed:
            return
        for found in look.stages.each("faces", self._faces.faces([Frame(0, 0, image)])):
            if found.face.size * self._preprocess.margin > _LIKE_A_CROP * max(image.shape[:2]):
                look.note(
                    "looks like a face crop already, and was cropped again: already_cropped "
                    "scores it as it is"
                )
            yield Seen(found.image, found.track, box=found.face.box)

    def _may_be_crop(self, image: NDArray[np.uint8], look: Look) -> bool:
        """Return whether there is a face in a picture that is taken for a crop; note odd ones."""
        assert self._faces is not None
        with look.stages.stage("faces"):
            found = [each.face for each in self._faces.faces([Frame(0, 0, image)])]
        if not found:
            look.no_face = (
                "no face was found in what is taken for a face crop (already_cropped=true scores "
                "it all the same)"
            )
            return False
        height, width = image.shape[:2]
        if hardly_a_crop(found[0].size * self._preprocess.margin, height, width):
            look.note(
                "taken whole for a face crop, which a picture of this shape and with such a face "
                "hardly is: already_cropped=false cuts the face out"
            )
        return True

    def clip(
        self, source: Path | bytes, look: Look, limits: Limits, already_cropped: bool
    ) -> Iterator[Seen]:
        """Yield the faces of a clip, frame by frame; whole frames of one that shows a crop.

        Raises:
            MediaError: it cannot be read, or is over a limit.
        """
        with look.stages.stage("decode"):
            opened = open_video(source, limits)
            wanted = opened.choose(self._sampling)
        with opened as video:
            looked_at: list[int] = []

            def frames() -> Iterator[Frame]:
                for frame in look.stages.each("decode", video.read(wanted)):
                    looked_at.append(frame.index)
                    if look.progress is not None:
                        look.progress(len(looked_at), len(wanted))
                    if look.alter is not None:
                        frame = replace(frame, image=look.alter(frame.image, frame.index))
                    yield frame

            if self._preprocess.input == "crop" and not already_cropped:
                look.note(
                    "its faces were cut out with this package's own margin: the detector was "
                    "trained on crops of unknown making, and was not measured on such"
                )
            if self._faces is None or already_cropped:
                for frame in frames():
                    yield Seen(resize(frame.image, self._preprocess), None, frame.index,
                               frame.timestamp_ms)  # fmt: skip
            else:
                for found in look.stages.each("faces", self._faces.faces(frames())):
                    yield _seen_in_clip(found)
            look.examined = _examined(looked_at, video.timestamps_ms, video.info.seconds)
            if video.lost:
                look.note(f"{video.lost} of {len(wanted)} frames are damaged")


def _seen_in_clip(found: FoundFace) -> Seen:
    return Seen(found.image, found.track, found.frame, found.timestamp_ms, found.face.box)


def _examined(looked_at: list[int], timestamps_ms: NDArray[np.int64], seconds: float) -> Examined:
    """Return how much of a clip was looked at.

    Args:
        looked_at: positions of frames, ascending.
        timestamps_ms: int64 [frames], when each frame is shown.
        seconds: duration of the clip.
    """
    edges = np.append(timestamps_ms / 1000.0, max(seconds, timestamps_ms[-1] / 1000.0))
    starts, ends = edges[looked_at], edges[np.asarray(looked_at, int) + 1]
    gaps = np.append(starts, edges[-1]) - np.append(0.0, ends)
    return Examined(
        frames=len(looked_at),
        frames_in_clip=len(timestamps_ms),
        seconds=round(float((ends - starts).sum()), 3),
        seconds_in_clip=round(float(edges[-1]), 3),
        longest_gap=round(float(max(0.0, gaps.max())), 3),
        timestamps_ms=tuple(timestamps_ms[looked_at].tolist()),
    )
