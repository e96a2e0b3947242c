"""From a row of a manifest to the pictures a network sees of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import MediaError
from deepfake_lightning.media import FaceReader, Frame, Video, open_video, read_image, resize
from deepfake_lightning.schemas import Manifest, Preprocess, Sampling

Choice = Callable[[Video], NDArray[np.int64]]


class Picture(NamedTuple):
    """What the network sees of one face in one frame, or of a whole frame.

    Attributes:
        image: uint8 [S, S, 3], RGB; S is the input's size.
        track: face track within the item, -1 where there are no tracks.
        frame: frame number within the item, -1 where there are none.
    """

    image: NDArray[np.uint8]
    track: int
    frame: int


class ClipReader:
    """Reads the videos and photographs of a manifest, and cuts out their faces.

    Every process and thread needs one of its own.

    Args:
        manifest: rows and the folder their paths are relative to.
        preprocess: its ``input`` says whether faces are looked for (``frame``) or not, and
            ``sampling`` which frames of a clip are looked at.
        crop_pictures: look for faces in photographs, too; otherwise they are faces already.
    """

    def __init__(
        self, manifest: Manifest, preprocess: Preprocess, *, crop_pictures: bool = False
    ) -> None:
        self._manifest = manifest
        self._preprocess = preprocess
        self._crop_pictures = crop_pictures
        self._faces = FaceReader(preprocess)
        self._sampling = Sampling.parse(preprocess.sampling)

    def pictures(self, row: int, choice: Choice | None = None) -> list[Picture]:
        """Return the pictures of a row, in the order of frames; none where no face is found.

        Args:
            row: position in the manifest.
            choice: which frames of a clip to look at, instead of the preprocessing's sampling.

        Raises:
            MediaError: the file cannot be read.
        """
        record = self._manifest.rows.iloc[row]
        path = self._manifest.root / record["path"]
        if record["media_type"] == "video":
            with open_video(path) as video:
                chosen = video.choose(self._sampling) if choice is None else choice(video)
                return list(self._seen(video.read(chosen)))
        frame = Frame(_known(record["frame"]), 0, read_image(path))
        if self._crop_pictures:
            return list(self._seen(iter([frame])))
        return [Picture(resize(frame.image, self._preprocess), _known(record["track_id"]),
                        frame.index)]  # fmt: skip

    def picture(self, row: int, track: int, frame: int) -> NDArray[np.uint8]:
        """Return one of the pictures of a row, uint8 [S, S, 3], RGB.

        Raises:
            MediaError: it is not there, or not any more.
        """
        for picture in self.pictures(row):
            if (picture.track, picture.frame) == (track, frame):
                return picture.image
        path = self._manifest.rows["path"].iloc[row]
        raise MediaError(f"{path} shows no face {track} in frame {frame}, or has changed")

    def _seen(self, frames: Iterator[Frame]) -> Iterator[Picture]:
        if self._preprocess.input == "whole":
            for frame in frames:
                yield Picture(resize(frame.image, self._preprocess), -1, frame.index)
        else:
            for face in self._faces.faces(frames):
                yield Picture(face.image, face.track, face.frame)


def _known(number: object) -> int:
    """Return a number of the manifest, -1 for none."""
    return int(number) if isinstance(number, int | np.integer) else -1
