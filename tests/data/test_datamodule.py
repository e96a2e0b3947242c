"""From a folder or index to loaders: what is used, what is refused, what a checkpoint keeps."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

from deepfake_lightning import DeepfakeDataModule
from deepfake_lightning.data.layouts import read_media
from deepfake_lightning.data.transforms import Augmentation
from deepfake_lightning.errors import DataError, LayoutError, MediaError, SplitError, UsageError
from deepfake_lightning.media import read_image, to_input
from deepfake_lightning.schemas import Preprocess, write_manifest

SHARES = {"train": 0.5, "val": 0.25, "test": 0.25}
Index = Callable[..., Path]


def module(root: Path, **options: object) -> DeepfakeDataModule:
    plain = {"batch_size": 4, "image_size": 32, "num_workers": 0, "splits": SHARES}
    return DeepfakeDataModule(str(root), **{**plain, **options})


@pytest.fixture
def index(tmp_path: Path, make_faces: Callable[..., Path]) -> Index:
    """Return a function that indexes 8 people, two each of train and val, four of test."""

    def write(change: Callable[[pd.DataFrame], pd.DataFrame] = lambda rows: rows) -> Path:
        root = make_faces(tmp_path / "set", people=8)
        sides = ["train", "train", "val", "val", "test", "test", "test", "test"]
        rows = pd.DataFrame(
            [
                {"path": f"{name}/person{n}.jpg", "label": name, "group": f"p{n}", "split": side}
                for n, side in enumerate(sides)
                for name in ("real", "fake")
            ]
        )
        change(rows).to_csv(root / "index.csv", index=False)
        return root

    return write


class Toy(LightningModule):
    """The smallest network that Lightning trains."""

    def __init__(self, mean: float = 0.5) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)
        self.input_statistics = {"mean": (mean,) * 3, "std": (0.5,) * 3}

    def training_step(self, batch, _):
        logits = self.layer(batch["image"].mean(dim=(2, 3)))
        return torch.nn.functional.cross_entropy(logits, batch["label"])

    def validation_step(self, batch, _):
        pass

    def test_step(self, batch, _):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def trainer(**options: object) -> Trainer:
    return Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


def rows_in(data: DeepfakeDataModule, split: str) -> list[int]:
    return torch.cat([batch["row"] for batch in data.eval_dataloader(split)]).tolist()


def test_splits_are_drawn_by_person_and_reproducible(faces: Path) -> None:
    data = module(faces)
    rows = data.load().rows
    assert data.load().policy == "group"
    assert rows.groupby("group_id")["split"].nunique().max() == 1
    assert rows["split"].value_counts().to_dict() == {"train": 40, "val": 20, "test": 20}
    again = module(faces, seed=99, batch_size=2).load().rows
    pd.testing.assert_frame_equal(again, rows)
    other = module(faces, split_seed=1).load().rows
    assert (other["split"] != rows["split"]).any()


def test_loaders_carry_pictures_as_bytes(faces: Path) -> None:
    batch = next(iter(module(faces).train_dataloader()))
    assert (batch["image"].shape, batch["image"].dtype) == ((4, 32, 32, 3), torch.uint8)
    for name in ("label", "row", "track", "frame"):
        assert (batch[name].shape, batch[name].dtype) == ((4,), torch.int64)


def test_scoring_visits_every_picture_once_in_order_without_augmentation(faces: Path) -> None:
    data = module(faces, batch_size=3)
    rows = data.load().rows
    for split in ("val", "test"):
        assert rows_in(data, split) == np.flatnonzero(rows["split"] == split).tolist()
    first, second = (next(iter(data.val_dataloader()))["image"] for _ in range(2))
    assert torch.equal(first, second)


def test_the_calibration_split_has_a_loader(faces: Path) -> None:
    data = module(faces, splits={"train": 0.4, "val": 0.2, "calib": 0.2, "test": 0.2})
    assert len(rows_in(data, "calib")) == 16


def test_augmentation_is_for_training_and_can_be_off(faces: Path) -> None:
    plain = module(faces, augment=False)
    augmented, unchanged = module(faces).dataset("train"), plain.dataset("train")
    assert torch.equal(unchanged[(0, 1)]["image"], unchanged[(0, 2)]["image"])
    seen = {augmented[(0, seed)]["image"].numpy().tobytes() for seed in range(8)}
    assert len(seen) > 4


def test_splits_of_an_index_are_honoured_or_drawn_anew(index: Index) -> None:
    root = index()
    data = module(root)
    assert data.load().counts()["test"] == {"real": 4, "fake": 4}
    assert data.load().policy == "given"
    anew = module(root, resplit=True).load()
    assert anew.counts()["train"] == {"real": 4, "fake": 4}
    assert anew.policy == "group"


def test_rows_without_a_split_are_left_out(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    root = index(lambda rows: rows.assign(split=rows["split"].where(rows.index > 0)))
    data = module(root)
    with caplog.at_level(logging.WARNING):
        assert data.load().counts()["unused"] == {"real": 1}
    assert "1 rows of" in caplog.text


def test_damaged_pictures_are_listed_once_and_left_out(
    index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    root = index()
    (root / "real/person4.jpg").write_bytes(b"")
    data = module(root)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            data.setup("test")
        assert rows_in(data, "test") == [9, 10, 11, 12, 13, 14, 15]
    assert len(caplog.records) == 1
    assert "real/person4.jpg: is empty" in caplog.text
    assert data.damaged == {8: "is empty"}
    with pytest.raises(MediaError, match="1 of 8 files"):
        module(root, strict=True).setup("test")
    module(root, strict=True).setup("fit")  # other splits are not its concern


def test_what_damage_leaves_has_to_have_both_classes(index: Index) -> None:
    root = index()
    for person in (0, 1):
        (root / f"real/person{person}.jpg").write_bytes(b"")
    with pytest.raises(SplitError, match="train split has one class only, no real pictures"):
        module(root).setup("fit")
    for person in (0, 1):
        (root / f"fake/person{person}.jpg").write_bytes(b"")
    with pytest.raises(MediaError, match="4 of 4 files"):
        module(root).setup("fit")


@pytest.mark.parametrize("split", ["train", "val"])
def test_one_class_cannot_be_trained_or_validated_on(index: Index, split: str) -> None:
    root = index(lambda rows: rows[(rows["split"] != split) | (rows["label"] == "fake")])
    with pytest.raises(SplitError, match=f"the {split} split has one class only, no real pictures"):
        module(root).setup("fit")


def test_one_class_can_be_tested_on(index: Index) -> None:
    root = index(lambda rows: rows[(rows["split"] != "test") | (rows["label"] == "fake")])
    data = module(root)
    data.setup("test")
    assert data.class_counts("test").tolist() == [0, 4]


def test_an_empty_split_is_named(index: Index) -> None:
    root = index(lambda rows: rows[rows["split"] != "val"])
    with pytest.raises(SplitError, match=r"the val split is empty \(splits with data: test, tr"):
        module(root).setup("fit")


def test_a_person_in_two_splits_stops_it(index: Index) -> None:
    root = index(lambda rows: rows.assign(group=rows["group"].replace("p7", "p0")))
    with pytest.raises(SplitError, match="identity set/p0 stands in test and train"):
        module(root).load()
    source = {"source_id": ["eve" if n in (0, 8) else None for n in range(16)]}
    with pytest.raises(SplitError, match="identity set/eve stands in test and train"):
        module(index(lambda rows: rows.assign(**source))).load()


def test_pictures_without_a_label_are_scored_but_teach_nothing(index: Index) -> None:
    unknown = [0, 4, 8]
    root = index(lambda rows: rows.assign(label=rows["label"].where(~rows.index.isin(unknown))))
    data = module(root)
    assert data.class_counts("train").tolist() == [1, 2]
    assert rows_in(data, "val") == [5, 6, 7]
    assert rows_in(data, "test") == list(range(8, 16))
    assert data.dataset("test").labels[0] == -1
    root = index(lambda rows: rows.assign(label=rows["label"].where(rows["split"] != "test")))
    assert set(module(root).dataset("test").labels) == {-1}


def test_nothing_at_all_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("path,label\n")
    with pytest.raises(DataError, match="lists no media"):
        module(tmp_path).load()
    with pytest.raises(LayoutError, match="no data"):
        module(tmp_path / "nowhere").load()


@pytest.mark.parametrize(
    ("option", "value"), [("image_size", 4), ("window", 0), ("std", (0.5, 0.5, 0.0))]
)
def test_impossible_preprocessing_is_a_usage_error(
    tmp_path: Path, option: str, value: object
) -> None:
    with pytest.raises(UsageError, match=rf"data\.{option} is"):
        module(tmp_path, **{option: value})


def test_frames_of_a_clip_are_one_item(tmp_path: Path, write_picture: Callable[..., Path]) -> None:
    for clip in range(6):
        for frame in range(2):
            for name in ("real", "fake"):
                path = tmp_path / name / f"clip{clip}" / f"{frame}.jpg"
                write_picture(path, seed=clip, fake=name == "fake")
    data = module(tmp_path)
    items = data.items()
    assert len(np.unique(items)) == 12
    assert (np.bincount(items) == 2).all()
    assert data.load().rows.groupby(items)["video_id"].nunique().eq(1).all()


def test_normalisation_follows_the_network_unless_it_is_given(faces: Path) -> None:
    data = module(faces)
    assert data.preprocess == Preprocess(size=32)
    data.class_counts()  # looked at before any network is known
    trainer(fast_dev_run=True).fit(Toy(0.5), datamodule=data)
    assert data.preprocess.mean == data.dataset("train").preprocess.mean == (0.5, 0.5, 0.5)
    trainer(fast_dev_run=True).fit(Toy(0.25), datamodule=data)
    assert data.dataset("val").preprocess.mean == (0.25, 0.25, 0.25)
    given = module(faces, mean=(0.1, 0.2, 0.3))
    trainer(fast_dev_run=True).fit(Toy(), datamodule=given)
    assert given.dataset("val").preprocess.mean == (0.1, 0.2, 0.3)
    assert given.dataset("val").preprocess.std == (0.5, 0.5, 0.5)


def test_a_step_does_not_look_at_all_rows_again(faces: Path, monkeypatch: Any) -> None:
    data = module(faces)
    before = data.preprocess
    # It goes through all rows, of which there may be millions.
    monkeypatch.setattr("deepfake_lightning.data.datamodule.input_kind", None)
    assert data.preprocess == before


class Looker(Toy):
    """Keeps the batches it is given."""

    def __init__(self, mean: float = 0.5) -> None:
        super().__init__(mean)
        self.seen: dict[str, list[dict[str, torch.Tensor]]] = {"train": [], "val": [], "test": []}

    def training_step(self, batch, _):
        self.seen["train"].append(batch)
        return super().training_step(batch, _)

    def validation_step(self, batch, _):
        self.seen["val"].append(batch)

    def test_step(self, batch, _):
        self.seen["test"].append(batch)


def assert_normalised(data: DeepfakeDataModule, batches: list, preprocess: Preprocess) -> None:
    """Compare what a network was given with what serving would give it."""
    assert batches
    paths = data.load().rows["path"]
    for batch in batches:
        images = batch["image"]
        assert (images.dtype, images.shape[1:]) == (torch.float32, (3, 32, 32))
        assert images.is_contiguous(memory_format=torch.channels_last)
        for image, row in zip(images.numpy(), batch["row"].tolist(), strict=True):
            picture = read_image(data.load().root / paths[row])
            np.testing.assert_array_equal(image, to_input(picture, preprocess))


def test_a_network_is_given_what_serving_would_give_it(faces: Path) -> None:
    data, network = module(faces, augment=False), Looker()
    trainer(num_sanity_val_steps=0).fit(network, datamodule=data)
    half = Preprocess(size=32, mean=(0.5,) * 3, std=(0.5,) * 3)
    for split in ("train", "val"):
        assert_normalised(data, network.seen[split], half)
    assert sum(len(batch["row"]) for batch in network.seen["val"]) == 20
    # Another network with another normalisation, scored on a split that was not read before.
    other = Looker(0.25)
    trainer().test(other, datamodule=data, verbose=False)
    assert_normalised(data, other.seen["test"], half.model_copy(update={"mean": (0.25,) * 3}))


@pytest.mark.parametrize("precision", ["bf16-true", "64-true"])
def test_pictures_have_the_precision_of_the_network(faces: Path, precision: str) -> None:
    network = Looker()
    trainer(fast_dev_run=True, precision=precision).fit(network, datamodule=module(faces))
    assert network.seen["train"][0]["image"].dtype == network.layer.weight.dtype != torch.float32


@pytest.mark.parametrize("augment", [True, False])
def test_training_sees_crops_and_scoring_whole_pictures(faces: Path, augment: bool) -> None:
    data = module(faces, crop_size=16, augment=augment)
    train, val = data.dataset("train"), data.dataset("val")
    crops = [train[(0, seed)]["image"] for seed in range(8)]
    assert {(crop.dtype, tuple(crop.shape)) for crop in crops} == {(torch.uint8, (16, 16, 3))}
    assert len({crop.numpy().tobytes() for crop in crops}) > 4
    assert torch.equal(train[(0, 3)]["image"], crops[3])
    assert val[0]["image"].shape == (32, 32, 3)
    network = Looker()
    trainer(fast_dev_run=True).fit(network, datamodule=data)
    assert network.seen["train"][0]["image"].shape == (4, 3, 16, 16)
    assert network.seen["val"][0]["image"].shape == (4, 3, 32, 32)


@pytest.mark.parametrize("crop_size", [33, 0, -1])
def test_a_crop_that_does_not_fit_is_a_usage_error(tmp_path: Path, crop_size: int) -> None:
    with pytest.raises(
        UsageError, match=rf"data\.crop_size is {crop_size}, and the pictures are 32"
    ):
        module(tmp_path, crop_size=crop_size)
    assert module(tmp_path, crop_size=32).hparams["crop_size"] == 32


@pytest.fixture
def checkpoint(index: Index, tmp_path: Path) -> Path:
    fitted = trainer()
    fitted.fit(Toy(), datamodule=module(index()))
    path = tmp_path / "x.ckpt"
    fitted.save_checkpoint(path)
    return path


def test_a_checkpoint_holds_plain_types_and_what_was_done(checkpoint: Path) -> None:
    held = torch.load(checkpoint, weights_only=True)
    assert held["datamodule_hyper_parameters"]["augmentation"]["flip"] == 0.5
    state = held["DeepfakeDataModule"]
    assert Preprocess(**state["preprocess"]) == Preprocess(
        size=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)
    )
    assert len(state["trained_on"]) == 2
    assert len(state["content_hash"]) == 64


def test_a_data_module_comes_back_from_a_checkpoint(index: Index, tmp_path: Path) -> None:
    chosen = Augmentation(flip=1.0, jpeg=0.0)
    data, path = module(index(), crop_size=24, augmentation=chosen), tmp_path / "x.ckpt"
    fitted = trainer()
    fitted.fit(Toy(), datamodule=data)
    fitted.save_checkpoint(path)
    restored = DeepfakeDataModule.load_from_checkpoint(path, weights_only=True)
    assert dict(restored.hparams) == dict(data.hparams)
    assert restored.hparams["augmentation"] == asdict(chosen)
    sample, again = (each.dataset("train")[(0, 7)]["image"] for each in (data, restored))
    assert torch.equal(again, sample)


def test_a_checkpoint_is_not_scored_on_people_it_was_trained_on(
    checkpoint: Path, index: Index
) -> None:
    trainer().test(Toy(), datamodule=module(index()), ckpt_path=checkpoint, weights_only=True)
    swap = {"train": "test", "test": "train"}
    swapped = index(lambda rows: rows.assign(split=rows["split"].replace(swap)))
    with pytest.raises(SplitError, match="2 of 2 identities of the test split were trained on"):
        trainer().test(Toy(), datamodule=module(swapped), ckpt_path=checkpoint, weights_only=True)


def test_a_folder_that_was_copied_has_the_splits_it_had(faces: Path, tmp_path: Path) -> None:
    moved = module(Path(shutil.copytree(faces, tmp_path / "faces_moved"))).load().rows
    rows = module(faces).load().rows
    assert moved["path"].tolist() == rows["path"].tolist()
    assert moved["split"].tolist() == rows["split"].tolist()


def test_training_pictures_are_known_whatever_they_are_called(
    checkpoint: Path, index: Index
) -> None:
    swap = {"train": "test", "test": "train"}

    def other_names(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(group=rows["group"] + "new", split=rows["split"].replace(swap))

    root = index(other_names)
    with pytest.raises(SplitError, match=r"4 of 4 pictures of the test .*, real/person0\.jpg for"):
        trainer().test(Toy(), datamodule=module(root), ckpt_path=checkpoint, weights_only=True)
    held = torch.load(checkpoint, weights_only=True)
    pictures = held["DeepfakeDataModule"].pop("trained_pictures")
    assert (len(pictures), pictures.dtype) == (4, torch.int64)
    assert (pictures.diff() > 0).all()
    data = module(root)
    data.setup("test")
    data.load_state_dict(held["DeepfakeDataModule"])  # as older checkpoints are


def test_going_on_keeps_which_pictures_were_seen(checkpoint: Path, index: Index) -> None:
    root = index(lambda rows: rows.assign(group=rows["group"] + "new"))
    state = torch.load(checkpoint, weights_only=True)["DeepfakeDataModule"]
    for person in (0, 1):
        path = root / f"real/person{person}.jpg"
        path.write_bytes(path.read_bytes() + bytes(person + 1))
    data = module(root)
    data.setup("fit")
    data.load_state_dict(state)
    pictures = data.state_dict()["trained_pictures"]
    assert len(pictures) == 6
    assert set(state["trained_pictures"].tolist()) < set(pictures.tolist())


def test_the_next_step_depends_on_who_drew_the_splits(faces: Path, index: Index) -> None:
    with pytest.raises(SplitError, match="calib split is empty") as caught:
        module(faces).dataset("calib")
    assert "--data.resplit" not in caught.value.next_step
    with pytest.raises(SplitError, match="calib split is empty") as caught:
        module(index()).dataset("calib")
    assert "--data.resplit true" in caught.value.next_step


def test_published_splits_that_share_people_can_be_tested(checkpoint: Path, index: Index) -> None:
    root = index(lambda rows: rows.assign(group="p0"))
    with pytest.raises(SplitError):
        module(root).load()
    write_manifest(read_media(root), root / "manifest.csv", policy="official")
    trainer().test(Toy(), datamodule=module(root), ckpt_path=checkpoint, weights_only=True)


def test_going_on_with_other_data_keeps_who_was_seen(checkpoint: Path, index: Index) -> None:
    state = torch.load(checkpoint, weights_only=True)["DeepfakeDataModule"]
    data = module(index(lambda rows: rows.assign(group=rows["group"] + "new")))
    data.setup("fit")
    data.load_state_dict(state)
    trained_on = data.state_dict()["trained_on"]
    assert len(trained_on) == 4
    assert set(state["trained_on"].tolist()) < set(trained_on.tolist())


def test_other_preprocessing_than_the_checkpoints_is_said(
    checkpoint: Path, index: Index, caplog: pytest.LogCaptureFixture
) -> None:
    state = torch.load(checkpoint, weights_only=True)["DeepfakeDataModule"]
    data = module(index(), image_size=48, mean=(0.5,) * 3, std=(0.5,) * 3)
    data.setup("test")
    with caplog.at_level(logging.WARNING):
        data.load_state_dict(state)
    assert "differs from the checkpoint's: size 32 -> 48" in caplog.text


def test_real_face_crops(dfdc_faces: Path) -> None:
    data = module(dfdc_faces, num_workers=0)
    assert data.load().policy == "given"
    batch = next(iter(data.val_dataloader()))
    assert batch["image"].shape == (4, 32, 32, 3)
    assert data.on_after_batch_transfer(batch, 0)["image"].abs().max() < 3
