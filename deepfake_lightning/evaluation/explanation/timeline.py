"""Which frames decided an item's score. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepfake_lightning.schemas import ScoredFace


@dataclass(frozen=True)
class TrackTimeline:
    """One face followed through an item.

    Attributes:
        track: its number; None where faces are not followed.
        logit: the track's: the mean over its window.
        faces: places in the item's list of faces, in the order of their frames.
        start, end: the window that decided the track's logit is ``faces[start:end]``.
    """

    track: int | None
    logit: float
    faces: tuple[int, ...]
    start: int
    end: int

    @property
    def window(self) -> tuple[int, ...]:
        """Places of the faces that decided the track's logit."""
        return self.faces[self.start : self.end]


def timelines(faces: Sequence[ScoredFace], window: int) -> tuple[TrackTimeline, ...]:
    """Return the tracks of an item, the one that decided its score first.

    Frames are in the order, and windows as long, as :func:`~deepfake_lightning.metrics.item_scores`
    has them; of equal windows the first counts.

    Args:
        faces: of the item, in any order.
        window: frames per window, at least 1.
    """
    numbers = [-1 if face.track is None else face.track for face in faces]
    tracks = [_timeline(faces, np.flatnonzero(np.equal(numbers, n)), window) for n in set(numbers)]
    return tuple(
        sorted(tracks, key=lambda one: (-one.logit, -1 if one.track is None else one.track))
    )


def _timeline(faces: Sequence[ScoredFace], places: np.ndarray, window: int) -> TrackTimeline:
    frames = [-1 if (frame := faces[place].frame) is None else frame for place in places]
    logits = np.array([faces[place].logit for place in places], np.float64)
    order = np.lexsort((logits, np.array(frames)))
    size = min(window, len(places))
    means = np.lib.stride_tricks.sliding_window_view(logits[order], size).mean(axis=1)
    start = int(np.argmax(means))
    ordered = tuple(int(place) for place in places[order])
    return TrackTimeline(faces[ordered[0]].track, float(means[start]), ordered, start, start + size)


def most_telling(
    tracks: Sequence[TrackTimeline], faces: Sequence[ScoredFace], most: int
) -> list[int]:
    """Return the places of the faces to look at: of each track its highest, then the highest.

    Args:
        tracks: of the item, the one that decided first.
        faces: of the item.
        most: how many to return, at most.

    Returns:
        Places in ``faces``, by track and frame.
    """
    highest = [max(track.faces, key=lambda place: faces[place].logit) for track in tracks]
    rest = sorted(range(len(faces)), key=lambda place: -faces[place].logit)
    chosen = set(list(dict.fromkeys([*highest, *rest]))[:most])
    return [place for track in tracks for place in track.faces if place in chosen]
