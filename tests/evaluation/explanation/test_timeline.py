"""Which frames decided, against the metric that scores items and against a search by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfake_lightning.evaluation.explanation.timeline import most_telling, timelines
from deepfake_lightning.metrics import item_scores
from deepfake_lightning.schemas import ScoredFace


def faces_of(logits: list[float], tracks: list[int], frames: list[int]) -> list[ScoredFace]:
    rows = zip(logits, tracks, frames, strict=True)
    return [ScoredFace(logit, track, frame, 40 * frame) for logit, track, frame in rows]


@settings(max_examples=50)
@given(st.data(), st.integers(1, 5))
def test_the_first_track_has_the_items_score(data: st.DataObject, window: int) -> None:
    seen = data.draw(st.sets(st.tuples(st.integers(0, 2), st.integers(0, 30)), min_size=1))
    order = data.draw(st.permutations(sorted(seen)))
    tracks, frames = [list(column) for column in zip(*order, strict=True)]
    logits = data.draw(st.lists(st.floats(-20, 20), min_size=len(order), max_size=len(order)))
    found = timelines(faces_of(logits, tracks, frames), window)
    _, scores = item_scores(
        np.array(logits), np.zeros(len(order), int), np.array(tracks), np.array(frames), window
    )
    assert found[0].logit == pytest.approx(scores[0], abs=1e-9)
    for track in found:
        own = [place for place in range(len(order)) if tracks[place] == track.track]
        assert sorted(own, key=lambda place: frames[place]) == list(track.faces)
        size = min(window, len(own))
        means = [
            np.mean([logits[place] for place in track.faces[start : start + size]])
            for start in range(len(own) - size + 1)
        ]
        assert track.logit == pytest.approx(max(means), abs=1e-9)
        assert np.mean([logits[place] for place in track.window]) == pytest.approx(track.logit)


def test_a_picture_is_one_window() -> None:
    [track] = timelines([ScoredFace(0.3)], window=8)
    assert (track.track, track.window, track.logit) == (None, (0,), 0.3)


def test_each_track_is_shown_before_the_rest() -> None:
    logits = [3.0, 5.0, 4.0, -2.0, -1.0]
    faces = faces_of(logits, [0, 0, 0, 1, 1], [0, 1, 2, 0, 1])
    tracks = timelines(faces, window=2)
    assert [track.track for track in tracks] == [0, 1]
    assert most_telling(tracks, faces, 1) == [1]
    assert most_telling(tracks, faces, 2) == [1, 4]
    assert most_telling(tracks, faces, 3) == [1, 2, 4]
    assert most_telling(tracks, faces, 99) == [0, 1, 2, 3, 4]
