"""Augmentation: seeded, bounded, and each kind does something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deepfake_lightning.data.transforms import Augmentation, TrainTransform
from deepfake_lightning.errors import UsageError
from deepfake_lightning.media import read_image, to_input
from deepfake_lightning.schemas import Preprocess

KINDS = [field.name for field in fields(Augmentation)]
OFF = dict.fromkeys(KINDS, 0.0)
PREPROCESS = Preprocess(size=64)


@pytest.fixture(scope="module")
def picture(
    tmp_path_factory: pytest.TempPathFactory, write_picture: Callable[..., Path]
) -> NDArray[np.uint8]:
    return read_image(write_picture(tmp_path_factory.mktemp("one") / "x.png", size=80))


def test_the_same_seed_is_the_same_picture(picture: NDArray[np.uint8]) -> None:
    first, second = (TrainTransform(PREPROCESS, Augmentation()) for _ in range(2))
    images = [first(picture, seed) for seed in range(20)]
    for seed in reversed(range(20)):  # whatever was drawn before
        np.testing.assert_array_equal(second(picture, seed), images[seed])
    assert len({image.tobytes() for image in images}) >= 15


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_alone_changes_the_picture_within_its_range(
    picture: NDArray[np.uint8], kind: str
) -> None:
    transform = TrainTransform(PREPROCESS, Augmentation(**{**OFF, kind: 1.0}))
    plain = to_input(picture, PREPROCESS)
    low, high = (to_input(np.full((64, 64, 3), level, np.uint8), PREPROCESS) for level in (0, 255))
    changed = 0
    for seed in range(8):
        image = transform(picture, seed)
        assert (image.dtype, image.shape) == (np.float32, (3, 64, 64))
        assert (low <= image).all()
        assert (image <= high).all()
        assert np.abs(image - plain).mean() < 1.5  # still the same face
        changed += not np.array_equal(image, plain)
    assert changed >= 7


def test_kinds_of_the_same_probability_are_drawn_independently(picture: NDArray[np.uint8]) -> None:
    even = {"flip": 0.5, "cutout": 0.5}
    transform = TrainTransform(PREPROCESS, Augmentation(**{**OFF, **even}))
    plain = to_input(picture, PREPROCESS)
    images = [transform(picture, seed) for seed in range(200)]
    untouched = sum(np.array_equal(image, plain) for image in images)
    only_flipped = sum(np.array_equal(image, plain[:, :, ::-1]) for image in images)
    assert 30 <= untouched <= 70  # a quarter
    assert 30 <= only_flipped <= 70


def test_without_augmentation_training_and_scoring_see_the_same(
    picture: NDArray[np.uint8],
) -> None:
    transform = TrainTransform(PREPROCESS, Augmentation(**OFF))
    before = picture.copy()
    for seed in range(3):
        np.testing.assert_array_equal(transform(picture, seed), to_input(picture, PREPROCESS))
    TrainTransform(PREPROCESS, Augmentation(**dict.fromkeys(KINDS, 1.0)))(picture, 0)
    np.testing.assert_array_equal(picture, before)


def test_a_flip_is_a_flip(picture: NDArray[np.uint8]) -> None:
    flipped = TrainTransform(PREPROCESS, Augmentation(**{**OFF, "flip": 1.0}))(picture, 0)
    np.testing.assert_array_equal(flipped, to_input(picture, PREPROCESS)[:, :, ::-1])


@pytest.mark.parametrize("value", [-0.1, 1.01, float("nan")])
def test_what_is_no_probability_is_refused(value: float) -> None:
    with pytest.raises(UsageError, match=r"data\.augmentation\.jpeg is"):
        Augmentation(jpeg=value)
