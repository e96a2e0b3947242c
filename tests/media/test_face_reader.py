"""From clips to the crops of their faces."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deepfake_lightning.media import FaceReader, FoundFace, Frame, crop_face, open_video, sharpness
from deepfake_lightning.schemas import FaceSearch, Preprocess, Sampling


def frames_of(path: Path) -> list[Frame]:
    with open_video(path) as video:
        return list(video.frames(Sampling.parse("all")))


@pytest.fixture(scope="module")
def two(
    tmp_path_factory: pytest.TempPathFactory, make_portrait_clip: Callable[..., Path]
) -> list[Frame]:
    return frames_of(make_portrait_clip(tmp_path_factory.mktemp("two") / "two.mp4", faces=2))


@pytest.fixture(scope="module")
def one(
    tmp_path_factory: pytest.TempPathFactory, make_portrait_clip: Callable[..., Path]
) -> list[Frame]:
    path = tmp_path_factory.mktemp("one") / "one.mp4"
    return frames_of(make_portrait_clip(path, frames=5, seed=3))


def told(found: list[FoundFace]) -> list[tuple[object, ...]]:
    return [
        (each.track, each.frame, each.timestamp_ms, each.face.box, each.image.tobytes())
        for each in found
    ]


def test_two_people_are_two_tracks_through_the_clip(two: list[Frame]) -> None:
    found = list(FaceReader(Preprocess(input="frame", size=64)).faces(two))
    assert [each.frame for each in found] == [number for number in range(12) for _ in range(2)]
    for number in range(12):
        pair = [each for each in found if each.frame == number]
        assert {each.track for each in pair} == {0, 1}
        assert pair[0].face.size >= pair[1].face.size
        assert {each.timestamp_ms for each in pair} == {round(number * 1000 / 12)}
    for track in (0, 1):
        places = [each.face.box[0] > 128 for each in found if each.track == track]
        assert len(places) == 12 and len(set(places)) == 1


@pytest.mark.parametrize("align", [False, True])
def test_crops_are_made_as_the_record_says(one: list[Frame], align: bool) -> None:
    how = Preprocess(size=48, margin=2, interpolation="cubic", faces=FaceSearch(align=align))
    found = list(FaceReader(how).faces(one))
    assert len(found) == 5
    for each in found:
        crop = crop_face(
            one[each.frame].image, each.face, margin=2, size=48, align=align, interpolation="cubic"
        )
        np.testing.assert_array_equal(each.image, crop)
    larger = list(FaceReader(how).faces(one, size=96))
    assert {each.image.shape for each in larger} == {(96, 96, 3)}
    assert [each.face.box for each in larger] == [each.face.box for each in found]


def test_the_search_follows_the_record(two: list[Frame]) -> None:
    def count(**search: object) -> int:
        return len(list(FaceReader(Preprocess(faces=FaceSearch(**search))).faces(two)))

    assert count() == 24
    assert count(max_faces=1) == 12
    assert count(min_size=120) == 0


def test_blurred_faces_are_left_out_and_the_others_keep_their_tracks(two: list[Frame]) -> None:
    blurred = []
    for frame in two:
        image = frame.image.copy()
        part = image[:, :128]
        for _ in range(3):  # the left person, from the sixth frame on
            if frame.index >= 6:
                part = sum(np.roll(part, step, axis=1).astype(np.int32) for step in range(-1, 2))
                part = sum(np.roll(part, step, axis=0) for step in range(-1, 2)) // 9
        image[:, :128] = part
        blurred.append(Frame(frame.index, frame.timestamp_ms, image))
    every = list(FaceReader(Preprocess()).faces(blurred))
    assert len(every) == 24
    values = sorted(sharpness(each.image) for each in every)
    least = (values[5] + values[6]) / 2
    assert values[6] > 1.5 * values[5]
    sharp = FaceReader(Preprocess(faces=FaceSearch(min_sharpness=least)))
    kept = list(sharp.faces(blurred))
    assert told(kept) == told([each for each in every if sharpness(each.image) >= least])
    missing = [each for each in every if sharpness(each.image) < least]
    assert [each.frame for each in missing] == list(range(6, 12))
    assert all(each.face.box[0] < 128 for each in missing)
    # A track counts on where all its first faces are left out.
    assert {each.track for each in sharp.faces(blurred[6:])} < {0, 1}
    assert {each.track for each in FaceReader(Preprocess()).faces(blurred[6:])} == {0, 1}


def test_clips_do_not_know_of_each_other(one: list[Frame], two: list[Frame]) -> None:
    how = Preprocess(size=64)
    reader = FaceReader(how)
    for clip in (two, one, two):
        assert told(list(reader.faces(clip))) == told(list(FaceReader(how).faces(clip)))
    assert {each.track for each in reader.faces(one)} == {0}


def test_a_reader_may_be_sent_to_another_process(one: list[Frame]) -> None:
    reader = FaceReader(Preprocess(size=64))
    before = told(list(reader.faces(one)))
    assert told(list(pickle.loads(pickle.dumps(reader)).faces(one))) == before


def test_frames_without_faces_give_nothing(
    tmp_path: Path, make_portrait_clip: Callable[..., Path]
) -> None:
    clip = frames_of(make_portrait_clip(tmp_path / "none.mp4", faces=0, frames=3))
    assert list(FaceReader(Preprocess()).faces(clip)) == []
    assert list(FaceReader(Preprocess()).faces([])) == []


def test_faces_come_frame_by_frame(one: list[Frame]) -> None:
    """A long clip is not held in memory."""
    taken = 0

    def watched():
        nonlocal taken
        for frame in one:
            taken += 1
            yield frame

    next(FaceReader(Preprocess()).faces(watched()))
    assert taken == 1


def test_aligned_crops_are_level_though_the_face_is_small_and_turned() -> None:
    """A face of 60 pixels, turned by 20 degrees: YuNet's own landmarks show a tenth of that."""
    import cv2
    from skimage.data import astronaut

    face = cv2.resize(astronaut()[:260, 80:360], (140, 130), interpolation=cv2.INTER_AREA)
    turn = cv2.getRotationMatrix2D((70, 60), 20, 1.0)
    turn[:, 2] += (130, 100)
    turned = cv2.warpAffine(face, turn, (400, 320), borderMode=cv2.BORDER_REPLICATE)

    def tilt(align: bool) -> float:
        how = Preprocess(input="frame", size=300, faces=FaceSearch(align=align))
        (found,) = FaceReader(how).faces([Frame(0, 0, np.asarray(turned, np.uint8))])
        (again,) = FaceReader(how)._detector.detect(found.image)
        right, left = again.landmarks[:2]
        return float(np.degrees(np.arctan2(left[1] - right[1], left[0] - right[0])))

    assert tilt(align=False) < -9
    assert abs(tilt(align=True)) < 4
