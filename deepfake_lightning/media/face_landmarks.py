"""Landmarks that follow a turned head, of faces that are small in their frame."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.media.face_crops import window
from deepfake_lightning.media.face_detector import Face, FaceDetector
from deepfake_lightning.schemas import FaceSearch

_MARGIN = 2.0
_FACE_SIDE = 280  # where the network's landmarks follow a turned head; at 100 they hardly do


class CloseLook:
    """Looks again at faces that were found, enlarged to the size that the network knows best.

    YuNet's landmarks of a face of 40 to 100 pixels show a tenth of a turn of the head, those of
    250 to 300 pixels nearly all of it (measured by turning frames of real clips).

    Args:
        search: how faces are found.
    """

    def __init__(self, search: FaceSearch) -> None:
        side = round(_MARGIN * _FACE_SIDE)
        anything = {"detection_side": side, "min_size": 1}
        self._detector = FaceDetector(search.model_copy(update=anything))

    def landmarks(self, image: NDArray[np.uint8], face: Face) -> Face:
        """Return the face with better landmarks; as it is where it is not found again.

        Args:
            image: uint8 [H, W, 3], RGB.
            face: in pixels of ``image``.
        """
        x, y, width, height = face.box
        side = max(2, round(_MARGIN * face.size))
        left, top = round(x + width / 2 - side / 2), round(y + height / 2 - side / 2)
        scale = _MARGIN * _FACE_SIDE / side
        size = (round(side * scale), round(side * scale))
        closer = cv2.resize(window(image, left, top, side), size, interpolation=cv2.INTER_LINEAR)
        middle = np.array([size[0] / 2, size[1] / 2])
        found = [
            (float(np.abs(np.add(f.box[:2], np.multiply(f.box[2:], 0.5)) - middle).max()), f)
            for f in self._detector.detect(np.asarray(closer, np.uint8))
        ]
        away, best = min(found, key=lambda pair: pair[0], default=(np.inf, face))
        if away > _FACE_SIDE / 2:  # somebody else's
            return face
        landmarks = best.landmarks / np.float32(scale) + np.array([left, top], np.float32)
        return replace(face, landmarks=landmarks.astype(np.float32))
