"""Training and scoring straight on clips."""

from __future__ import annotations

import itertools
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from deepfake_lightning import DeepfakeDataModule
from deepfake_lightning.data.clip_dataset import ClipDraws, ClipSampler
from deepfake_lightning.errors import MediaError, UsageError
from deepfake_lightning.schemas import STATUSES

SHARES = {"train": 0.5, "val": 0.25, "test": 0.25}


def module(root: Path, **options: Any) -> DeepfakeDataModule:
    plain = {"batch_size": 8, "image_size": 64, "num_workers": 0, "splits": SHARES,
             "sampling": "even:4", "train_frames": 4}  # fmt: skip
    return DeepfakeDataModule(str(root), **{**plain, **options})


def index(clips: Path, folder: Path, splits: dict[str, str], **columns: dict[str, Any]) -> Path:
    """Index clips (path -> split) in a folder of links to them."""
    folder.mkdir(exist_ok=True)
    for name in ("real", "fake"):
        if not (folder / name).exists():
            (folder / name).symlink_to(clips / name)
    rows = pd.DataFrame(
        {"path": splits.keys(), "label": [path.split("/")[0] for path in splits],
         "split": splits.values()}
    )  # fmt: skip
    for name, values in columns.items():
        rows[name] = rows["path"].map(values)
    rows.to_csv(folder / "index.csv", index=False)
    return folder


def scored(data: DeepfakeDataModule, split: Any = "test") -> dict[str, torch.Tensor]:
    batches = list(data.eval_dataloader(split))
    return {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}


TRAIN = {f"{name}/p{n}.mp4": "train" for name in ("real", "fake") for n in range(4)}


def test_a_folder_of_clips_is_trained_on(portrait_clips: Path) -> None:
    data = module(portrait_clips)
    batches = list(data.train_dataloader())
    assert data.preprocess.input == "frame"
    for batch in batches:
        assert (batch["image"].shape, batch["image"].dtype) == ((8, 64, 64, 3), torch.uint8)
    clips = len(data.dataset("train"))
    assert len(data.train_dataloader()) == len(batches) == clips * 4 // 8
    for batch in batches:  # four frames of each clip, all different
        frames = [(int(r), int(f)) for r, f in zip(batch["row"], batch["frame"], strict=True)]
        assert len(set(frames)) == 8


def test_draws_are_the_same_for_any_number_of_workers(portrait_clips: Path) -> None:
    def epoch(workers: int, seed: int = 3) -> list[np.ndarray[Any, Any]]:
        data = module(portrait_clips, num_workers=workers, seed=seed)
        return [batch["image"].numpy() for batch in data.train_dataloader()]

    alone = epoch(0)
    for one, two in zip(alone, epoch(2), strict=True):
        np.testing.assert_array_equal(one, two)
    assert any((a != b).any() for a, b in zip(alone, epoch(0, seed=4), strict=True))


@pytest.mark.slow
def test_frames_are_drawn_from_the_whole_clip(portrait_clips: Path) -> None:
    data = module(portrait_clips, augment=False)
    dataset = data.dataset("train")
    assert isinstance(dataset, ClipDraws)
    draws = itertools.product([0], range(30), range(4))
    assert {int(dataset[draw]["frame"]) for draw in draws} == set(range(12))
    first = [int(dataset[(0, seed, 0)]["frame"]) for seed in range(30)]
    assert set(first) == {0, 1, 2}


def test_a_clip_of_two_faces_is_scored_per_track(portrait_clips: Path, tmp_path: Path) -> None:
    splits = {**TRAIN, "real/p8.mp4": "val", "fake/p8.mp4": "val", "fake/two.mp4": "test"}
    data = module(index(portrait_clips, tmp_path / "set", splits))
    batch = scored(data)
    assert batch["track"].tolist() == [0, 1] * 4
    assert batch["frame"].tolist() == [1, 1, 4, 4, 7, 7, 10, 10]
    assert batch["label"].tolist() == [1] * 8
    assert set(batch["row"].tolist()) == {10}
    assert batch["lost"].shape == (0, 2)


def test_clips_without_a_score_are_counted(
    portrait_clips: Path, tmp_path: Path, caplog: Any
) -> None:
    splits = {**TRAIN, "real/p8.mp4": "val", "fake/p8.mp4": "val", "real/none.mp4": "test",
              "real/broken.mp4": "test", "fake/p9.mp4": "test"}  # fmt: skip
    data = module(index(portrait_clips, tmp_path / "set", splits))
    with caplog.at_level(logging.WARNING):
        batch = scored(data)
    rows = {path: row for row, path in enumerate(splits)}
    assert batch["lost"].tolist() == [[rows["real/none.mp4"], STATUSES.index("no_face")]]
    assert list(data.damaged) == [rows["real/broken.mp4"]]
    assert "is not a video" in data.damaged[rows["real/broken.mp4"]]
    assert set(batch["row"].tolist()) == {rows["fake/p9.mp4"]}


def test_a_batch_without_any_face_is_a_batch(portrait_clips: Path, tmp_path: Path) -> None:
    splits = {**TRAIN, "real/p8.mp4": "val", "fake/p8.mp4": "val", "real/none.mp4": "test"}
    (batch,) = module(index(portrait_clips, tmp_path / "set", splits)).test_dataloader()
    assert batch["image"].shape == (0, 64, 64, 3)
    assert batch["image"].dtype == torch.uint8
    assert batch["lost"].shape == (1, 2)


