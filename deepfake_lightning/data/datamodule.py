"""From a folder, an index or a manifest to the loaders of each split."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_only
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from deepfake_lightning.data.blending import Blending, check_pairs_fit
from deepfake_lightning.data.clip_dataset import ClipDataset, ClipScores, joined
from deepfake_lightning.data.clips import ClipReader
from deepfake_lightning.data.dataset import FaceDataset
from deepfake_lightning.data.dataset_choice import (
    Source,
    scored_dataset,
    train_dataset,
    train_sampler,
)
from deepfake_lightning.data.demo import is_drawn
from deepfake_lightning.data.face_input import (
    FaceMode,
    as_extracted,
    has_videos,
    input_kind,
    warn_of_decoding,
    warn_of_unused_settings,
    warn_of_whole_frames,
)
from deepfake_lightning.data.layouts import read_media
from deepfake_lightning.data.lineage import Lineage, check_scored
from deepfake_lightning.data.pair_sampler import PairPlan
from deepfake_lightning.data.scan import Usable, usable_rows
from deepfake_lightning.data.splits import check_shares, with_splits
from deepfake_lightning.data.transforms import Augmentation, TrainTransform, normalise_batch
from deepfake_lightning.errors import DataError, UsageError
from deepfake_lightning.processes import available_cores
from deepfake_lightning.schemas import Batch, FaceSearch, Manifest, Preprocess, Sampling
from deepfake_lightning.schemas.settings import from_settings

log = logging.getLogger(__name__)

Split = Literal["train", "val", "calib", "test", "gate"]
DEFAULT_SHARES = {"train": 0.7, "val": 0.1, "calib": 0.05, "test": 0.15}
_STAGE_SPLITS: dict[str, tuple[Split, ...]] = {
    "fit": ("train", "val"),
    "validate": ("val",),
    "test": ("test",),
}
_FLAGS = {"size": "image_size", "aggregation": "window", "faces": "face_search"}


class DeepfakeDataModule(LightningDataModule):
    """Face pictures, or videos, of a data set, split by identity, augmented for training.

    Pictures are taken for face crops. Videos are decoded, and their faces found and cut out, as
    they are needed: every epoch anew, so that extracting the crops first is faster.

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
        face: where the faces are: 'auto' takes pictures for face crops and looks for faces in
            videos, 'crop' looks for faces in pictures, too, and 'none' takes whole frames.
        face_search: which faces are found and kept.
        margin: side of a crop over the longer side of its face's box.
        sampling: frames of each video that are scored: even:16, every:0.5, keyframes, all.
        train_frames: random frames of each video that an epoch of training sees.
        crop_size: train on random squares of this side, pixels, cut from the input-sized picture;
            scoring sees it whole. 160 of 224 halves the time of a training and keeps the scale at
            which forgeries show. Null: the whole picture.
        augment: whether training pictures are augmented.
        augmentation: the probability of each augmentation.
        blending: train on real faces and fakes made of them on the fly (self-blended images,
            arXiv 2204.08376); a pair is always in one batch. Null: on the data as they are.
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
        face: FaceMode = "auto",
        face_search: FaceSearch = FaceSearch(),  # noqa: B008  (it is frozen)
        margin: float = 1.3,
        sampling: str = "even:16",
        train_frames: int = 8,
        crop_size: int | None = None,
        augment: bool = True,
        augmentation: Augmentation = Augmentation(),  # noqa: B008  (it is frozen)
        blending: Blending | None = None,
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
        if train_frames < 1:
            raise UsageError(
                f"data.train_frames is {train_frames}", next_step="give a number from 1 on"
            )
        if isinstance(augmentation, dict):  # as a checkpoint keeps it
            augmentation = Augmentation(**augmentation)
        if isinstance(face_search, dict):
            face_search = from_settings(FaceSearch, {}, **face_search)
        blending = Blending.of(blending)
        if splits is not None:
            check_shares(splits)
        self.save_hyperparameters()
        # Checkpoints hold plain types only, so that they load with weights_only=True.
        self.hparams["augmentation"] = asdict(augmentation)
        self.hparams["face_search"] = face_search.model_dump()
        self.hparams["blending"] = None if blending is None else asdict(blending)
        self._augmentation = augmentation if augment else None
        self._blending = blending
        self._given_preprocess = _checked(
            size=image_size,
            interpolation=interpolation,
            aggregation={"window": window},
            margin=margin,
            faces=face_search,
            sampling=sampling,
            **({"mean": mean} if mean else {}),
            **({"std": std} if std else {}),
        )
        self._drawn = False  # the splits, here and not by who gave the data
        self._datasets: dict[str, FaceDataset | ClipDataset] = {}
        self._usable: dict[str, Usable] = {}
        self._lineage = Lineage()
        self.damaged: dict[int, str] = {}
        self._read: Manifest | None = None
        self.manifest: Manifest | None = None

    def setup(self, stage: str) -> None:
        """Read the data and make the data sets of a stage (``fit``, ``validate``, ``test``)."""
        manifest = self.load()
        if stage == "fit" and self._is_first and "train" not in self._datasets:
            warn_of_decoding(manifest)
        for split in _STAGE_SPLITS.get(stage, ()):
            self.dataset(split)

    def read(self) -> Manifest:
        """Return the manifest as it comes, read once.

        Raises:
            DataError: nothing there, an unknown layout, a wrong cell.
        """
        if self._read is None:
            root, pattern = Path(self.hparams["root"]), self.hparams["group_pattern"]
            self._read = read_media(root, group_pattern=pattern)
        return self._read

    def load(self) -> Manifest:
        """Return the manifest, split.

        Raises:
            DataError: nothing there, an unknown layout, a wrong cell, a leaking split.
        """
        if self.manifest is not None:
            return self.manifest
        hparams, manifest = self.hparams, self.read()
        if not len(manifest):
            raise DataError(
                f"no data: {manifest.origin} lists no media", next_step="add rows to it"
            )
        unsplit = int(manifest.rows["split"].isna().sum())
        shares = hparams["splits"] or DEFAULT_SHARES
        manifest, self._drawn = with_splits(
            manifest, shares, hparams["split_seed"], resplit=hparams["resplit"]
        )
        if unsplit and not self._drawn and self._is_first:
            log.warning("%d rows of %s name no split and are not used", unsplit, manifest.origin)
        if self._is_first:
            warn_of_unused_settings(manifest, self._given_preprocess)
            warn_of_whole_frames(input_kind(manifest, hparams["face"]))
        self.manifest = manifest
        return manifest

    def dataset(self, split: Split) -> FaceDataset | ClipDataset:
        """Return the data set of a split; damaged media are listed and left out.

        Raises:
            SplitError: it is empty, or has one class only (which only ``test`` may have).
            MediaError: media are damaged and ``strict`` is on.
        """
        preprocess, made = self.preprocess, self._datasets.get(split)
        # Another network than the last one's may need another normalisation.
        if made is None or made.preprocess != preprocess:
            made = self._datasets[split] = self._made(split, preprocess)
        return made

    def _made(self, split: Split, preprocess: Preprocess) -> FaceDataset | ClipDataset:
        if split == "train" and self._blending is not None:
            check_pairs_fit(self.hparams["batch_size"], self.hparams["balance"])
        rows = self._usable_of(split).rows
        source = Source(self.load(), preprocess, self.hparams["face"] == "crop")
        if split != "train":
            return scored_dataset(source, rows)
        return train_dataset(
            source, rows, frames=self.hparams["train_frames"],
            augment=self.train_transform(preprocess), blending=self._blending,
        )  # fmt: skip

    def train_transform(self, preprocess: Preprocess) -> TrainTransform | None:
        """Return the augmentation of training pictures, None where they are shown as they are."""
        crop_size = self.hparams["crop_size"]
        if self._augmentation is None and crop_size is None:
            return None
        return TrainTransform(preprocess, self._augmentation, crop_size)

    def reader(self) -> ClipReader:
        """Return what reads any row's pictures as the network sees them, without augmentation."""
        crop = self.hparams["face"] == "crop"
        return ClipReader(self.manifest or self.read(), self.preprocess, crop_pictures=crop)

    def _usable_of(self, split: Split) -> Usable:
        """Return the rows of a split that can be used; look for damaged media once."""
        if split not in self._usable:
            self._usable[split] = usable_rows(
                self.load(), split, drawn=self._drawn, strict=self.hparams["strict"],
                quiet=not self._is_first, reals_only=split == "train" and self._reals_only,
            )  # fmt: skip
            self.damaged.update(self._usable[split].damaged)
            if split == "train":
                self._lineage.forget()
        return self._usable[split]

    @property
    def preprocess(self) -> Preprocess:
        """How pictures become input: as configured, and else as the backbone was pretrained.

        Pictures that were extracted were cut out as the manifest says.
        """
        network = self.trainer.lightning_module if self.trainer is not None else None
        statistics = getattr(network, "input_statistics", {})
        return Preprocess(**{**statistics, **self._given_preprocess, **self._preprocess_of_data})

    @cached_property  # asked for in every step, and a manifest may have millions of rows
    def _preprocess_of_data(self) -> dict[str, Any]:
        manifest = self.read()
        return {**as_extracted(manifest), "input": input_kind(manifest, self.hparams["face"])}

    def items(self) -> NDArray[np.int64]:
        """Return int64 [rows of the manifest]: which item (clip) each row belongs to."""
        return np.asarray(self.load().rows["video_id"].astype("category").cat.codes, np.int64)

    def class_counts(self, split: Split = "train") -> NDArray[np.int64]:
        """Return int64 [2]: real and fake pictures of a split; blended ones are counted."""
        plan = self.pair_plan() if split == "train" else None
        if plan is not None:
            return np.array([plan.pairs + plan.reals, plan.pairs + plan.fakes])
        return np.bincount(self.dataset(split).labels, minlength=2)

    def pair_plan(self) -> PairPlan | None:
        """Return how many pictures, or clips, an epoch shows of what; None without blending."""
        if self._blending is None:
            return None
        return PairPlan.of(self.dataset("train").labels, self._blending)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of ``train``: in an order of its own, augmented, seeded per sample."""
        dataset = self.dataset("train")
        seed = self.hparams["seed"]
        sampler = train_sampler(
            dataset,
            balance=self.hparams["balance"] == "sampler",
            blending=self._blending,
            seed=int(os.environ.get("PL_GLOBAL_SEED", 0)) if seed is None else seed,
            world_size=self.trainer.world_size if self.trainer else 1,
            rank=self.trainer.global_rank if self.trainer else 0,
        )
        # One picture left over for the last batch would break batch normalisation.
        drop_last = len(sampler) > self.hparams["batch_size"]
        return self._loader(
            dataset, sampler=sampler, drop_last=drop_last, batch_size=self.hparams["batch_size"]
        )

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of ``val``."""
        return self.eval_dataloader("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of ``test``."""
        return self.eval_dataloader("test")

    def eval_dataloader(self, split: Split) -> DataLoader[Batch]:
        """Return a loader of any split, in the manifest's order, without augmentation."""
        dataset, size = self.dataset(split), self.hparams["batch_size"]
        if not isinstance(dataset, ClipScores):
            return self._loader(dataset, batch_size=size)
        # A clip gives as many pictures as it has faces: a batch holds whole clips.
        sampling = Sampling.parse(dataset.preprocess.sampling)
        frames = int(sampling.amount or 1) if sampling.kind == "even" else size
        if not has_videos(self.load()):
            frames = 1
        return self._loader(dataset, batch_size=max(1, size // frames), collate_fn=joined)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Turn the bytes that the loaders carry into what the network takes."""
        images = normalise_batch(batch["image"], self.preprocess)
        if self.trainer is not None:  # Lightning did this before, when they were bytes
            images = self.trainer.precision_plugin.convert_input(images)
        if "mask" in batch:
            mask = batch["mask"].float().div_(255).unsqueeze(1)
            return {**batch, "image": images, "mask": mask}
        return {**batch, "image": images}

    def _loader(self, dataset: FaceDataset | ClipDataset, **kwargs: Any) -> DataLoader[Batch]:
        workers = self.hparams["num_workers"]
        if workers is None:
            workers = min(8, max(1, available_cores() - 1))
        return DataLoader(
            dataset,  # type: ignore[arg-type]
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_one_thread,
            **kwargs,
        )

    @property
    def _reals_only(self) -> bool:
        """Whether a training uses no fakes of the data."""
        return self._blending is not None and not self._blending.ratio

    @property
    def _is_first(self) -> bool:
        if self.trainer is None:  # the data are looked at before it has them
            return getattr(rank_zero_only, "rank", 0) == 0
        return bool(self.trainer.is_global_zero)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: who and what was trained on, how pictures were made."""
        own = self._usable.get("train")
        pictures = np.array([], np.int64) if own is None else own.digests
        kept = self._lineage.state(self.load(), pictures)
        return {
            **kept,
            "preprocess": self.preprocess.to_dict(),
            "extracted": self.load().extraction is not None,
            "drawn": is_drawn(self.load().rows),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Compare a checkpoint's data with these.

        Raises:
            SplitError: a scored split holds identities or pictures that the checkpoint was
                trained on.
        """
        scored = {
            split: (self._usable[split].rows, self._usable[split].digests)
            for split in self._datasets.keys() - {"train"}
        }
        check_scored(state, self.load(), scored)
        if "train" in self._datasets:  # training goes on: what was seen before stays seen
            self._lineage.go_on_from(state)
        was, now = state["preprocess"], self.preprocess.to_dict()
        changed = {key for key in was if was[key] != now.get(key)}
        if changed and self._is_first:
            log.warning(
                "the preprocessing differs from the checkpoint's: %s",
                ", ".join(f"{key} {was[key]} -> {now.get(key)}" for key in sorted(changed)),
            )


def _checked(**given: Any) -> dict[str, Any]:
    """Return the given part of a preprocessing, validated."""
    flags = {name: f"data.{_FLAGS.get(name, name)}" for name in given}
    record = from_settings(Preprocess, flags, **given)
    return {name: getattr(record, name) for name in given}


def _one_thread(_: int) -> None:
    cv2.setNumThreads(0)  # the workers are the parallelism
