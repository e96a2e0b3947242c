"""The drawn faces: repeatable, varied, and where their boxes say they are."""

from __future__ import annotations

import numpy as np

from deepfake_lightning.data.demo.canvas import CANVAS, coverage
from deepfake_lightning.data.demo.draw import FRAME, Frame, draw_clip
from deepfake_lightning.data.demo.identity import draw_identity
from deepfake_lightning.data.demo.portrait import paint_portrait


def _clip(index: int, frames: int = 3) -> list[Frame]:
    portrait = paint_portrait(draw_identity(7, index))
    return draw_clip(portrait, np.random.default_rng([7, index]), frames)


def test_an_identity_depends_on_seed_and_number_alone() -> None:
    assert draw_identity(7, 3) == draw_identity(7, 3)
    assert draw_identity(7, 3) != draw_identity(7, 4)
    assert draw_identity(7, 3) != draw_identity(8, 3)


def test_portrait_layers_have_their_stated_shapes_and_ranges() -> None:
    portrait = paint_portrait(draw_identity(7, 0))
    assert portrait.albedo.shape == (CANVAS, CANVAS, 3)
    assert portrait.albedo.dtype == portrait.alpha.dtype == portrait.normals.dtype == np.float32
    assert portrait.alpha.min() >= 0.0 and portrait.alpha.max() <= 1.0
    assert portrait.occlusion.min() > 0.0 and portrait.occlusion.max() <= 1.0
    lengths = np.linalg.norm(portrait.normals, axis=2)
    np.testing.assert_allclose(lengths, 1.0, atol=1e-4)


def test_frames_are_pictures_that_move() -> None:
    first, *_, last = _clip(1)
    assert first.image.shape == (FRAME, FRAME, 3)
    assert first.image.dtype == np.uint8
    assert not np.array_equal(first.image, last.image)
    assert not np.array_equal(first.affine, last.affine)


def test_the_same_generator_draws_the_same_frames() -> None:
    for one, two in zip(_clip(2), _clip(2), strict=True):
        np.testing.assert_array_equal(one.image, two.image)
        assert one.box == two.box


def test_boxes_lie_in_the_frame_and_hold_the_middle_of_the_face() -> None:
    for index in range(4):
        for frame in _clip(index, frames=2):
            x, y, width, height = frame.box
            assert x >= 0 and x + width <= FRAME and y >= 0 and y + height <= FRAME
            middle = frame.affine @ np.array([CANVAS / 2, CANVAS / 2, 1.0])
            assert x < middle[0] < x + width and y < middle[1] < y + height


def test_other_identities_look_different() -> None:
    albedos = [paint_portrait(draw_identity(7, index)).albedo for index in range(4)]
    for one in range(4):
        for two in range(one):
            assert np.abs(albedos[one] - albedos[two]).mean() > 0.02


def test_coverage_is_one_inside_and_zero_outside() -> None:
    v, u = np.mgrid[-1:1:41j, -1:1:41j].astype(np.float32)
    cover = coverage(np.asarray(u * u + v * v - 0.5, dtype=np.float32))
    assert cover[20, 10] == 1.0
    assert cover[0, 0] == 0.0
