"""Augmentation: seeded, bounded, and each kind does something. And the last step to a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from deepfake_lightning.data.transforms import Augmentation, TrainTransform, normalise_batch
from deepfake_lightning.errors import UsageError
from deepfake_lightning.media import normalise, read_image, resize
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
    plain = resize(picture, PREPROCESS)
    changed = 0
    for seed in range(8):
        image = transform(picture, seed)
        assert (image.dtype, image.shape) == (np.uint8, (64, 64, 3))
        assert np.abs(image.astype(int) - plain).mean() < 85  # still the same face
        changed += not np.array_equal(image, plain)
    assert changed >= 7


def test_kinds_of_the_same_probability_are_drawn_independently(picture: NDArray[np.uint8]) -> None:
    even = {"flip": 0.5, "cutout": 0.5}
    transform = TrainTransform(PREPROCESS, Augmentation(**{**OFF, **even}))
    plain = resize(picture, PREPROCESS)
    images = [transform(picture, seed) for seed in range(200)]
    untouched = sum(np.array_equal(image, plain) for image in images)
    only_flipped = sum(np.array_equal(image, plain[:, ::-1]) for image in images)
    assert 30 <= untouched <= 70  # a quarter
    assert 30 <= only_flipped <= 70


def test_without_augmentation_training_and_scoring_see_the_same(
    picture: NDArray[np.uint8],
) -> None:
    transform = TrainTransform(PREPROCESS, Augmentation(**OFF))
    before = picture.copy()
    for seed in range(3):
        np.testing.assert_array_equal(transform(picture, seed), resize(picture, PREPROCESS))
    TrainTransform(PREPROCESS, Augmentation(**dict.fromkeys(KINDS, 1.0)))(picture, 0)
    np.testing.assert_array_equal(picture, before)


def test_a_flip_is_a_flip(picture: NDArray[np.uint8]) -> None:
    flipped = TrainTransform(PREPROCESS, Augmentation(**{**OFF, "flip": 1.0}))(picture, 0)
    np.testing.assert_array_equal(flipped, resize(picture, PREPROCESS)[:, ::-1])


@pytest.mark.parametrize("value", [-0.1, 1.01, float("nan")])
def test_what_is_no_probability_is_refused(value: float) -> None:
    with pytest.raises(UsageError, match=r"data\.augmentation\.jpeg is"):
        Augmentation(jpeg=value)


@pytest.mark.parametrize("augmentation", [None, Augmentation()])
def test_a_crop_is_a_square_of_the_picture_and_differs(
    picture: NDArray[np.uint8], augmentation: Augmentation | None
) -> None:
    transform = TrainTransform(PREPROCESS, augmentation, crop_size=24)
    crops = [transform(picture, seed) for seed in range(12)]
    assert {(crop.dtype.name, crop.shape) for crop in crops} == {("uint8", (24, 24, 3))}
    assert len({crop.tobytes() for crop in crops}) >= 10
    np.testing.assert_array_equal(transform(picture, 3), crops[3])
    if augmentation is None:
        squares = np.lib.stride_tricks.sliding_window_view(
            resize(picture, PREPROCESS), (24, 24), axis=(0, 1)
        )
        for crop in crops:
            assert (squares == crop.transpose(2, 0, 1)).all(axis=(2, 3, 4)).any()


def test_a_crop_of_the_whole_size_is_the_picture(picture: NDArray[np.uint8]) -> None:
    whole = TrainTransform(PREPROCESS, None, crop_size=64)(picture, 0)
    np.testing.assert_array_equal(whole, resize(picture, PREPROCESS))


@pytest.mark.parametrize("given", [{}, {"mean": (0.5, 0.4, 0.3), "std": (0.5, 0.2, 0.1)}])
def test_a_batch_is_normalised_as_serving_does_it(given: dict[str, object]) -> None:
    preprocess = Preprocess(size=48, **given)
    pictures = np.random.default_rng(0).integers(0, 256, (5, 48, 40, 3)).astype(np.uint8)
    assert len(np.unique(pictures)) == 256
    images = torch.from_numpy(pictures)
    batch = normalise_batch(images, preprocess)
    assert (batch.dtype, batch.shape) == (torch.float32, (5, 3, 48, 40))
    assert batch.is_contiguous(memory_format=torch.channels_last)
    expected = np.stack([normalise(picture, preprocess) for picture in pictures])
    np.testing.assert_array_equal(batch.numpy(), expected)
    np.testing.assert_array_equal(images.numpy(), pictures)  # left as they were


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_normalising_does_not_wait_for_the_gpu() -> None:
    images = torch.randint(0, 256, (2, 8, 8, 3), dtype=torch.uint8)
    on_gpu = images.cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = normalise_batch(on_gpu, PREPROCESS)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(found.cpu(), normalise_batch(images, PREPROCESS))


def test_compression_leaves_the_traces_of_a_jpeg_file() -> None:
    """Pillow's, of some quality: red is not taken for blue, whose luma weighs a third as much."""
    red = np.zeros((64, 64, 3), np.uint8)
    red[:, ::2, 0] = 160  # a pattern that colours at half the resolution cannot carry
    made = TrainTransform(PREPROCESS, Augmentation(**{**OFF, "jpeg": 1.0}))(red, 3)
    gaps = []
    for quality in range(50, 101):
        file = BytesIO()
        Image.fromarray(red).save(file, "JPEG", quality=quality)
        there = np.asarray(Image.open(file), np.int16)
        gaps.append(np.abs(there - made).mean())
    assert min(gaps) < 1.0
