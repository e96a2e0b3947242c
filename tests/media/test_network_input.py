"""A network's input, against the same computed by other libraries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional

from deepfake_lightning.media import resize, to_input
from deepfake_lightning.schemas import Preprocess


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (96, 96, 3)).astype(np.uint8)


@pytest.mark.parametrize("statistics", ["imagenet", "half"])
def test_values_equal_torchvisions(picture: np.ndarray, statistics: str) -> None:
    given = {} if statistics == "imagenet" else {"mean": (0.5, 0.4, 0.3), "std": (0.5, 0.2, 0.1)}
    preprocess = Preprocess(size=96, **given)
    planes = torch.from_numpy(picture).permute(2, 0, 1).float() / 255
    expected = functional.normalize(planes, list(preprocess.mean), list(preprocess.std))
    result = to_input(picture, preprocess)
    assert (result.dtype, result.shape) == (np.float32, (3, 96, 96))
    np.testing.assert_allclose(result, expected.numpy(), atol=1e-5)


def test_shrinking_by_a_whole_factor_is_the_mean_of_each_block(picture: np.ndarray) -> None:
    preprocess = Preprocess(size=32)
    levels = np.rint(picture.reshape(32, 3, 32, 3, 3).mean(axis=(1, 3)))
    expected = (levels / 255 - np.array(preprocess.mean)) / np.array(preprocess.std)
    np.testing.assert_allclose(
        to_input(picture, preprocess), expected.transpose(2, 0, 1), atol=1e-5
    )


def test_shrinking_does_not_alias() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.ptp(resize(stripes, Preprocess(size=16))) <= 1


def test_input_is_square_and_the_picture_stays_as_it_was() -> None:
    wide = np.random.default_rng(0).integers(0, 256, (40, 90, 3)).astype(np.uint8)
    before = wide.copy()
    for interpolation in ("area", "linear", "cubic"):
        preprocess = Preprocess(size=32, interpolation=interpolation)
        assert to_input(wide, preprocess).shape == (3, 32, 32)
    np.testing.assert_array_equal(wide, before)