def test_in_training_another_clip_takes_the_place_of_one_without_a_face(
    portrait_clips: Path, tmp_path: Path, caplog: Any
) -> None:
    splits = {**TRAIN, "real/none.mp4": "train", "real/p8.mp4": "val", "fake/p8.mp4": "val"}
    data = module(index(portrait_clips, tmp_path / "set", splits))
    lost = list(splits).index("real/none.mp4")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            batches = list(data.train_dataloader())
    assert sum(len(batch["label"]) for batch in batches) == 9 * 4 // 8 * 8
    rows = {int(row) for batch in batches for row in batch["row"]}
    assert lost not in rows
    named = [r.getMessage() for r in caplog.records if "takes its place" in r.getMessage()]
    assert len(named) == 1
    assert "real/none.mp4: no face" in named[0]


def test_training_without_any_face_stops(portrait_clips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    for name in ("real/a.mp4", "fake/b.mp4"):
        (folder / name).parent.mkdir(parents=True)
        shutil.copy(portrait_clips / "real/none.mp4", folder / name)
    rows = {"path": ["real/a.mp4", "fake/b.mp4"], "label": ["real", "fake"], "split": "train"}
    pd.DataFrame(rows).to_csv(folder / "index.csv", index=False)
    with pytest.raises(MediaError, match="clips in a row gave no picture"):
        next(iter(module(folder).train_dataloader()))


def test_whole_frames_are_used_where_asked_for_and_said(
    portrait_clips: Path, tmp_path: Path, caplog: Any
) -> None:
    splits = {**TRAIN, "real/p8.mp4": "val", "fake/p8.mp4": "val", "real/none.mp4": "test"}
    data = module(index(portrait_clips, tmp_path / "set", splits), face="none")
    with caplog.at_level(logging.WARNING):
        batch = scored(data)
    assert "whole frames" in caplog.text
    assert data.preprocess.input == "whole"
    assert batch["frame"].tolist() == [1, 4, 7, 10]
    assert batch["track"].tolist() == [-1] * 4


def test_faces_are_found_in_photographs_where_asked_for(
    portrait_clips: Path, tmp_path: Path
) -> None:
    import cv2
    from skimage.data import astronaut

    for name in ("real/a.png", "fake/b.png"):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True)
        cv2.imwrite(str(path), cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR))
    rows = {"path": ["real/a.png", "fake/b.png"], "label": ["real", "fake"], "split": "test"}
    pd.DataFrame(rows).to_csv(tmp_path / "set/index.csv", index=False)
    found = scored(module(tmp_path / "set", face="crop", augment=False))
    assert found["track"].tolist() == [0, 0]
    whole = scored(module(tmp_path / "set"))
    assert whole["track"].tolist() == [-1, -1]
    assert (found["image"][0] != whole["image"][0]).any()


def test_extracted_crops_are_not_cropped_again(
    portrait_clips: Path, tmp_path: Path, caplog: Any
) -> None:
    from deepfake_lightning.data.extraction import extract, list_sources
    from deepfake_lightning.schemas import Extraction

    settings = Extraction(sampling="even:4", size=64, margin=1.6)
    extract(list_sources([portrait_clips]), [portrait_clips], tmp_path / "out", settings, workers=1)
    with caplog.at_level(logging.WARNING):
        data = module(tmp_path / "out", margin=2.0)
        data.load()
    assert "data.margin is 2.0 and has no part" in caplog.text
    assert data.preprocess.input == "crop"
    assert data.preprocess.margin == 1.6  # what a network trained on them is to be shown
    with pytest.raises(UsageError, match="lists crops already"):
        module(tmp_path / "out", face="crop").load()


@pytest.mark.parametrize("world", [1, 2])
def test_the_sampler_gives_each_clip_in_a_row(world: int) -> None:
    labels = np.array([0, 0, 0, 1, 1])
    ranks = [ClipSampler(labels, frames=3, seed=1, world_size=world, rank=r) for r in range(world)]
    draws = [list(sampler) for sampler in ranks]
    assert [len(d) for d in draws] == [len(s) for s in ranks]
    for part in draws:
        for first in range(0, len(part), 3):
            index, seed, _ = part[first]
            assert part[first : first + 3] == [(index, seed, slot) for slot in range(3)]
    assert {draw[0] for part in draws for draw in part} == set(range(5))
    ranks[0].set_epoch(1)
    assert list(ranks[0]) != draws[0]


def test_crops_on_the_fly_are_those_that_are_extracted(
    portrait_clips: Path, tmp_path: Path
) -> None:
    from deepfake_lightning.data.extraction import extract, list_sources
    from deepfake_lightning.schemas import Extraction

    splits = {**TRAIN, "real/p8.mp4": "val", "fake/p8.mp4": "val", "fake/two.mp4": "test"}
    root = index(portrait_clips, tmp_path / "set", splits)
    settings = Extraction(sampling="even:4", size=64, picture_format="png")
    extract(list_sources([root]), [root], tmp_path / "out", settings, workers=1)
    direct, crops = scored(module(root)), scored(module(tmp_path / "out"))
    order = np.lexsort([crops["track"], crops["frame"]])
    for name in ("image", "label", "track", "frame"):
        np.testing.assert_array_equal(direct[name], crops[name][order])


def test_a_clip_of_too_many_pictures_is_refused(
    portrait_clips: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    splits = {**TRAIN, "real/p8.mp4": "val", "fake/p8.mp4": "val", "fake/two.mp4": "test"}
    data = module(index(portrait_clips, tmp_path / "set", splits), sampling="all")
    monkeypatch.setattr("deepfake_lightning.data.clip_dataset._MOST_PICTURES", 23)
    with pytest.raises(UsageError, match=r"fake/two\.mp4 gives 24 pictures"):
        scored(data)
