"""The pictures of an epoch and their order do not depend on how they are loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from deepfake_lightning.data.datamodule import DeepfakeDataModule
from deepfake_lightning.data.dataset import EpochSampler, FaceDataset
from deepfake_lightning.errors import MediaError
from deepfake_lightning.media import read_image, resize
from deepfake_lightning.schemas import Manifest, Preprocess

Rows = Callable[..., pd.DataFrame]
PREPROCESS = Preprocess(size=32)


def epoch(faces: Path, workers: int, number: int = 0, seed: int = 5) -> dict[str, torch.Tensor]:
    data = DeepfakeDataModule(
        str(faces), batch_size=8, image_size=32, num_workers=workers, seed=seed
    )
    loader = data.train_dataloader()
    loader.sampler.set_epoch(number)  # type: ignore[attr-defined]
    batches = list(loader)
    return {key: torch.cat([batch[key] for batch in batches]) for key in batches[0]}


def test_any_number_of_workers_gives_the_same_pictures(faces: Path) -> None:
    alone, one, two = (epoch(faces, workers) for workers in (0, 1, 2))
    assert alone.keys() == one.keys() == two.keys()
    for other in (one, two):
        for key, values in alone.items():
            assert torch.equal(values, other[key]), key
    assert torch.equal(epoch(faces, 0)["image"], alone["image"])


def test_epochs_and_seeds_differ(faces: Path) -> None:
    first = epoch(faces, 0)
    for other in (epoch(faces, 0, number=1), epoch(faces, 0, seed=6)):
        assert not torch.equal(other["row"], first["row"])
        mine, yours = first["image"][first["row"].argsort()], other["image"][other["row"].argsort()]
        assert not torch.equal(mine[:16], yours[:16])  # augmented anew


def test_workers_see_a_new_epoch_without_starting_anew(faces: Path) -> None:
    data = DeepfakeDataModule(str(faces), batch_size=8, image_size=32, num_workers=1, seed=5)
    loader = data.train_dataloader()
    seen = []
    for number in (0, 1):
        loader.sampler.set_epoch(number)  # type: ignore[attr-defined]
        seen.append(torch.cat([batch["image"] for batch in loader]))
    assert torch.equal(seen[1], epoch(faces, 0, number=1)["image"])
    assert not torch.equal(seen[0], seen[1])


@pytest.mark.parametrize("balance", [False, True])
@pytest.mark.parametrize("count", [10, 11])
def test_processes_share_one_order(count: int, balance: bool) -> None:
    labels = np.array([0] * 3 + [1] * (count - 3))
    whole = list(EpochSampler(labels, balance=balance, seed=3))
    ranks = [
        list(EpochSampler(labels, balance=balance, seed=3, world_size=2, rank=rank))
        for rank in (0, 1)
    ]
    assert len(ranks[0]) == len(ranks[1]) == -(-count // 2)
    together = [draw for pair in zip(*ranks, strict=True) for draw in pair]
    assert together[:count] == whole
    assert [index for index, _ in together[count:]] == [index for index, _ in whole[: count % 2]]


def test_every_picture_once_in_an_epoch_with_a_seed_of_its_own() -> None:
    indices, seeds = zip(*EpochSampler(np.zeros(500, int)), strict=True)
    assert sorted(indices) == list(range(500))
    assert len(set(seeds)) > 495


@pytest.mark.parametrize(("real", "fake"), [(7, 40), (40, 7), (10, 31), (5, 5), (1, 8), (9, 0)])
def test_balance_shows_both_classes_equally_often(real: int, fake: int) -> None:
    labels = np.array([0] * real + [1] * fake)
    sampler = EpochSampler(labels, balance=True)
    for number in range(10):
        sampler.set_epoch(number)
        drawn = np.array([index for index, _ in sampler])
        assert len(drawn) == len(labels)
        if real and fake:
            assert abs(np.sum(labels[drawn] == 0) - np.sum(labels[drawn] == 1)) <= 1
        shown = np.bincount(drawn, minlength=len(labels))
        for value in np.unique(labels):
            assert np.ptp(shown[labels == value]) <= 1


def test_samples_carry_what_names_them(
    tmp_path: Path, make_rows: Rows, write_picture: Callable[..., Path]
) -> None:
    rows = make_rows(
        3,
        path=["ä.png", "b.png", "c/d.png"],
        label=pd.array([0, None, 1], "Int64"),
        frame=pd.array([None, 12, 3], "Int64"),
        track_id=pd.array([None, 1, 0], "Int64"),
    )
    for seed, name in enumerate(rows["path"]):
        write_picture(tmp_path / name, seed=seed)
    dataset = FaceDataset(Manifest(rows, tmp_path, tmp_path), np.array([2, 0, 1]), PREPROCESS)
    samples = [dataset[index] for index in range(len(dataset))]
    for name, expected in {
        "row": [2, 0, 1],
        "label": [1, 0, -1],
        "frame": [3, -1, 12],
        "track": [0, -1, 1],
    }.items():
        values = torch.stack([sample[name] for sample in samples])
        assert values.dtype == torch.int64
        assert values.tolist() == expected
    assert dataset.path(1) == tmp_path / "ä.png"
    for index, sample in enumerate(samples):
        assert (sample["image"].dtype, sample["image"].shape) == (torch.uint8, (32, 32, 3))
        expected_image = resize(read_image(dataset.path(index)), PREPROCESS)
        np.testing.assert_array_equal(sample["image"].numpy(), expected_image)


def test_a_picture_that_vanishes_is_named(tmp_path: Path, make_rows: Rows) -> None:
    dataset = FaceDataset(Manifest(make_rows(1), tmp_path, tmp_path), np.array([0]), PREPROCESS)
    with pytest.raises(MediaError, match=r"faces/0\.jpg does not exist"):
        dataset[0]
