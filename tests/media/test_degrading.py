"""Degradations against what they promise, and against Pillow, scipy and scikit-image."""

from __future__ import annotations

import io
import itertools
import tracemalloc
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.transform import downscale_local_mean

from deepfake_lightning.errors import DegradationError, MediaError
from deepfake_lightning.media import degrading
from deepfake_lightning.media.degradations import DEGRADATIONS, Degradation
from deepfake_lightning.media.degrading import (
    blur,
    colour,
    crop,
    downscale,
    jpeg,
    jpeg_bytes,
    noise,
)

FAMILIES = {
    family: [one for one in DEGRADATIONS.values() if one.family == family]
    for family in dict.fromkeys(one.family for one in DEGRADATIONS.values())
}


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return skimage.data.astronaut()[8:232, 111:335].copy()  # 224 x 224


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("quality", [95, 75, 50, 30])
def test_a_jpeg_has_the_quality_that_is_said(portrait: np.ndarray, quality: int) -> None:
    ours = Image.open(io.BytesIO(jpeg_bytes(portrait, quality)))
    file = io.BytesIO()
    Image.fromarray(portrait).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    theirs = Image.open(file)
    assert ours.quantization == theirs.quantization
    assert [ours.layer[n][1:3] for n in range(3)] == [(2, 2), (1, 1), (1, 1)]  # colours at half
    apart = np.abs(jpeg(portrait, quality).astype(int) - np.asarray(theirs.convert("RGB")))
    assert apart.mean() < 1  # and the colours are not swapped


@pytest.mark.parametrize("sigma", [1, 2, 4])
def test_blur_is_scipys(portrait: np.ndarray, sigma: int) -> None:
    theirs = ndimage.gaussian_filter(portrait.astype(float), (sigma, sigma, 0), mode="mirror")
    assert np.abs(blur(portrait, sigma) - theirs).max() <= 2


@pytest.mark.parametrize("times", [2, 4])
def test_shrinking_averages_areas(portrait: np.ndarray, times: int) -> None:
    theirs = downscale_local_mean(portrait, (times, times, 1))
    assert np.abs(downscale(portrait, 1 / times) - theirs).max() <= 0.51


def test_noise_is_white_and_of_the_level_that_is_said() -> None:
    grey = np.full((256, 256, 3), 128, np.uint8)
    grain = noise(grey, 10, draw()).astype(float) - 128
    assert grain.std(axis=(0, 1)) == pytest.approx([10, 10, 10], rel=0.02)
    assert grain.mean() == pytest.approx(0, abs=0.1)
    between = np.corrcoef(grain.reshape(-1, 3).T)[np.triu_indices(3, 1)]
    beside = np.corrcoef(grain[:, 1:].ravel(), grain[:, :-1].ravel())[0, 1]
    assert np.abs([*between, beside]).max() < 0.02


@pytest.mark.parametrize("shape", [(1, 5, 3), (256, 7, 3), (700, 33, 3)])
def test_stripes_are_the_picture_as_a_whole(
    shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = draw().integers(0, 256, shape, np.uint8)
    grain = draw(5).standard_normal(shape, np.float32)
    whole = np.clip(np.rint(image + np.float32(20) * grain), 0, 255).astype(np.uint8)
    assert (noise(image, 20, draw(5)) == whole).all()
    striped = colour(image, 0.4, draw(2))
    monkeypatch.setattr(degrading, "_STRIPE", 10_000)
    assert (striped == colour(image, 0.4, draw(2))).all()


def test_large_pictures_are_not_floats_all_at_once() -> None:
    image = np.zeros((4096, 512, 3), np.uint8)
    for change in (lambda: noise(image, 5, draw()), lambda: colour(image, 0.2, draw())):
        tracemalloc.start()
        change()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 3 * image.nbytes  # 16 times as much, as a whole


def test_what_jpeg_cannot_hold_is_said() -> None:
    wide = np.zeros((1, 66_000, 3), np.uint8)
    with pytest.raises(MediaError, match="66,000 x 1 pixels cannot be written as JPEG"):
        jpeg_bytes(wide, 95)
    with pytest.raises(DegradationError, match="66,000 x 1"):
        DEGRADATIONS["jpeg_30"].alter((0, 1))(wide, 0)


def test_colours_shift_by_as_much_as_is_said(portrait: np.ndarray) -> None:
    assert (colour(portrait, 0.0, draw()) == portrait).all()
    grey = np.full((8, 8, 3), 100, np.uint8)
    seen = set()
    for seed in range(40):
        red, green, blue = colour(grey, 0.2, draw(seed))[0, 0].tolist()
        seen.add((green > 100, red > blue))
        # Green is scaled by the exposure, and by what saturation makes of the cast alone.
        assert green == pytest.approx(120 if green > 100 else 80, abs=2)
        assert abs(red - blue) == pytest.approx(16, abs=4)
    assert len(seen) == 4  # lighter and darker, warmer and colder


def test_a_crop_is_a_part_of_the_picture(portrait: np.ndarray) -> None:
    part = crop(portrait, 0.06, draw(3))
    assert part.shape == (211, 211, 3)
    match = cv2.matchTemplate(portrait, part, cv2.TM_SQDIFF)
    assert match.min() == 0
    assert len({crop(portrait, 0.06, draw(seed)).tobytes() for seed in range(9)}) > 5


def restored(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Return a picture at its first size, for comparison."""
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(
    "family", [name for name, ones in FAMILIES.items() if len(ones) > 1 and ones[0].picture]
)
def test_what_is_more_severe_is_further_from_the_picture(portrait: np.ndarray, family: str) -> None:
    changed = [
        restored(one.alter([5])(portrait, 0), portrait.shape[:2]) for one in FAMILIES[family]
    ]
    near = [peak_signal_noise_ratio(portrait, one) for one in changed]
    alike = [structural_similarity(portrait, one, channel_axis=2) for one in changed]
    for values in (near, alike):
        assert all(a > b for a, b in itertools.pairwise(values)), (family, values)


@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (97, 53)])
def test_pictures_of_any_size_stay_pictures(shape: tuple[int, int]) -> None:
    image = draw().integers(0, 256, (*shape, 3), np.uint8)
    before = image.copy()
    for one in DEGRADATIONS.values():
        if one.picture is not None:
            found = one.alter([1])(image, 0)
            assert (found.dtype, found.ndim, found.shape[2]) == (np.uint8, 3, 3), one.key
            assert min(found.shape) >= 1 and (image == before).all(), one.key


def test_an_item_is_degraded_the_same_each_time_and_others_otherwise(portrait: np.ndarray) -> None:
    def pixels(one: Degradation, item: int, frame: int) -> bytes:
        return one.alter([7, item])(portrait, frame).tobytes()

    for key in ("noise_10", "colour_20", "social"):
        one = DEGRADATIONS[key]
        assert pixels(one, 1, 0) == pixels(one, 1, 0)
        assert len({pixels(one, item, 0) for item in range(12)}) > 3
        # Grain is another in every frame; light and what is cut off are those of the clip.
        assert (pixels(one, 1, 0) != pixels(one, 1, 1)) == (key == "noise_10")


def test_names_say_what_they_are() -> None:
    for key, one in DEGRADATIONS.items():
        assert key == one.key and key.startswith(one.family)
        assert one.applies(True) and one.applies(False) == (one.family != "h264")
    assert [one.key for one in FAMILIES["h264"]] == ["h264_23", "h264_28", "h264_40"]
    assert max(len(one.words) for one in DEGRADATIONS.values()) <= 48
