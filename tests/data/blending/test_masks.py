"""Masks: in range, about the face, nothing at the border."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfake_lightning.data.blending import FacePlace
from deepfake_lightning.data.blending.masks import (
    CHANCES,
    SHAPE_SIDE,
    SHAPES,
    STRENGTHS,
    Shape,
    draw_shape,
    soften,
)

SEEDS = st.integers(0, 2**32 - 1)


def places() -> st.SearchStrategy[FacePlace]:
    """Return faces as a detector may name them: anywhere, of any proportion, points alike."""
    number = st.floats(-0.5, 1.5, width=32)
    points = st.lists(st.tuples(number, number), min_size=5, max_size=5)
    size = st.floats(0.01, 1.0)
    return st.builds(
        lambda width, height, points: FacePlace(width, height, np.array(points, np.float32)),
        size, size, points,
    )  # fmt: skip


@given(shape=st.sampled_from(SHAPES), place=places(), seed=SEEDS)
def test_any_face_has_a_mask(shape: Shape, place: FacePlace, seed: int) -> None:
    mask = draw_shape(shape, place, np.random.default_rng(seed))
    assert (mask.dtype, mask.shape) == (np.float32, (SHAPE_SIDE, SHAPE_SIDE))
    assert set(np.unique(mask)) <= {0.0, 1.0}


@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    seed=SEEDS,
    kind=st.sampled_from(["noise", "full", "empty", "dot"]),
)
def test_softened_masks_stay_in_range_and_end_before_the_border(
    size: tuple[int, int], seed: int, kind: str
) -> None:
    generator = np.random.default_rng(seed)
    mask = {
        "noise": generator.random(size),
        "full": np.ones(size),
        "empty": np.zeros(size),
        "dot": np.pad(np.ones((1, 1)), ((0, size[0] - 1), (0, size[1] - 1))),
    }[kind].astype(np.float32)
    soft = soften(mask, generator)
    assert (soft.dtype, soft.shape) == (np.float32, size)
    assert soft.min() >= 0
    assert soft.max() <= 1
    for edge in (soft[0], soft[-1], soft[:, 0], soft[:, -1]):
        assert not edge.any()


@pytest.mark.parametrize("margin", [1.0, 1.3, 2.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_usual_face_is_covered(shape: Shape, margin: float) -> None:
    place = FacePlace.usual(margin)
    eyes, mouth = place.points[:2], place.points[3:]
    for seed in range(20):
        mask = draw_shape(shape, place, np.random.default_rng(seed))
        at_eyes, at_mouth = (
            mask[tuple((points.mean(axis=0) * SHAPE_SIDE).astype(int)[::-1])]
            for points in (eyes, mouth)
        )
        assert at_eyes == (shape in ("face", "polygon", "eyes"))
        assert at_mouth == (shape != "eyes")
        assert mask.mean() < 0.9 / margin**2


def test_masks_turn_with_the_head() -> None:
    usual = FacePlace.usual(1.3)
    turn = np.array([[0.866, 0.5], [-0.5, 0.866]], np.float32)  # by 30 degrees
    turned = FacePlace(usual.width, usual.height, (usual.points - 0.5) @ turn + 0.5)
    assert turned.roll == pytest.approx(np.pi / 6, abs=1e-3)
    for points in (usual.points, turned.points):
        place = FacePlace(usual.width, usual.height, points)
        mask = draw_shape("eyes", place, np.random.default_rng(0))
        for x, y in points[:2] * SHAPE_SIDE:
            assert mask[int(y), int(x)]
        y, x = np.nonzero(mask)
        assert np.polyfit(x, y, 1)[0] == pytest.approx(np.tan(place.roll), abs=0.15)


def test_softening_shrinks_and_weakens() -> None:
    mask = np.zeros((200, 200), np.float32)
    mask[40:160, 50:150] = 1
    strengths = set()
    for seed in range(60):
        soft = soften(mask, np.random.default_rng(seed))
        assert not soft[mask == 0].any() or soft[mask == 0].max() < 0.6 * soft.max()
        assert (soft > 0.5 * soft.max()).sum() < mask.sum()
        strengths.add(round(float(soft.max()), 3))
    assert strengths == set(STRENGTHS)
    dot = np.zeros((200, 200), np.float32)
    dot[100, 100] = 1
    assert soften(dot, np.random.default_rng(0)).any()  # and takes nothing away altogether


def test_chances_are_of_the_shapes() -> None:
    assert len(CHANCES) == len(SHAPES)
    assert sum(CHANCES) == pytest.approx(1)
