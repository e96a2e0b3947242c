"""Training on real faces and fakes made of them: what is in a batch, and what stays as it is."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

from deepfake_lightning import DeepfakeDataModule
from deepfake_lightning.data.blended_dataset import BlendedClips, PairMaker
from deepfake_lightning.data.blending import Blending, FacePlace
from deepfake_lightning.data.pair_sampler import Side
from deepfake_lightning.data.transforms import TrainTransform
from deepfake_lightning.errors import SplitError, UsageError
from deepfake_lightning.media import read_image
from deepfake_lightning.schemas import Preprocess

Batches = list[dict[str, torch.Tensor]]
ALL = Blending()
PLAIN: dict[str, Any] = {
    "batch_size": 8, "image_size": 48, "num_workers": 0, "seed": 5,
    "splits": {"train": 0.5, "val": 0.25, "test": 0.25},
}  # fmt: skip


def module(root: Path, blending: Blending | None = ALL, **options: Any) -> DeepfakeDataModule:
    return DeepfakeDataModule(str(root), blending=blending, **{**PLAIN, **options})


def epoch(data: DeepfakeDataModule, number: int = 0) -> Batches:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(number)  # type: ignore[attr-defined]
    return list(loader)


def assert_same(one: Batches, other: Batches) -> None:
    for first, second in zip(one, other, strict=True):
        assert first.keys() == second.keys()
        for key, values in first.items():
            assert torch.equal(values, second[key]), key


def test_a_batch_holds_real_faces_each_with_its_fake(faces: Path) -> None:
    data = module(faces, augment=False)
    batches = epoch(data)
    labels = data.load().rows["label"]
    assert [len(batch["label"]) for batch in batches] == [8] * 5
    for batch in batches:
        assert batch["label"].tolist() == [0, 1] * 4
        assert torch.equal(batch["row"][::2], batch["row"][1::2])
        assert (labels.iloc[batch["row"]] == 0).all()
        assert (batch["image"].shape, batch["image"].dtype) == ((8, 48, 48, 3), torch.uint8)
        assert (batch["mask"].shape, batch["mask"].dtype) == ((8, 48, 48), torch.uint8)
        assert not batch["mask"][::2].any()
        assert (batch["mask"][1::2].flatten(1).amax(dim=1) > 0).all()
    rows = torch.cat([batch["row"][::2] for batch in batches])
    assert len(rows.unique()) == len(rows) == 20
    assert data.class_counts().tolist() == [20, 20]


def test_any_number_of_workers_gives_the_same_pairs(faces: Path) -> None:
    mixed = Blending(share=0.7, ratio=0.5)
    alone, again, two = (epoch(module(faces, mixed, num_workers=n)) for n in (0, 0, 2))
    assert_same(alone, again)
    assert_same(alone, two)
    other = epoch(module(faces, mixed), number=1)
    assert not torch.equal(other[0]["image"], alone[0]["image"])


def test_scoring_is_left_untouched(faces: Path) -> None:
    plain, blended = module(faces, None), module(faces)
    for split in ("val", "test"):
        assert_same(list(plain.eval_dataloader(split)), list(blended.eval_dataloader(split)))
    assert blended.class_counts("val").tolist() == plain.class_counts("val").tolist()


def test_fakes_of_the_data_come_by_their_ratio(faces: Path) -> None:
    data = module(faces, Blending(share=0.5, ratio=1.0))
    batches = epoch(data)
    labels = data.load().rows["label"]
    rows, shown = (torch.cat([batch[key] for batch in batches]) for key in ("row", "label"))
    own = labels.iloc[rows].to_numpy(int)
    # Two batches of 8 too many for whole ones are left out, as ever.
    assert np.sum(own == 1) == pytest.approx(10, abs=4)
    assert np.sum((own == 0) & (shown.numpy() == 1)) == pytest.approx(10, abs=4)
    assert not np.any((own == 1) & (shown.numpy() == 0))
    assert data.class_counts().tolist() == [20, 20]
    assert all("mask" not in batch for batch in batches)  # nobody knows those of the data


def test_masks_move_with_their_pictures(faces: Path) -> None:
    still = {"colour": 0.0, "jpeg": 0.0, "noise": 0.0, "blur": 0.0, "downscale": 0.0, "cutout": 0.0}
    data = module(faces, augmentation={**still, "flip": 1.0, "shift": 1.0}, crop_size=40)
    inside, outside = [], []
    for batch in itertools.chain(epoch(data), epoch(data, 1)):
        assert batch["mask"].shape == (8, 40, 40)
        real, fake = (batch["image"][at::2].float() for at in (0, 1))
        change, mask = (fake - real).abs().amax(dim=3), batch["mask"][1::2]
        inside += change[mask > 100].tolist()
        outside += change[mask == 0].tolist()
    assert np.mean(inside) > 3 * np.mean(outside)  # where only JPEG differs


def test_data_without_fakes_to_train_on(tmp_path: Path, write_picture: Callable[..., Path]) -> None:
    lines = ["path,label,group,split"]
    for number in range(12):
        split = "train" if number < 8 else "val"
        for label in ("real", "fake")[: 1 if split == "train" else 2]:
            write_picture(tmp_path / label / f"{number}.jpg", seed=number, fake=label == "fake")
            lines.append(f"{label}/{number}.jpg,{label},{number},{split}")
    (tmp_path / "index.csv").write_text("\n".join(lines))
    data = module(tmp_path, splits=None)
    assert data.class_counts().tolist() == [8, 8]
    assert len(epoch(data)) == 2
    with pytest.raises(SplitError, match="no fake pictures"):
        module(tmp_path, Blending(ratio=0.5), splits=None).dataset("train")
    swapped = (tmp_path / "index.csv").read_text().replace("real,0", "fake,0")
    (tmp_path / "index.csv").write_text(swapped.replace(",real,", ",fake,"))
    with pytest.raises(SplitError, match="no real pictures"):
        module(tmp_path, splits=None).dataset("train")


@pytest.mark.parametrize(
    ("options", "said"),
    [({"batch_size": 7}, "batch_size is 7"), ({"balance": "sampler"}, "balance is 'sampler'"),
     ({"face": "none"}, "whole frames are trained on")],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(
    faces: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        module(faces, **options).dataset("train")


def test_clips_are_decoded_once_for_both_sides(portrait_clips: Path, monkeypatch: Any) -> None:
    data = module(portrait_clips, batch_size=4, train_frames=3)
    dataset = data.dataset("train")
    assert isinstance(dataset, BlendedClips)
    decoded = []
    read = dataset._reader.pictures
    monkeypatch.setattr(dataset._reader, "pictures", lambda *a: decoded.append(a) or read(*a))
    batches = epoch(data)
    assert len(decoded) < len(data.train_dataloader().sampler) / 2  # of 3 frames, twice each
    for batch in batches:
        assert batch["label"].tolist() == [0, 1] * 2
        for key in ("row", "frame", "track"):
            assert torch.equal(batch[key][::2], batch[key][1::2])
        assert batch["mask"].any()
        assert not torch.equal(batch["image"][0], batch["image"][1])


class Looker(LightningModule):
    """Keeps the batches it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)
        self.seen: list[dict[str, torch.Tensor]] = []

    def training_step(self, batch: Any, _: int) -> torch.Tensor:
        self.seen.append(batch)
        logits = self.layer(batch["image"].mean(dim=(2, 3)))
        return torch.nn.functional.cross_entropy(logits, batch["label"])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def test_a_network_is_given_masks_and_a_checkpoint_the_settings(
    faces: Path, tmp_path: Path
) -> None:
    data, network = module(faces, Blending(share=0.9)), Looker()
    trainer = Trainer(
        accelerator="cpu", max_epochs=2, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, limit_val_batches=0,
    )  # fmt: skip
    trainer.fit(network, datamodule=data)
    first, *_, last = network.seen
    assert (first["mask"].shape, first["mask"].dtype) == ((8, 1, 48, 48), torch.float32)
    assert 0.2 < first["mask"].max() <= 1
    assert not torch.equal(first["row"], last["row"])  # the epoch is told
    trainer.save_checkpoint(tmp_path / "x.ckpt")
    again = DeepfakeDataModule.load_from_checkpoint(tmp_path / "x.ckpt", weights_only=True)
    assert again.hparams["blending"] == {"share": 0.9, "ratio": 0.0}
    assert_same(epoch(again), epoch(data))
    held = torch.load(tmp_path / "x.ckpt", weights_only=True)["DeepfakeDataModule"]
    assert len(held["trained_pictures"]) == 20  # the fakes of the data were not trained on


