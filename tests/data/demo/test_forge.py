"""The forging operations: pure, and confined to their masks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deepfake_lightning.data.demo.draw import Frame, draw_clip
from deepfake_lightning.data.demo.forge import (
    blend,
    forge_clip,
    forge_frame,
    region_mask,
    resample,
)
from deepfake_lightning.data.demo.identity import draw_identity
from deepfake_lightning.data.demo.portrait import paint_portrait
from deepfake_lightning.data.demo.recipe import METHODS, Method, draw_recipe


@pytest.fixture(scope="module")
def shots() -> tuple[list[Frame], list[Frame]]:
    target, source = (
        draw_clip(paint_portrait(draw_identity(7, index)), np.random.default_rng([7, index]), 3)
        for index in (0, 1)
    )
    return target, source


@pytest.mark.parametrize("method", METHODS)
def test_only_the_masked_region_changes(
    shots: tuple[list[Frame], list[Frame]], method: Method
) -> None:
    target, source = shots
    recipe = draw_recipe(np.random.default_rng(1), method, turn=2)
    forged = forge_clip(target, source, recipe, np.random.default_rng(2))
    assert len(forged) == len(target)
    for frame, image in zip(target, forged, strict=True):
        mask = region_mask(frame, recipe)
        np.testing.assert_array_equal(image[mask == 0], frame.image[mask == 0])
        inside = np.abs(image[mask == 1].astype(int) - frame.image[mask == 1].astype(int))
        assert inside.mean() > 3.0


@pytest.mark.parametrize("method", METHODS)
def test_masks_are_soft_and_within_the_face_box(
    shots: tuple[list[Frame], list[Frame]], method: Method
) -> None:
    frame = shots[0][0]
    mask = region_mask(frame, draw_recipe(np.random.default_rng(1), method, turn=0))
    assert mask.dtype == np.float32
    assert mask.min() == 0.0 and mask.max() == 1.0
    assert ((mask > 0) & (mask < 1)).any()
    x, y, width, height = frame.box
    rows, columns = np.nonzero(mask)
    assert x <= columns.min() and columns.max() <= x + width
    assert y <= rows.min() and rows.max() <= y + height


def test_a_rendered_face_has_a_grid_and_no_other_colour(
    shots: tuple[list[Frame], list[Frame]],
) -> None:
    """What the grid adds has its period, and no mean; nobody else's pixels are in it."""
    target, source = shots
    recipe = draw_recipe(np.random.default_rng(1), "render", turn=0)
    (forged,) = forge_clip(target[:1], source[:1], recipe, np.random.default_rng(2))
    inside = region_mask(target[0], recipe) == 1
    rows, columns = np.nonzero(inside)
    box = np.s_[rows.mean().astype(int) - 16 :, columns.mean().astype(int) - 16 :]
    gone = forged.astype(float) - resample(target[0].image.astype(np.float32), recipe.detail)
    added = gone[box][:32, :32].mean(axis=2)
    assert abs(added.mean()) < 1.0
    waves = np.abs(np.fft.fft2(added))
    assert set(zip(*np.nonzero(waves > 0.5 * waves.max()), strict=True)) == {
        (4, 0), (28, 0), (0, 4), (0, 28),
    }  # fmt: skip


def test_forging_is_pure(shots: tuple[list[Frame], list[Frame]]) -> None:
    target, source = shots
    before = target[0].image.copy()
    recipe = draw_recipe(np.random.default_rng(1), "swap", turn=0)
    mask = region_mask(target[0], recipe)
    pattern = np.random.default_rng(3).standard_normal(before.shape, dtype=np.float32)
    one = forge_frame(target[0], source[0], recipe, mask, pattern)
    two = forge_frame(target[0], source[0], recipe, mask, pattern)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(target[0].image, before)


def test_reenactment_shows_no_one_else(shots: tuple[list[Frame], list[Frame]]) -> None:
    """A source as dark as night moves a reenacted face and lends it no pixel."""
    target, source = shots
    night = [replace(frame, image=np.zeros_like(frame.image)) for frame in source]
    recipe = draw_recipe(np.random.default_rng(1), "reenact", turn=0)
    by_source = forge_clip(target, source, recipe, np.random.default_rng(2))
    by_night = forge_clip(target, night, recipe, np.random.default_rng(2))
    np.testing.assert_array_equal(by_source, by_night)


def test_turns_alternate_brightness_and_softness() -> None:
    recipes = [draw_recipe(np.random.default_rng(5), "swap", turn) for turn in range(4)]
    assert [sum(recipe.cast) > 0 for recipe in recipes] == [True, False, True, False]
    assert [recipe.grain == 0 for recipe in recipes] == [True, True, False, False]


def test_resampling_softens_and_blending_with_no_mask_does_nothing() -> None:
    noise = np.random.default_rng(0).uniform(0, 255, (64, 64, 3)).astype(np.float32)
    assert resample(noise, 0.5).std() < 0.8 * noise.std()
    base = noise.astype(np.uint8)
    np.testing.assert_array_equal(blend(base, 255 - noise, np.zeros((64, 64), np.float32)), base)
