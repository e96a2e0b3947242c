"""From the frames of a clip to the pictures of its faces, each with its track."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.media.face_crops import crop_face, sharpness
from deepfake_lightning.media.face_detector import Face, FaceDetector
from deepfake_lightning.media.face_landmarks import CloseLook
from deepfake_lightning.media.face_tracks import FaceTracker
from deepfake_lightning.media.video import Frame
from deepfake_lightning.schemas import Preprocess


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """A face in a frame of a clip.

    Attributes:
        image: uint8 [S, S, 3], RGB, its crop.
        face: where it is in the frame.
        track: which face of the clip it is, from 0 on.
        frame: position of the frame in the clip.
        timestamp_ms: when the frame is shown.
    """

    image: NDArray[np.uint8]
    face: Face
    track: int
    frame: int
    timestamp_ms: int


class FaceReader:
    """Finds, follows and cuts out the faces of clips, the same for training and serving.

    One object serves any number of clips, one after the other, in one thread. It may be sent to
    another process.

    Args:
        preprocess: how faces are found and cut out.
    """

    def __init__(self, preprocess: Preprocess) -> None:
        self._preprocess = preprocess
        self._detector = FaceDetector(preprocess.faces)
        self._close_look = CloseLook(preprocess.faces)

    def faces(self, frames: Iterable[Frame], size: int | None = None) -> Iterator[FoundFace]:
        """Yield the faces of the frames of one clip, frame by frame, the largest first.

        Faces that are less sharp than asked for are left out; they keep their tracks, so that
        the numbers of the others do not depend on it.

        Args:
            frames: in the order in which they are shown.
            size: side of the crops, pixels; None: that of the preprocessing.
        """
        how, tracker = self._preprocess, FaceTracker()
        for frame in frames:
            faces = self._detector.detect(frame.image)
            for face, track in zip(faces, tracker.update(frame.image, faces), strict=True):
                if how.faces.align:
                    face = self._close_look.landmarks(frame.image, face)
                crop = crop_face(
                    frame.image, face, margin=how.margin, size=size or how.size,
                    align=how.faces.align, interpolation=how.interpolation,
                )  # fmt: skip
                least = how.faces.min_sharpness
                if least and sharpness(crop) < least:
                    continue
                yield FoundFace(crop, face, track, frame.index, frame.timestamp_ms)