def test_landmarks_of_extracted_faces_are_used(faces: Path, monkeypatch: Any) -> None:
    data = module(faces)
    dataset = data.dataset("train")
    pair = next(draw for draw in data.train_dataloader().sampler)
    before = dataset[pair]["image"]
    assert torch.equal(before, dataset[pair]["image"])
    side = pair._replace(side=type(pair.side).FAKE)
    masked = dataset[side]["mask"].numpy()
    assert cv2.countNonZero(masked) > 0
    dataset._made = None
    dataset._places[:] = [0.2, 0.2, *([0.3, 0.3, 0.4, 0.3, 0.35, 0.35, 0.3, 0.4, 0.4, 0.4])]
    assert not np.array_equal(dataset[side]["mask"].numpy(), masked)


def test_settings_of_pairs_are_no_matter_where_none_are_made(faces: Path) -> None:
    """A checkpoint holds blending, and is scored with any size of a batch."""
    data = module(faces, batch_size=7, balance="sampler")
    data.setup("test")
    assert len(next(iter(data.test_dataloader()))["label"]) == 7
    with pytest.raises(UsageError, match="batch_size is 7"):
        data.setup("fit")


def test_no_fake_is_its_real_face(write_picture: Callable[..., Path], tmp_path: Path) -> None:
    """Small crops often have nothing of a mask in them."""
    picture = read_image(write_picture(tmp_path / "a.png", seed=3, size=96))
    preprocess = Preprocess(size=96)
    place, transform = FacePlace.usual(1.3), TrainTransform(preprocess, None, 24)
    maker, same = PairMaker(preprocess, transform), 0
    for seed in range(60):
        pair = maker.pair(picture, place, seed)
        assert not pair[Side.REAL].mask.any()
        same += not pair[Side.FAKE].mask.any()
        same += np.array_equal(pair[Side.FAKE].image, pair[Side.REAL].image)
        again = maker.pair(picture, place, seed)
        assert np.array_equal(again[Side.FAKE].image, pair[Side.FAKE].image)
    assert same == 0
