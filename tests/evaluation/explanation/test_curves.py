"""Deletion and insertion, on networks of which it is known what they look at."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import auc

from deepfake_lightning.errors import UsageError
from deepfake_lightning.evaluation.explanation.curves import (
    GRID,
    STEPS,
    area,
    cell_masks,
    cell_order,
    centre_gaussian,
    faithfulness,
)

SIZE = 40  # not a multiple of all that is in use


def corner(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Score what is bright in the upper left quarter, and nothing else."""
    return np.clip(images[:, :, : SIZE // 2, : SIZE // 2].mean(axis=(1, 2, 3)), 0, 1).astype(float)


def noise(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(0.5, 1, (3, SIZE, SIZE)).astype(np.float32)


def map_of_the_corner() -> NDArray[np.float32]:
    heat = np.zeros((4, 4), np.float32)
    heat[:2, :2] = 1
    return heat


def test_a_map_that_points_at_what_counts_is_better_than_all_else() -> None:
    deletion, insertion = faithfulness(noise(), map_of_the_corner(), corner)
    assert deletion.beats_random and deletion.beats_centre
    assert deletion.map.area < 0.2 < deletion.random.area
    assert deletion.map.scores[STEPS // 4] == pytest.approx(0, abs=1e-6)
    whole = float(corner(noise()[None])[0])
    assert deletion.map.scores[0] == deletion.random.scores[0] == pytest.approx(whole)
    assert insertion.map.scores[-1] == pytest.approx(whole)


def test_insertion_brings_back_what_a_blur_took() -> None:
    def grain(images: NDArray[np.float32]) -> NDArray[np.float64]:
        fine = np.abs(np.diff(images[:, :, : SIZE // 2, : SIZE // 2], axis=3))
        return np.clip(fine.mean(axis=(1, 2, 3)), 0, 1).astype(float)

    _, insertion = faithfulness(noise(), map_of_the_corner(), grain)
    assert insertion.beats_random and insertion.beats_centre
    assert insertion.map.scores[0] < 0.5 * insertion.map.scores[-1]
    assert insertion.map.area > 0.8 * insertion.map.scores[-1]
    _, worst = faithfulness(noise(), -map_of_the_corner(), grain)
    assert worst.map.area < min(worst.random_areas) and not worst.beats_random


def test_a_map_that_points_elsewhere_is_worse_than_all_else() -> None:
    deletion, _ = faithfulness(noise(), -map_of_the_corner(), corner)
    assert not deletion.beats_random and not deletion.beats_centre
    assert deletion.map.area > max(deletion.random_areas)
    assert deletion.map.scores[3 * STEPS // 4] == deletion.map.scores[0]


def test_the_same_seed_gives_the_same_curves() -> None:
    heat = map_of_the_corner()
    assert faithfulness(noise(), heat, corner, seed=3) == faithfulness(
        noise(), heat, corner, seed=3
    )
    assert faithfulness(noise(), heat, corner) != faithfulness(noise(), heat, corner, seed=3)
    with pytest.raises(UsageError, match="0 random orders"):
        faithfulness(noise(), heat, corner, orders=0)


def test_the_area_is_that_of_another_library() -> None:
    scores = np.random.default_rng(1).uniform(size=17)
    assert area(scores) == pytest.approx(auc(np.linspace(0, 1, 17), scores))


@pytest.mark.parametrize("size", [32, 40, 129])
def test_every_pixel_is_taken_once_by_and_by(size: int) -> None:
    masks = cell_masks(cell_order(centre_gaussian(GRID)), size)
    assert masks.shape == (STEPS + 1, size, size)
    assert not masks[0].any() and masks[-1].all()
    assert not (masks[:-1] & ~masks[1:]).any()
    assert masks[1][size // 2, size // 2] and not masks[STEPS // 2][0, 0]
    shares = masks.mean(axis=(1, 2))
    assert np.abs(shares - np.linspace(0, 1, STEPS + 1)).max() < 0.05


def test_cells_follow_a_map_of_any_size() -> None:
    heat = np.arange(16, dtype=np.float32).reshape(4, 4)
    assert cell_order(heat)[0] == GRID * GRID - 1 and cell_order(heat)[-1] == 0
    fine = np.zeros((64, 64), np.float32)
    fine[8:16, 24:32] = 1
    assert cell_order(fine)[0] == GRID + 3
