"""From a folder, an index or a manifest to the loaders of each split."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from pydantic import ValidationError
from torch.utils.data import DataLoader

from deepfake_lightning.data.dataset import EpochSampler, FaceDataset
from deepfake_lightning.data.layouts import read_media
from deepfake_lightning.data.lineage import check_new_pictures, check_unseen, identity_digests
from deepfake_lightning.data.scan import report_damaged, scan_pictures
from deepfake_lightning.data.splits import check_classes, check_shares, check_splits, draw_splits
from deepfake_lightning.data.transforms import Augmentation, TrainTransform, normalise_batch
from deepfake_lightning.errors import DataError, UsageError
from deepfake_lightning.schemas import Batch, Manifest, Preprocess

log = logging.getLogger(__name__)

Split = Literal["train", "val", "calib", "test", "gate"]
DEFAULT_SHARES = {"train": 0.7, "val": 0.1, "calib": 0.05, "test": 0.15}
_STAGE_SPLITS: dict[str, tuple[Split, ...]] = {
    "fit": ("train", "val"),
    "validate": ("val",),
    "test": ("test",),
}
_FLAGS = {"size": "image_size", "aggregation": "window"}


class DeepfakeDataModule(LightningDataModule):
    """Face pictures of a data set, split by identity, augmented for training.

    Args:
        root: a folder with real/ and fake/ in it (also below train/, val/, test/), a folder
            with index.csv or manifest.csv, or such a file.
        batch_size: pictures in a batch, per process.
        image_size: side of the network's input, pixels.
        splits: shares of train, val, calib and test, where the data come without splits.
        split_seed: seed of that draw; the training's seed plays no part in it.
        resplit: draw new splits also where the data come with their own.
        group_pattern: regular expression whose first group names the person or clip in a
            file's name, for plain folders and index.csv. Pictures of one group and class are one
            item (the frames of a clip, scored together); with '(.+)' each is an item of its own.
        balance: 'sampler' shows both classes equally often in training; 'none' as they come.
        crop_size: train on random squares of this side, pixels, cut from the input-sized picture;
            scoring sees it whole. 160 of 224 halves the time of a training and keeps the scale at
            which forgeries show. Null: the whole picture.
        augment: whether training pictures are augmented.
        augmentation: the probability of each augmentation.
        num_workers: loader processes; null: one less than there are cores, 8 at most.
        strict: stop at a damaged picture instead of listing and skipping it.
        mean: of the normalisation, per channel; null: what the backbone was pretrained with.
        std: likewise.
        interpolation: how pictures are resized.
        window: frames over which scores are averaged before the maximum is an item's score.
        seed: of order and augmentation; null: the one of seed_everything, or 0.

    Example:
        >>> data = DeepfakeDataModule("faces", batch_size=16)  # doctest: +SKIP
        >>> Trainer().fit(DeepfakeDetector(), datamodule=data)  # doctest: +SKIP
    """

    def __init__(
        self,
        root: str = "mlops/data/images",
        batch_size: int = 32,
        image_size: int = 224,
        splits: dict[str, float] | None = None,
        split_seed: int = 0,
        resplit: bool = False,
        group_pattern: str | None = None,
        balance: Literal["none", "sampler"] = "none",
        crop_size: int | None = None,
        augment: bool = True,
        augmentation: Augmentation = Augmentation(),  # noqa: B008  (it is frozen)
        num_workers: int | None = None,
        strict: bool = False,
        mean: tuple[float, float, float] | None = None,
        std: tuple[float, float, float] | None = None,
        interpolation: Literal["area", "linear", "cubic"] = "area",
        window: int = 8,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        if crop_size is not None and not 0 < crop_size <= image_size:
            raise UsageError(
                f"data.crop_size is {crop_size}, and the pictures are {image_size} pixels wide",
                next_step=f"give a size from 1 to {image_size}",
            )
        if isinstance(augmentation, dict):  # as a checkpoint keeps it
            augmentation = Augmentation(**augmentation)
        if splits is not None:
            check_shares(splits)
        self.save_hyperparameters()
        # Checkpoints hold plain types only, so that they load with weights_only=True.
        self.hparams["augmentation"] = asdict(augmentation)
        self._augmentation = augmentation if augment else None
        self._given_preprocess = _checked(
            size=image_size,
            interpolation=interpolation,
            aggregation={"window": window},
            **({"mean": mean} if mean else {}),
            **({"std": std} if std else {}),
        )
        self._drawn = False  # the splits, here and not by who gave the data
        self._datasets: dict[str, FaceDataset] = {}
        self._usable: dict[str, NDArray[np.int64]] = {}
        self._pictures: dict[str, NDArray[np.int64]] = {}  # digests, as in _usable
        self._trained_on: NDArray[np.int64] | None = None
        self._trained_before = np.array([], np.int64)  # pictures, by the checkpoint gone on from
        self._trained_pictures: NDArray[np.int64] | None = None
        self._content_hash: str | None = None
        self.damaged: dict[int, str] = {}
        self.manifest: Manifest | None = None

    def setup(self, stage: str) -> None:
        """Read the data and make the data sets of a stage (``fit``, ``validate``, ``test``)."""
        self.load()
        for split in _STAGE_SPLITS.get(stage, ()):
            self.dataset(split)

    def load(self) -> Manifest:
        """Return the manifest, read and split once.

        Raises:
            DataError: nothing there, an unknown layout, a wrong cell, a leaking split.
        """
        if self.manifest is not None:
            return self.manifest
        hparams = self.hparams
        manifest = read_media(Path(hparams["root"]), group_pattern=hparams["group_pattern"])
        if (manifest.rows["media_type"] == "video").any():
            raise DataError(
                f"{manifest.origin}: it lists videos; training takes face pictures",
                next_step="extract face crops and train on those",
            )
        if not len(manifest):
            raise DataError(
                f"no data: {manifest.origin} lists no pictures", next_step="add rows to it"
            )
        rows, policy = manifest.rows, None
        if hparams["resplit"] or rows["split"].isna().all():
            shares = hparams["splits"] or DEFAULT_SHARES
            rows = rows.assign(split=draw_splits(rows, shares, hparams["split_seed"]))
            policy, self._drawn = "group", True
        elif rows["split"].isna().any():
            if self._is_first:
                log.warning("%d rows of %s name no split and are not used",
                            rows["split"].isna().sum(), manifest.origin)  # fmt: skip
            rows = rows.assign(split=rows["split"].fillna("unused"))
        manifest = manifest.with_rows(rows, policy)
        check_splits(manifest)
        self.manifest = manifest
        return manifest

    def dataset(self, split: Split) -> FaceDataset:
        """Return the data set of a split; damaged pictures are listed and left out.

        Raises:
            SplitError: it is empty, or has one class only (which only ``test`` may have).
            MediaError: pictures are damaged and ``strict`` is on.
        """
        preprocess, made = self.preprocess, self._datasets.get(split)
        # Another network than the last one's may need another normalisation.
        if made is None or made.preprocess != preprocess:
            augment = None
            crop_size = self.hparams["crop_size"]
            if split == "train" and (self._augmentation or crop_size):
                augment = TrainTransform(preprocess, self._augmentation, crop_size)
            made = FaceDataset(self.load(), self._usable_rows(split), preprocess, augment)
            self._datasets[split] = made
        return made

    def _usable_rows(self, split: Split) -> NDArray[np.int64]:
        """Return the rows of a split that can be used; look for damaged pictures once."""
        if split in self._usable:
            return self._usable[split]
        manifest = self.load()
        rules = {"one_class": split == "test", "drawn": self._drawn}
        check_classes(manifest.rows, split, manifest.origin, **rules)
        chosen = manifest.rows["split"] == split
        if split != "test":  # pictures without a label teach nothing, but can be scored
            chosen &= manifest.rows["label"].notna()
        rows = np.flatnonzero(chosen.to_numpy(bool))
        count = len(rows)
        faults, rows, digests = scan_pictures(manifest, rows, quiet=not self._is_first)
        strict = self.hparams["strict"]
        report_damaged(manifest, faults, count, strict=strict, quiet=not self._is_first)
        lost = faults.index.to_numpy(np.int64)
        self.damaged.update(zip(lost.tolist(), faults.astype(str), strict=True))
        left = manifest.rows.iloc[rows]
        check_classes(left, split, manifest.origin, **rules)
        self._usable[split], self._pictures[split] = rows, digests
        if split == "train":
            self._trained_pictures = None
        return rows

    @property
    def preprocess(self) -> Preprocess:
        """How pictures become input: as configured, and else as the backbone was pretrained."""
        network = self.trainer.lightning_module if self.trainer is not None else None
        statistics = getattr(network, "input_statistics", {})
        return Preprocess(**{**statistics, **self._given_preprocess})

    def items(self) -> NDArray[np.int64]:
        """Return int64 [rows of the manifest]: which item (clip) each row belongs to."""
        return np.asarray(self.load().rows["video_id"].astype("category").cat.codes, np.int64)

    def class_counts(self, split: Split = "train") -> NDArray[np.int64]:
        """Return int64 [2]: real and fake pictures of a split."""
        return np.bincount(self.dataset(split).labels, minlength=2)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of ``train``: shuffled or balanced, augmented, seeded per sample."""
        dataset = self.dataset("train")
        seed = self.hparams["seed"]
        sampler = EpochSampler(
            dataset.labels,
            balance=self.hparams["balance"] == "sampler",
            seed=int(os.environ.get("PL_GLOBAL_SEED", 0)) if seed is None else seed,
            world_size=self.trainer.world_size if self.trainer else 1,
            rank=self.trainer.global_rank if self.trainer else 0,
        )
        # One picture left over for the last batch would break batch normalisation.
        drop_last = len(sampler) > self.hparams["batch_size"]
        return self._loader(dataset, sampler=sampler, drop_last=drop_last)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of ``val``."""
        return self.eval_dataloader("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of ``test``."""
        return self.eval_dataloader("test")

    def eval_dataloader(self, split: Split) -> DataLoader[Batch]:
        """Return a loader of any split, in the manifest's order, without augmentation."""
        return self._loader(self.dataset(split))

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Turn the bytes that the loaders carry into what the network takes."""
        images = normalise_batch(batch["image"], self.preprocess)
        if self.trainer is not None:  # Lightning did this before, when they were bytes
            images = self.trainer.precision_plugin.convert_input(images)
        return {**batch, "image": images}

    def _loader(self, dataset: FaceDataset, **kwargs: Any) -> DataLoader[Batch]:
        workers = self.hparams["num_workers"]
        if workers is None:
            workers = min(8, max(1, (os.cpu_count() or 2) - 1))
        return DataLoader(
            dataset,  # type: ignore[arg-type]
            batch_size=self.hparams["batch_size"],
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_one_thread,
            **kwargs,
        )

    @property
    def _is_first(self) -> bool:
        return self.trainer is None or self.trainer.is_global_zero

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: who and what was trained on, and the preprocessing."""
        if self._trained_on is None:
            rows = self.load().rows
            self._trained_on = identity_digests(rows[rows["split"] == "train"])
        if self._content_hash is None:  # seconds on large manifests, and every checkpoint asks
            self._content_hash = self.load().content_hash()
        if self._trained_pictures is None:
            own = self._pictures.get("train", np.array([], np.int64))
            self._trained_pictures = np.union1d(own, self._trained_before)
        return {
            "trained_on": torch.from_numpy(self._trained_on),
            "trained_pictures": torch.from_numpy(self._trained_pictures),
            "content_hash": self._content_hash,
            "preprocess": self.preprocess.to_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Compare a checkpoint's data with these.

        A manifest with the policy ``official`` is let through: its reports name it.

        Raises:
            SplitError: a scored split holds identities or pictures that the checkpoint was
                trained on.
        """
        trained_on = state["trained_on"].numpy()
        pictures = np.array([], np.int64)
        if "trained_pictures" in state:  # older checkpoints have none
            pictures = state["trained_pictures"].numpy()
        manifest = self.load()
        rows = manifest.rows
        if manifest.policy != "official":
            for split in sorted(self._datasets.keys() - {"train"}):
                check_unseen(rows[rows["split"] == split], trained_on, split)
                paths = rows["path"].iloc[self._usable[split]]
                check_new_pictures(paths, self._pictures[split], pictures, split)
        if "train" in self._datasets:  # training goes on: what was seen before stays seen
            own = identity_digests(rows[rows["split"] == "train"])
            self._trained_on = np.union1d(own, trained_on)
            self._trained_before, self._trained_pictures = pictures, None
        was, now = state["preprocess"], self.preprocess.to_dict()
        changed = {key for key in was if was[key] != now.get(key)}
        if changed and self._is_first:
            log.warning(
                "the preprocessing differs from the checkpoint's: %s",
                ", ".join(f"{key} {was[key]} -> {now.get(key)}" for key in sorted(changed)),
            )


def _checked(**given: Any) -> dict[str, Any]:
    """Return the given part of a preprocessing, validated."""
    try:
        record = Preprocess(**given)
    except ValidationError as error:
        fault = error.errors()[0]
        name = str(fault["loc"][0])
        raise UsageError(
            f"data.{_FLAGS.get(name, name)} is {given[name]!r}: {fault['msg']}",
            next_step="correct the value",
        ) from error
    return {name: getattr(record, name) for name in given}


def _one_thread(_: int) -> None:
    cv2.setNumThreads(0)  # the workers are the parallelism
