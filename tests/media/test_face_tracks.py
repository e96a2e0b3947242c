"""Who is who from frame to frame, against all possible ways to tell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfake_lightning.media import Face, FaceTracker, open_video
from deepfake_lightning.media.face_detector import FaceDetector
from deepfake_lightning.media.face_tracks import associate
from deepfake_lightning.schemas import FaceSearch, Sampling

DATA = Path(__file__).parents[2].parent / "shared" / "data"
Box = tuple[float, float, float, float]


def scene(seed: int = 0) -> np.ndarray:
    """Return a frame of colours of its own."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 16, 3)).astype(np.uint8)
    return coarse.repeat(20, axis=0).repeat(20, axis=1)


SCENE = scene()


def face(x: float, y: float = 100, width: float = 60, height: float = 80) -> Face:
    return Face((x, y, width, height), np.zeros((5, 2), np.float32), 0.9)


def test_numbers_count_from_zero_and_outlast_the_order_of_detection() -> None:
    tracker = FaceTracker()
    assert tracker.update(SCENE, [face(100), face(400)]) == [0, 1]
    assert tracker.update(SCENE, [face(405), face(95)]) == [1, 0]
    assert tracker.update(SCENE, [face(700), face(90), face(410)]) == [2, 0, 1]
    assert tracker.update(SCENE, []) == []
    assert tracker.update(SCENE, [face(410)]) == [1]


@pytest.mark.parametrize("patience", [0, 1, 5])
def test_a_face_may_be_missing_for_a_while(patience: int) -> None:
    for missing in range(patience + 3):
        tracker = FaceTracker(patience)
        tracker.update(SCENE, [face(100), face(400)])
        for _ in range(missing):
            assert tracker.update(SCENE, [face(400)]) == [1]
        expected = 0 if missing <= patience else 2
        assert tracker.update(SCENE, [face(100), face(400)]) == [expected, 1]


def test_absences_do_not_add_up() -> None:
    tracker = FaceTracker(patience=2)
    for _ in range(4):
        assert tracker.update(SCENE, [face(100)]) == [0]
        assert tracker.update(SCENE, []) == []
        assert tracker.update(SCENE, []) == []
    assert tracker.update(SCENE, [face(100)]) == [0]


