"""Image quality, against scikit-image, scipy, colorsys and what is known of the picture."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage, stats
from skimage.measure import blur_effect

from deepfake_lightning.media.quality import QUALITY_FEATURES, quality


def portrait() -> np.ndarray:
    return skimage.data.astronaut()[8:232, 111:335].copy()  # 224 x 224


def gradient(size: int = 224) -> np.ndarray:
    """Return a smooth picture between 60 and 190."""
    ramp = np.linspace(60, 190, size)
    grey = (ramp[:, None] + ramp[None]) / 2
    return np.repeat(grey[..., None], 3, axis=2).round().astype(np.uint8)


def with_noise(image: np.ndarray, sigma: float) -> np.ndarray:
    """Return the picture with the same noise on its three channels."""
    noise = np.random.default_rng(0).normal(0, sigma, (*image.shape[:2], 1))
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def jpeg(image: np.ndarray, grade: int) -> np.ndarray:
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, grade])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def resized(image: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def luma(image: np.ndarray) -> np.ndarray:
    return image @ np.array([0.299, 0.587, 0.114])


def test_brightness_and_contrast_are_mean_and_deviation_of_the_luma() -> None:
    small = portrait().reshape(112, 2, 112, 2, 3).mean(axis=(1, 3))
    found = quality(portrait())
    assert found["brightness"] == pytest.approx(luma(small).mean(), abs=0.3)
    assert found["contrast"] == pytest.approx(luma(small).std(), abs=0.3)


def test_gamma_moves_brightness_by_as_much_as_it_moves_the_luma() -> None:
    before = quality(portrait())["brightness"]
    for gamma in (0.6, 1.6):
        changed = np.rint(255 * (portrait() / 255) ** gamma).astype(np.uint8)
        moved = quality(changed)["brightness"] - before
        assert moved == pytest.approx((luma(changed) - luma(portrait())).mean(), abs=0.5)
        assert np.sign(moved) == (1 if gamma < 1 else -1)


def test_half_the_contrast_is_half_the_deviation() -> None:
    flat = (portrait() // 2 + 64).astype(np.uint8)
    before, after = quality(portrait()), quality(flat)
    assert after["contrast"] == pytest.approx(before["contrast"] / 2, rel=0.01)
    assert after["saturation"] == pytest.approx(before["saturation"] / 2, rel=0.05)


def test_saturation_is_that_of_hsv_before_the_division() -> None:
    image = resized(portrait(), 112)
    hsv = [colorsys.rgb_to_hsv(*pixel) for pixel in image.reshape(-1, 3).tolist()]
    expected = np.mean([saturation * value for _, saturation, value in hsv])
    assert quality(image)["saturation"] == pytest.approx(expected, rel=1e-6)


def test_grey_has_no_saturation_and_a_pure_colour_the_most() -> None:
    grey = np.repeat(luma(portrait()).astype(np.uint8)[..., None], 3, axis=2)
    assert quality(grey)["saturation"] == 0
    assert quality(np.full((30, 40, 3), (255, 0, 90), np.uint8))["saturation"] == pytest.approx(255)


def test_sharpness_falls_with_blur_in_the_order_of_scikit_image() -> None:
    blurred = [portrait()]
    blurred += [ndimage.gaussian_filter(portrait(), (s, s, 0)) for s in (1.0, 2.0, 4.0)]
    ours = [quality(image)["sharpness"] for image in blurred]
    theirs = [blur_effect(image, channel_axis=2) for image in blurred]
    assert ours == sorted(ours, reverse=True)
    assert theirs == sorted(theirs)


@pytest.mark.parametrize("size", [64, 112, 224, 448])
@pytest.mark.parametrize("sigma", [2.0, 5.0, 10.0, 20.0])
def test_noise_is_the_deviation_of_what_was_added(size: int, sigma: float) -> None:
    assert quality(with_noise(gradient(size), sigma))["noise"] == pytest.approx(sigma, rel=0.15)


def test_noise_adds_to_the_texture_of_a_face_in_the_square() -> None:
    texture = quality(portrait())["noise"]
    for sigma in (3, 6, 12, 24):
        found = quality(with_noise(portrait(), sigma))["noise"]
        assert found == pytest.approx(np.hypot(sigma, texture), rel=0.1)


def test_noise_rises_with_the_estimate_by_the_median_of_the_finest_details() -> None:
    """The independent estimate is Donoho's and Johnstone's (1994), on Haar wavelets."""
    ours, theirs = [], []
    for sigma in (0, 2, 4, 8, 16):
        image = with_noise(portrait(), sigma)
        grey = np.rint(luma(image))
        detail = (grey[::2, ::2] - grey[1::2, ::2] - grey[::2, 1::2] + grey[1::2, 1::2]) / 2
        ours.append(quality(image)["noise"])
        theirs.append(np.median(np.abs(detail)) / stats.norm.ppf(0.75))
    assert ours == sorted(ours) and theirs == sorted(theirs)
    np.testing.assert_allclose(ours[2:], theirs[2:], rtol=0.25)


def test_noise_is_the_formula_of_immerkaer() -> None:
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    grey = np.random.default_rng(1).integers(0, 256, (37, 53)).astype(np.uint8)
    response = ndimage.convolve(grey.astype(int), mask)[1:-1, 1:-1]
    expected = np.sqrt(np.pi / 2) / (6 * 35 * 51) * np.abs(response).sum()
    image = np.repeat(grey[..., None], 3, axis=2)
    assert quality(image)["noise"] == pytest.approx(expected, rel=1e-6)


def test_blockiness_rises_as_jpeg_gets_coarser() -> None:
    values = [quality(portrait())["blockiness"]]
    values += [quality(jpeg(portrait(), grade))["blockiness"] for grade in (90, 75, 50, 20, 10)]
    assert values == sorted(values)
    assert values[0] == pytest.approx(1, abs=0.03)
    assert values[4] > 1.4


def test_blockiness_sees_only_the_grid_of_the_picture_itself() -> None:
    coarse = jpeg(portrait(), 20)
    assert quality(coarse[4:, 4:])["blockiness"] < 1
    assert quality(resized(coarse, 160))["blockiness"] == pytest.approx(1, abs=0.1)
    for side in (1, 4):  # a smooth picture and fine noise have no grid
        noise = np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype(np.uint8)
        image = cv2.resize(noise, (224, 224), interpolation=cv2.INTER_CUBIC)
        assert quality(np.asarray(image))["blockiness"] == pytest.approx(1, abs=0.05)


def test_blockiness_of_blocks_that_are_flat_is_the_height_of_the_steps() -> None:
    squares = np.indices((8, 8)).sum(axis=0) % 2
    grey = (100 + 9 * np.kron(squares, np.ones((8, 8)))).astype(np.uint8)
    assert quality(np.repeat(grey[..., None], 3, axis=2))["blockiness"] == pytest.approx(10)


def test_most_features_hardly_depend_on_the_size_of_the_crop() -> None:
    image = skimage.data.astronaut()[20:220, 123:323]
    found = [quality(np.asarray(cv2.resize(image, (side, side)))) for side in (224, 448)]
    for name in ("brightness", "contrast", "saturation", "sharpness"):
        assert found[0][name] == pytest.approx(found[1][name], rel=0.1)


@pytest.mark.parametrize("shape", [(224, 224), (16, 16), (8, 8), (9, 8), (2, 40), (1, 1)])
@pytest.mark.parametrize("level", [0, 77, 255])
def test_a_constant_picture_has_a_brightness_and_nothing_else(
    shape: tuple[int, int], level: int
) -> None:
    expected = dict.fromkeys(QUALITY_FEATURES, 0.0) | {"brightness": level, "blockiness": 1}
    assert quality(np.full((*shape, 3), level, np.uint8)) == pytest.approx(expected, abs=1e-5)


@given(
    arrays.arrays(
        np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)), fill=st.just(0)
    )
)
def test_any_picture_gives_finite_numbers_within_their_ranges(image: np.ndarray) -> None:
    before = image.copy()
    found = quality(image)
    assert tuple(found) == QUALITY_FEATURES
    assert all(type(value) is float and np.isfinite(value) for value in found.values())
    assert all(value >= 0 for value in found.values())
    assert found["brightness"] <= 255 and found["contrast"] <= 127.5 and found["saturation"] <= 255
    assert 1 / 256 <= found["blockiness"] <= 256
    np.testing.assert_array_equal(image, before)
    assert quality(image) == found


def test_a_view_gives_the_same_as_its_copy() -> None:
    wide = skimage.data.astronaut()
    for view in (wide[10:150, 20:190], wide[..., ::-1], wide[::2, ::3]):
        assert quality(view) == quality(view.copy())
