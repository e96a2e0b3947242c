"""Where the face is in a picture: as the manifest says, or where faces usually are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake_lightning.schemas import Manifest

# Medians of what YuNet finds in clips of FaceForensics++ and DFDC, made symmetric: x and y of the
# right eye, the left eye, the tip of the nose, the right and the left corner of the mouth, in
# units of the face's box; and the box's width over its height.
_POINTS = np.array(
    [[0.27, 0.385], [0.73, 0.385], [0.5, 0.58], [0.31, 0.735], [0.69, 0.735]], np.float32
)
_ASPECT = 0.75
_NUMBERS = 12  # of a place in a row of :func:`face_places`


@dataclass(frozen=True, eq=False)
class FacePlace:
    """A face in a square picture about its middle, in units of the picture's side.

    Attributes:
        width, height: of its box, whose middle is that of the picture.
        points: float32 [5, 2], x and y of the right eye, the left eye, the tip of the nose, the
            right and the left corner of the mouth; right and left are the person's.
    """

    width: float
    height: float
    points: NDArray[np.float32]

    @classmethod
    def usual(cls, margin: float) -> FacePlace:
        """Return the place of a frontal face, where nothing better is known.

        Args:
            margin: side of the picture over the longer side of the face's box, at least 1.
        """
        width, height = _ASPECT / margin, 1 / margin
        box = np.array([width, height], np.float32)
        return cls(width, height, (_POINTS - np.float32(0.5)) * box + np.float32(0.5))

    @property
    def roll(self) -> float:
        """By how much the line of the eyes is turned, radians clockwise, at most 45 degrees."""
        across, down = self.points[1] - self.points[0]
        turn = math.atan2(float(down), float(across))
        return min(math.pi / 4, max(-math.pi / 4, turn))


def face_places(manifest: Manifest, rows: NDArray[np.int64], margin: float) -> NDArray[np.float32]:
    """Return where the faces of some rows are, as numbers that :func:`place_of` reads.

    Boxes and landmarks are in pixels of the frames that faces were cut out of, so they say
    something only of pictures that ``extract`` has cut out.

    Args:
        manifest: of face crops.
        rows: int64 [N], positions in it.
        margin: of the crops, see :meth:`FacePlace.usual`.

    Returns:
        float32 [N, 12]; not a number where the manifest says nothing.
    """
    places = np.full((len(rows), _NUMBERS), np.nan, np.float32)
    extraction = manifest.extraction
    if extraction is None or extraction.faces is None:
        return places
    chosen = manifest.rows.iloc[rows]
    boxes, points = _numbers(chosen["box"], 4), _numbers(chosen["landmarks"], 10)
    side = margin * boxes[:, 2:].max(axis=1)
    middle = boxes[:, :2] + boxes[:, 2:] / 2
    away = (points.reshape(-1, 5, 2) - middle[:, None]) / side[:, None, None]
    if extraction.faces.align:
        away = _levelled(away)
    places[:, :2] = boxes[:, 2:] / side[:, None]
    places[:, 2:] = (away + 0.5).reshape(-1, 10)
    return places


def place_of(numbers: NDArray[np.float32], margin: float) -> FacePlace:
    """Return the place that a row of :func:`face_places` names, the usual one where it is empty.

    Args:
        numbers: float32 [12].
        margin: see :meth:`FacePlace.usual`.
    """
    if not np.isfinite(numbers).all():
        return FacePlace.usual(margin)
    return FacePlace(float(numbers[0]), float(numbers[1]), numbers[2:].reshape(5, 2))


def _numbers(texts: pd.Series, count: int) -> NDArray[np.float64]:
    """Return float64 [rows, count] of texts such as ``12.5,30,64,80``."""
    found = np.full((len(texts), count), np.nan)
    for values, text in zip(found, texts, strict=True):
        parts = [] if pd.isna(text) else str(text).split(",")
        if len(parts) == count:
            values[:] = _floats(parts)
    return found


def _floats(parts: list[str]) -> list[float]:
    try:
        return [float(part) for part in parts]
    except ValueError:  # a manifest of somebody else
        return [math.nan] * len(parts)


def _levelled(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn points about the origin, float64 [N, 5, 2], so that the eyes are level."""
    across, down = np.moveaxis(points[:, 1] - points[:, 0], -1, 0)
    turn = np.arctan2(down, across)
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    x, y = points[..., 0], points[..., 1]
    return np.stack([cos * x + sin * y, cos * y - sin * x], axis=-1)