def test_a_cut_ends_all_tracks() -> None:
    tracker = FaceTracker()
    people = [face(100), face(400)]
    assert tracker.update(SCENE, people) == [0, 1]
    assert tracker.update(scene(1) // 2, people) == [2, 3]
    assert tracker.update(scene(1) // 2, people) == [2, 3]
    # Back in the first scene: nothing tells that they are the same people.
    assert tracker.update(SCENE, people) == [4, 5]


@pytest.mark.parametrize("level", [31, 64, 127, 200])
def test_a_plain_backdrop_that_flickers_is_not_a_cut(level: int) -> None:
    tracker = FaceTracker()
    for frame in range(6):
        image = SCENE.copy()
        image[:, :280] = level + frame % 3
        assert tracker.update(image, [face(100)]) == [0]


def test_light_that_changes_slowly_and_what_moves_in_the_frame_are_no_cuts() -> None:
    tracker = FaceTracker()
    for step in range(12):
        image = np.roll((SCENE * (1 - 0.04 * step)).astype(np.uint8), 40 * step, axis=1)
        assert tracker.update(image, [face(100)]) == [0]


def test_a_moving_and_growing_face_keeps_its_number() -> None:
    tracker = FaceTracker()
    for step in range(8):  # by its own size in each frame, and to three times its size
        grown = 1.17**step
        assert tracker.update(SCENE, [face(100 + 80 * step, 100, 60 * grown, 80 * grown)]) == [0]


def test_a_face_far_away_or_of_another_size_is_somebody_else() -> None:
    assert associate([(0, 0, 60, 80)], [(100, 0, 60, 80)]).tolist() == [0]
    assert associate([(0, 0, 60, 80)], [(0, 200, 60, 80)]).tolist() == [-1]
    assert associate([(0, 0, 60, 80)], [(0, 0, 180, 240)]).tolist() == [-1]
    assert associate([(0, 0, 180, 240)], [(60, 80, 60, 80)]).tolist() == [-1]


boxes = st.lists(
    st.tuples(*[st.integers(0, 250)] * 2, *[st.integers(20, 120)] * 2), min_size=0, max_size=4
)


def distance(one: Box, other: Box) -> float | None:
    """Return how far apart two boxes are, None where they cannot be one person."""
    size, other_size = max(one[2:]), max(other[2:])
    across = one[0] + one[2] / 2 - other[0] - other[2] / 2
    down = one[1] + one[3] / 2 - other[1] - other[3] / 2
    apart = math.hypot(across, down) / ((size + other_size) / 2)
    ratio = max(size, other_size) / min(size, other_size)
    return apart + math.log(ratio) if apart <= 1.5 and ratio <= 2 else None


def matchings(rows: int, columns: frozenset[int]) -> Iterator[list[int]]:
    """Yield each way to give rows different columns, or none (-1)."""
    if not rows:
        yield []
        return
    for first in [-1, *sorted(columns)]:
        for others in matchings(rows - 1, columns - {first}):
            yield [first, *others]


def price(matching: Sequence[int], before: list[Box], now: list[Box]) -> float | None:
    pairs = [distance(before[old], new) for old, new in zip(matching, now, strict=True) if old >= 0]
    possible = [pair for pair in pairs if pair is not None]
    alone = min(len(before), len(now)) - len(pairs)
    return sum(possible) + 2.2 * alone if len(possible) == len(pairs) else None


@given(boxes, boxes)
def test_the_matching_is_the_best_of_all(before: list[Box], now: list[Box]) -> None:
    result = associate(before, now).tolist()
    used = [old for old in result if old >= 0]
    assert len(result) == len(now)
    assert len(set(used)) == len(used) and all(old < len(before) for old in used)
    priced = [
        price(each, before, now) for each in matchings(len(now), frozenset(range(len(before))))
    ]
    least = min(each for each in priced if each is not None)
    found = price(result, before, now)
    assert found is not None
    assert found == pytest.approx(least)


def test_a_stranger_does_not_shift_the_others() -> None:
    """One stays, one leaves on the right, a third comes on the left: the first keeps the track."""
    before = [(0, 0, 100, 100), (120, 0, 100, 100)]
    now = [(-120, 0, 100, 100), (0, 0, 100, 100)]
    assert associate(before, now).tolist() == [-1, 0]


@given(st.lists(boxes, max_size=6), st.integers(0, 3))
def test_numbers_are_unique_in_a_frame_and_new_ones_follow_on(
    frames: list[list[Box]], patience: int
) -> None:
    tracker, seen = FaceTracker(patience), 0
    for found in frames:
        tracks = tracker.update(SCENE, [face(*box) for box in found])
        assert len(set(tracks)) == len(tracks) == len(found)
        new = [track for track in tracks if track >= seen]
        assert new == list(range(seen, seen + len(new)))
        seen += len(new)


@given(st.permutations(range(5)), st.sets(st.integers(0, 4)), st.randoms(use_true_random=False))
def test_the_order_of_the_faces_does_not_matter(order, away, random) -> None:
    tracker = FaceTracker()
    assert tracker.update(SCENE, [face(500 * person) for person in range(5)]) == list(range(5))
    there = [person for person in order if person not in away]
    moved = [face(500 * person + random.uniform(-50, 50)) for person in there]
    assert tracker.update(SCENE, moved) == there


@pytest.mark.parametrize(
    "name",
    [
        "ffpp/original_sequences/youtube/c23/videos/519.mp4",
        "ffpp/manipulated_sequences/FaceSwap/c23/videos/634_660.mp4",
        "dfdc/dfdc_train_part_10/yhffcuhhjy.mp4",
    ],
)
def test_one_person_in_a_real_clip_is_one_track(name: str) -> None:
    if not (DATA / name).is_file():
        pytest.skip("the real clips are not here")
    tracker, detector, tracks = FaceTracker(), FaceDetector(FaceSearch()), []
    with open_video(DATA / name) as video:
        for frame in video.frames(Sampling.parse("even:4")):
            tracks.append(tracker.update(frame.image, detector.detect(frame.image)))
    assert len(tracks) == 4
    assert all(found and found[0] == 0 for found in tracks)
