"""A map against a mask, by another library and by arithmetic on paper."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from deepfake_lightning.errors import DataError
from deepfake_lightning.evaluation.explanation.overlap import overlap


def test_by_hand() -> None:
    heat = np.array([[4, 1], [3, -9]], np.float32)
    mask = np.array([[True, False], [False, True]])
    found = overlap(heat, mask)
    assert found.hit
    assert found.energy == pytest.approx(4 / 8)  # what is below 0 has no part in it
    assert found.iou == pytest.approx(1 / 3)  # 4 and 3 are the highest; 4 is inside
    assert found.share == 0.5


def test_as_another_library_has_it() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        heat = generator.normal(size=(24, 24)).astype(np.float32)
        mask = generator.uniform(size=(24, 24)) < generator.uniform(0.05, 0.9)
        top = heat >= np.sort(heat.ravel())[-mask.sum()]
        assert overlap(heat, mask).iou == pytest.approx(jaccard_score(mask.ravel(), top.ravel()))


def test_a_map_without_knowledge_gets_the_masks_share() -> None:
    generator = np.random.default_rng(0)
    mask = np.zeros((16, 16), bool)
    mask[4:10, 4:12] = True
    found = [overlap(generator.uniform(size=(16, 16)).astype(np.float32), mask) for _ in range(800)]
    assert np.mean([one.hit for one in found]) == pytest.approx(found[0].share, abs=0.04)
    assert np.mean([one.energy for one in found]) == pytest.approx(found[0].share, abs=0.01)


def test_what_is_undefined_and_what_is_refused() -> None:
    mask = np.eye(3, dtype=bool)
    assert overlap(np.full((3, 3), -1, np.float32), mask).energy is None
    with pytest.raises(DataError, match="empty"):
        overlap(np.ones((3, 3), np.float32), np.zeros((3, 3), bool))
    with pytest.raises(DataError, match="not square"):
        overlap(np.ones((4, 3), np.float32), mask)


def test_a_coarse_map_points_with_the_middle_of_a_field() -> None:
    mask = np.zeros((64, 64), bool)
    mask[2:14, 2:14] = True  # fades before the border, as masks of blends do
    heat = np.zeros((4, 4), np.float32)
    heat[0, 0] = 1
    found = overlap(heat, mask)
    assert found.hit and found.iou > 0.5 and found.energy is not None and found.energy > 0.4
    heat[3, 3] = 2
    assert not overlap(heat, mask).hit
