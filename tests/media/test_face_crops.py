"""Crops of faces, against numpy's padding and PIL's turning."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from deepfake_lightning.media import Face, FaceDetector, crop_face, sharpness
from deepfake_lightning.schemas import FaceSearch

LEVEL = ((20, 30), (40, 30), (30, 40), (22, 50), (38, 50))


def face(x: float, y: float, width: float, height: float, landmarks: object = LEVEL) -> Face:
    return Face((x, y, width, height), np.array(landmarks, np.float32), 0.9)


def noise(height: int = 90, width: int = 120) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def cut_out(image: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    """Return the square of the picture with its border repeated on all sides."""
    wide = 400
    padded = np.pad(image, ((wide, wide), (wide, wide), (0, 0)), mode="edge")
    return padded[top + wide : top + wide + side, left + wide : left + wide + side]


def test_a_square_within_the_frame_is_cut_out_as_it_is() -> None:
    image = noise()
    crop = crop_face(image, face(40, 30, 20, 30), margin=1, size=30)
    np.testing.assert_array_equal(crop, image[30:60, 35:65])
    crop = crop_face(image, face(40, 30, 20, 30), margin=2, size=60)
    np.testing.assert_array_equal(crop, image[15:75, 20:80])


@pytest.mark.parametrize("interpolation", ["area", "linear", "cubic"])
def test_the_square_is_resized_once(interpolation) -> None:
    flag = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}
    image = noise()
    for size in (16, 224):
        crop = crop_face(
            image, face(40, 30, 20, 30), margin=2, size=size, interpolation=interpolation
        )
        expected = cv2.resize(image[15:75, 20:80], (size, size), interpolation=flag[interpolation])
        np.testing.assert_array_equal(crop, expected)


def test_shrinking_by_a_whole_factor_is_the_mean_of_each_block() -> None:
    image = noise()
    crop = crop_face(image, face(40, 30, 20, 30), margin=2, size=20)
    blocks = image[15:75, 20:80].reshape(20, 3, 20, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(crop, blocks, atol=0.51)


@given(
    left=st.integers(-150, 250), top=st.integers(-150, 250),
    width=st.integers(2, 140), height=st.integers(2, 140),
)  # fmt: skip
def test_beyond_the_frame_its_border_is_repeated(
    left: int, top: int, width: int, height: int
) -> None:
    image = noise()
    longer = 2 * ((max(width, height) + 1) // 2)
    x, y = left + (longer - width) / 2, top + (longer - height) / 2
    box = face(x, y, width, height)
    margin = longer / max(width, height)
    crop = crop_face(image, box, margin=margin, size=longer)
    np.testing.assert_array_equal(crop, cut_out(image, left, top, longer))


@given(
    st.tuples(*[st.floats(-50, 150)] * 2, *[st.floats(0.01, 200)] * 2),
    st.floats(1, 4), st.integers(16, 64), st.booleans(),
)  # fmt: skip
def test_any_box_gives_a_crop_of_the_size_asked_for(
    box: tuple[float, float, float, float], margin: float, size: int, align: bool
) -> None:
    crop = crop_face(noise(31, 23), face(*box), margin=margin, size=size, align=align)
    assert (crop.shape, crop.dtype) == ((size, size, 3), np.uint8)


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("x", [40, -5])
def test_the_frame_stays_as_it_was_and_shares_no_memory(align: bool, x: int) -> None:
    image = noise()
    before = image.copy()
    for size in (30, 45):
        crop = crop_face(image, face(x, 30, 20, 30), margin=1, size=size, align=align)
        assert not np.shares_memory(crop, image)
        # Nor does a small crop keep a large picture alive.
        base = crop
        while isinstance(base.base, np.ndarray):
            base = base.base
        assert base.size <= 45 * 45 * 3
        crop[:] = 0
        np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("x", [40.0, 40.4, 41.0, -7.3])
@pytest.mark.parametrize("height", [30, 31])
def test_eyes_that_are_level_leave_the_pixels_as_they_are(x: float, height: int) -> None:
    image = noise()
    for margin in (1, 1.3):
        plain = crop_face(image, face(x, 30, 20, height), margin=margin, size=48)
        turned = crop_face(image, face(x, 30, 20, height), margin=margin, size=48, align=True)
        np.testing.assert_array_equal(turned, plain)


@pytest.mark.parametrize("degrees", [-35, -20, 20, 35, 90, 180])
def test_a_turned_picture_is_turned_back(degrees: int) -> None:
    upright = skimage.data.astronaut()
    centre = np.array([222.0, 118.0])
    eyes = np.array([(203, 105), (245, 105), (222, 127), (205, 145), (243, 145)], float) - centre
    # PIL turns counterclockwise about a point between pixels.
    image = Image.fromarray(upright).rotate(degrees, Image.Resampling.BICUBIC, center=tuple(centre))
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    box = (centre[0] - 40, centre[1] - 50, 80, 100)
    found = face(*box, eyes @ turn.T + centre)
    crop = crop_face(np.asarray(image), found, margin=1, size=100, align=True)
    expected = upright[68:168, 172:272].astype(float)
    assert np.abs(crop - expected).mean() < 5
    unturned = crop_face(np.asarray(image), found, margin=1, size=100)
    assert np.abs(unturned - expected).mean() > 20


@pytest.mark.parametrize("degrees", [-20, 20])
def test_eyes_found_in_a_turned_picture_come_out_level(degrees: int) -> None:
    # Large: the network's landmarks hardly follow the turn of a small face.
    image = Image.fromarray(skimage.data.astronaut()[20:220, 123:323]).resize((520, 520))
    turned = np.asarray(image.rotate(degrees, Image.Resampling.BICUBIC))
    detector = FaceDetector(FaceSearch())

    def slant(picture: np.ndarray) -> float:
        (found,) = detector.detect(picture)
        across, down = found.landmarks[1] - found.landmarks[0]
        return float(np.rad2deg(np.arctan2(down, across)))

    (found,) = detector.detect(turned)
    assert abs(slant(turned)) > 8
    aligned = crop_face(turned, found, margin=1.5, size=520, align=True)
    assert abs(slant(aligned)) < 8


def small_portrait() -> np.ndarray:
    return skimage.data.astronaut()[62:174, 166:278]


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    image = small_portrait()  # 112 x 112
    grey = np.rint(image @ np.array([0.299, 0.587, 0.114]))
    expected = ndimage.laplace(grey, mode="mirror").var()
    assert sharpness(image) == pytest.approx(expected, rel=0.01)


def test_sharpness_falls_with_blur() -> None:
    image = skimage.data.astronaut()[40:190, 150:300]
    values = [sharpness(image)]
    for sigma in (1.0, 2.0, 4.0):
        blurred = ndimage.gaussian_filter(image, (sigma, sigma, 0))
        values.append(sharpness(blurred))
    assert values == sorted(values, reverse=True)
    assert values[0] > 5 * values[-1]
    assert sharpness(np.full((80, 80, 3), 77, np.uint8)) == 0


def test_sharpness_hardly_depends_on_the_size_of_a_large_face() -> None:
    image = Image.fromarray(skimage.data.astronaut()[40:190, 150:300])
    values = [sharpness(np.asarray(image.resize((side, side)))) for side in (224, 448, 896)]
    assert max(values) < 1.2 * min(values)
