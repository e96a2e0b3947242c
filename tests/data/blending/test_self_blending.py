"""Self-blended images: a fake differs by its blending, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import ks_2samp, rankdata

from deepfake_lightning.data.blending import Blending, FacePlace, SelfBlender
from deepfake_lightning.data.blending.self_blending import JPEG_QUALITY
from deepfake_lightning.errors import UsageError

Picture = NDArray[np.uint8]
Portrait = Callable[..., Picture]
PLACE = FacePlace.usual(1.0)
BLENDER = SelfBlender()
MCU = 16  # pixels that JPEG compresses together, with half the colour


def drawn(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@settings(max_examples=60)
@given(
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    content=st.sampled_from(["face", "noise", "grey", "black", "white"]),
    seed=st.integers(0, 2**32 - 1),
)
@example(size=(4, 1), content="grey", seed=0)  # which OpenCV takes for a scalar
def test_a_fake_is_the_real_picture_outside_of_its_mask(
    portrait: Portrait, size: tuple[int, int], content: str, seed: int
) -> None:
    image = {
        "face": portrait(*size),
        "noise": drawn(seed).integers(0, 256, (*size, 3)).astype(np.uint8),
        "grey": np.full((*size, 3), 128, np.uint8),
        "black": np.zeros((*size, 3), np.uint8),
        "white": np.full((*size, 3), 255, np.uint8),
    }[content]
    before = image.copy()
    made = BLENDER.blend(image, PLACE, drawn(seed))
    for picture in (made.real, made.fake):
        assert (picture.dtype, picture.shape) == (np.uint8, image.shape)
    assert (made.mask.dtype, made.mask.shape) == (np.float32, size)
    assert made.mask.min() >= 0
    assert made.mask.max() <= 1
    for edge in (made.mask[0], made.mask[-1], made.mask[:, 0], made.mask[:, -1]):
        assert not edge.any()
    outside = made.mask == 0
    np.testing.assert_array_equal(made.fake[outside], made.real[outside])
    np.testing.assert_array_equal(image, before)
    pair = BLENDER.pair(image, PLACE, drawn(seed))
    again = BLENDER.pair(image, PLACE, drawn(seed))
    for one, other in zip(pair, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert pair.fake.shape == pair.real.shape == image.shape


@pytest.mark.parametrize("side", [64, 128])
def test_a_fake_differs_inside_of_its_mask(portrait: Portrait, side: int) -> None:
    image, seen = portrait(side), []
    for seed in range(80):
        made = BLENDER.blend(image, PLACE, drawn(seed))
        assert made.mask.any()
        change = np.abs(made.fake.astype(int) - made.real).max(axis=2)
        seen.append(change[made.mask > made.mask.max() / 2].mean())
    assert min(seen) > 0.1
    assert np.quantile(seen, 0.1) > 1


def test_seeds_make_different_pairs_and_change_either_side(portrait: Portrait) -> None:
    image = portrait(64)
    pairs = [BLENDER.blend(image, PLACE, drawn(seed)) for seed in range(40)]
    assert len({pair.mask.tobytes() for pair in pairs}) == 40
    untouched = sum(np.array_equal(pair.real, image) for pair in pairs)
    assert 10 <= untouched <= 30  # half of the targets are the picture as it is


def test_both_sides_are_post_processed_alike(portrait: Portrait) -> None:
    image, changed = portrait(128), 0
    for seed in range(30):
        before = BLENDER.blend(image, PLACE, drawn(seed))
        pair = BLENDER.pair(image, PLACE, drawn(seed))
        np.testing.assert_array_equal(pair.mask, before.mask)
        changed += not np.array_equal(pair.real, before.real)
        blocks = before.mask.reshape(128 // MCU, MCU, 128 // MCU, MCU).any(axis=(1, 3))
        assert not blocks.all()
        for row, column in np.argwhere(~blocks) * MCU:
            # Decoders smooth colour over a pixel or two of the next block.
            inner = np.s_[row + 2 : row + MCU - 2, column + 2 : column + MCU - 2]
            np.testing.assert_array_equal(pair.fake[inner], pair.real[inner])
    assert changed >= 15


def test_jpeg_qualities_are_the_papers() -> None:
    image = drawn(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    found = [BLENDER.alone(image, drawn(seed)) for seed in range(400)]
    as_they_are = {as_jpeg(image, quality).tobytes(): quality for quality in range(1, 101)}
    qualities = [as_they_are[each.tobytes()] for each in found if each.tobytes() in as_they_are]
    assert len(qualities) >= 20  # whose colours were not changed
    assert JPEG_QUALITY[0] <= min(qualities) < 50
    assert 90 < max(qualities) <= JPEG_QUALITY[1]
    assert JPEG_QUALITY == (40, 100)


def as_jpeg(image: Picture, quality: int) -> Picture:
    data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)


def statistics(image: Picture) -> list[float]:
    """Return brightness, contrast, sharpness, colour and the size of a JPEG."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    sharpness = cv2.Laplacian(grey, cv2.CV_64F).var()
    data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    red, green, blue = image.reshape(-1, 3).mean(axis=0)
    return [grey.mean(), grey.std(), np.log(sharpness), red - green, blue - green, len(data)]


def auroc(real: NDArray[np.float64], fake: NDArray[np.float64]) -> float:
    ranks = rankdata(np.concatenate([fake, real]))[: len(fake)]
    return float((ranks.sum() - len(fake) * (len(fake) + 1) / 2) / (len(fake) * len(real)))


def test_global_statistics_tell_no_label(portrait: Portrait) -> None:
    image, count = portrait(64), 200
    pairs = [BLENDER.pair(image, PLACE, drawn(seed)) for seed in range(count)]
    real = np.array([statistics(pair.real) for pair in pairs])
    fake = np.array([statistics(pair.fake) for pair in pairs])
    alone = np.array([statistics(BLENDER.alone(image, drawn(seed))) for seed in range(count)])
    for column in range(real.shape[1]):
        assert abs(auroc(real[:, column], fake[:, column]) - 0.5) < 0.1
        # What is shown without a fake has gone through the same.
        assert ks_2samp(real[:, column], alone[:, column]).pvalue > 0.001


def test_without_room_for_a_mask_both_sides_are_the_same() -> None:
    for side in (1, 2, 7):
        image = drawn(side).integers(0, 256, (side, side, 3)).astype(np.uint8)
        for seed in range(8):
            pair = BLENDER.pair(image, PLACE, drawn(seed))
            assert not pair.mask.any()
            assert pair.real.tobytes() == pair.fake.tobytes()


@pytest.mark.parametrize(
    ("field", "value"),
    [("share", 0.0), ("share", 1.1), ("share", float("nan")), ("ratio", -1.0),
     ("ratio", float("inf"))],
)  # fmt: skip
def test_impossible_settings_are_refused(field: str, value: float) -> None:
    with pytest.raises(UsageError, match=rf"data\.blending\.{field} is"):
        Blending(**{field: value}).check()
