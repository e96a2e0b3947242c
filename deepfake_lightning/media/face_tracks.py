"""Faces followed over the frames of a clip: a person is a track, until a cut or a long absence."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepfake_lightning.media.face_detector import Face

# How far apart two boxes of one person may be: frames are often a second apart.
_FARTHEST = 1.5  # distance of the centres over the mean size
_LARGEST_CHANGE = 2.0  # ratio of the sizes
# No more than what is possible can cost: a face is rather new than that others are all shifted.
_UNMATCHED = 2.2
# Share of the colours that has to change. Within ten real clips at most 0.39 changed in up to two
# seconds (a dancer before a dark wall), between clips of different scenes 0.50 or more.
_CUT = 0.45
_THUMBNAIL = (64, 36)


class FaceTracker:
    """Gives the faces of the sampled frames of one clip their tracks.

    Frames may be a thirtieth of a second or several seconds apart. Tracks are told by place and
    size: two people who change places between two sampled frames are taken for each other.

    Args:
        patience: in how many frames in a row a face may be missing and keep its track.
    """

    def __init__(self, patience: int = 5) -> None:
        self._patience = patience
        self._boxes: dict[int, tuple[float, float, float, float]] = {}
        self._missing: dict[int, int] = {}
        self._colours: NDArray[np.float64] | None = None
        self._next = 0

    def update(self, image: NDArray[np.uint8], faces: Sequence[Face]) -> list[int]:
        """Return the track of each face of the next frame.

        Args:
            image: uint8 [H, W, 3], the frame.
            faces: those found in it, in any order.

        Returns:
            one number for each face; numbers count from 0 in the order of first appearance.
        """
        colours = _colour_shares(image)
        if self._colours is not None and _changed(self._colours, colours) > _CUT:
            self._boxes.clear()
        self._colours = colours
        known = list(self._boxes)
        boxes = np.array([face.box for face in faces], float).reshape(-1, 4)
        matched = associate(np.array([self._boxes[t] for t in known]).reshape(-1, 4), boxes)
        tracks = [known[match] if match >= 0 else self._begin() for match in matched]
        for track in known:
            self._missing[track] = 0 if track in tracks else self._missing[track] + 1
            if self._missing[track] > self._patience:
                del self._boxes[track]
        self._boxes.update(zip(tracks, (face.box for face in faces), strict=True))
        return tracks

    def _begin(self) -> int:
        track = self._next
        self._missing[track] = 0
        self._next += 1
        return track


def associate(before: ArrayLike, now: ArrayLike) -> NDArray[np.int64]:
    """Return which of the boxes ``before`` each of the boxes ``now`` continues.

    The assignment with the least sum of distances (Kuhn 1955, through scipy), where a box that
    continues none counts as much as the farthest that can be continued. The distance of two boxes
    is that of their centres over their mean size, plus the logarithm of the ratio of their sizes;
    intersection over union, the usual measure, is zero for a head that moves by its own width
    between two sampled frames.

    Args:
        before: float [T, 4], x, y, width, height.
        now: float [F, 4].

    Returns:
        int64 [F], positions in ``before``; -1 for a box that continues none.
    """
    old, new = np.asarray(before, float).reshape(-1, 4), np.asarray(now, float).reshape(-1, 4)
    result = np.full(len(new), -1, np.int64)
    if not len(old) or not len(new):
        return result
    from scipy.optimize import linear_sum_assignment  # a third of a second, and pictures need none

    old_size, new_size = (boxes[:, 2:].max(axis=1) for boxes in (old, new))
    old_centre, new_centre = (boxes[:, :2] + boxes[:, 2:] / 2 for boxes in (old, new))
    apart = np.linalg.norm(new_centre[:, None] - old_centre[None], axis=2)
    apart = apart / ((new_size[:, None] + old_size[None]) / 2)
    change = np.abs(np.log(new_size[:, None] / old_size[None]))
    possible = (apart <= _FARTHEST) & (change <= np.log(_LARGEST_CHANGE))
    cost = np.where(possible, apart + change, _UNMATCHED)
    for face, track in zip(*linear_sum_assignment(cost), strict=True):
        if possible[face, track]:
            result[face] = track
    return result


def _colour_shares(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return float64 [2916], the share of the frame in each colour, in four sets of 9 x 9 x 9.

    The sets are 8 levels apart: a plain backdrop that flickers by a level moves to another colour
    in one of them at most, and would pass for a cut with a single set.
    """
    # Without averaging, which would take as long as finding the faces: it is the colours of some
    # pixels that are counted.
    small = cv2.resize(image, _THUMBNAIL, interpolation=cv2.INTER_NEAREST)
    counts = np.concatenate([
        cv2.calcHist([small], [0, 1, 2], None, [9, 9, 9], [-shift, 9 * 32 - shift] * 3).ravel()
        for shift in (0, 8, 16, 24)
    ])  # fmt: skip
    return np.asarray(counts / counts.sum(), np.float64)


def _changed(before: NDArray[np.float64], now: NDArray[np.float64]) -> float:
    """Return the share of the frame whose colour has changed, 0 to 1 (total variation)."""
    return float(np.abs(before - now).sum() / 2)
