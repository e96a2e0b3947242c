"""The degradations under which detectors are measured, each by a name that reports and rules use.

Severities are those of the pixels as they come: a blur of 2 pixels is more to a face crop than to
a frame in full HD. The two chains imitate what happens to what is passed on; what a platform really
does, it does not tell, and changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np

from deepfake_lightning.errors import DegradationError, MediaError
from deepfake_lightning.media.degrading import (
    Picture,
    blur,
    colour,
    crop,
    downscale,
    jpeg,
    noise,
)
from deepfake_lightning.media.h264 import recode

Change = Callable[[Picture, np.random.Generator], Picture]
ChangeClip = Callable[[Path | bytes, Path, Sequence[int]], Path]
"""Encodes a clip anew into a new file in a folder, by the seed of its item."""
Alter = Callable[[Picture, int], Picture]
"""Changes a decoded picture, or a frame of a clip, of which it is told the number."""

_FILE = "degraded.mp4"


@dataclass(frozen=True)
class Degradation:
    """One degradation of one severity.

    Attributes:
        key: its name in files and rules, ``jpeg_30``.
        family: of those that differ in severity alone, the mildest first, ``jpeg``.
        words: what it is.
        picture: of a picture, or of each frame of a clip; None: it is one of clips alone.
        clip: of a clip as a file; None: its frames are changed one by one.
        by_frame: each frame draws anew; else all of a clip draw the same.
    """

    key: str
    family: str
    words: str
    picture: Change | None = None
    clip: ChangeClip | None = None
    by_frame: bool = False

    def applies(self, is_clip: bool) -> bool:
        """Return whether a clip, or a picture, can undergo it."""
        return self.picture is not None or (is_clip and self.clip is not None)

    def of(
        self, source: Path | bytes, is_clip: bool, seed: Sequence[int], folder: Path
    ) -> tuple[Path | None, Alter | None]:
        """Return what is to be scored of an item: another file, or a change of what is decoded.

        Args:
            source: its file.
            is_clip: that is a clip.
            seed: of the item; all severities of a family draw the same.
            folder: for the other file, and what is on the way to it; empty.

        Raises:
            DegradationError: the clip cannot be encoded anew. The change raises it where it cannot
                be made.
        """
        if is_clip and self.clip is not None:
            try:
                return self.clip(source, folder, seed), None
            except MediaError as error:
                raise _unmade(error) from error
        return None, self.alter(seed)

    def alter(self, seed: Sequence[int]) -> Alter:
        """Return the change of an item's pictures."""
        assert self.picture is not None, self.key
        picture = self.picture

        def change(image: Picture, number: int) -> Picture:
            drawn = [*seed, number] if self.by_frame else [*seed]
            try:
                return picture(image, np.random.default_rng(drawn))
            except (MediaError, cv2.error) as error:
                raise _unmade(error) from error

        return change


def _unmade(error: Exception) -> DegradationError:
    """Return an error that nobody takes for one of media: those are the detector's to stand."""
    return DegradationError(error.what if isinstance(error, MediaError) else f"OpenCV: {error}")


def _plain(change: Callable[[Picture, float], Picture], severity: float) -> Change:
    return lambda image, _: change(image, severity)


def _drawn(
    change: Callable[[Picture, float, np.random.Generator], Picture], severity: float
) -> Change:
    return lambda image, generator: change(image, severity, generator)


def _jpeg(quality: int) -> Degradation:
    return Degradation(f"jpeg_{quality}", "jpeg", f"JPEG, quality {quality}",
                       lambda image, _: jpeg(image, quality))  # fmt: skip


def _h264(crf: int) -> Degradation:
    def encode(source: Path | bytes, folder: Path, seed: Sequence[int]) -> Path:
        return recode(source, folder / _FILE, crf)

    return Degradation(f"h264_{crf}", "h264", f"H.264, CRF {crf}", clip=encode)


def _messenger_clip(source: Path | bytes, folder: Path, seed: Sequence[int]) -> Path:
    return recode(source, folder / _FILE, 30, partial(downscale, factor=0.5))


def _social_picture(image: Picture, generator: np.random.Generator) -> Picture:
    return jpeg(downscale(crop(jpeg(image, 80), 0.06, generator), 0.75), 70)


def _social_clip(source: Path | bytes, folder: Path, seed: Sequence[int]) -> Path:
    def cut(image: Picture) -> Picture:
        return downscale(crop(image, 0.06, np.random.default_rng([*seed])), 0.75)

    first = recode(source, folder / f"first-{_FILE}", 23)
    return recode(first, folder / _FILE, 28, cut)


_ALL = (
    *(_jpeg(quality) for quality in (95, 75, 50, 30)),
    *(_h264(crf) for crf in (23, 28, 40)),
    *(Degradation(f"downscale_{times}", "downscale", f"shrunk to 1/{times} of its sides",
                  _plain(downscale, 1 / times)) for times in (2, 4)),
    *(Degradation(f"blur_{sigma}", "blur", f"blur, sigma {sigma} px", _plain(blur, sigma))
      for sigma in (1, 2, 4)),
    *(Degradation(f"noise_{sigma}", "noise", f"noise, sigma {sigma} levels",
                  _drawn(noise, sigma), by_frame=True) for sigma in (5, 10, 20)),
    *(Degradation(f"colour_{share}", "colour", f"light and colours shifted by {share} %",
                  _drawn(colour, share / 100)) for share in (10, 20, 40)),
    Degradation("messenger", "messenger", "messenger: 1/2 of the size, compressed",
                lambda image, _: jpeg(downscale(image, 0.5), 60), _messenger_clip),
    Degradation("social", "social", "social network: cut, 3/4, compressed twice",
                _social_picture, _social_clip),
)  # fmt: skip

DEGRADATIONS: Mapping[str, Degradation] = MappingProxyType({one.key: one for one in _ALL})
"""All of them by name; families one after the other, each from mild to severe."""
