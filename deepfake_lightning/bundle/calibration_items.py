"""The items that a checkpoint is calibrated on: those of ``predict``, with labels and scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.bundle.export import ServedNetwork, run_torch
from deepfake_lightning.bundle.scoring import score_rows
from deepfake_lightning.data.clips import ClipReader
from deepfake_lightning.data.lineage import check_unseen
from deepfake_lightning.data.splits import identity_groups
from deepfake_lightning.errors import BundleError, DataError
from deepfake_lightning.metrics import item_scores
from deepfake_lightning.models.checkpoint_file import read_checkpoint
from deepfake_lightning.models.checkpoints import TrainedDetector
from deepfake_lightning.schemas import Manifest
from deepfake_lightning.schemas.calibration import KINDS, MediaType

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is, and how much there is (0: unknown)."""

SPLIT = "calib"


@dataclass(frozen=True)
class LabelledItems:
    """The labelled items of one kind of media in the ``calib`` split, N of them.

    Attributes:
        item: int64 [N], rising: their numbers, see :meth:`~deepfake_lightning.schemas.Manifest.items`.
        label: int64 [N], 0 real and 1 fake.
        group: int64 [N], what shares a person.
    """  # noqa: E501

    item: NDArray[np.int64]
    label: NDArray[np.int64]
    group: NDArray[np.int64]


@dataclass(frozen=True)
class ScoredItems:
    """Items of one kind of media with their scores, N of them.

    Attributes:
        logit: float64 [N], natural log-odds.
        label: int64 [N], 0 real and 1 fake.
        groups: groups among the real ones that share no person.
        unscored: items that have no score: no face, or a file that cannot be read.
    """

    logit: NDArray[np.float64]
    label: NDArray[np.int64]
    groups: int
    unscored: int


def check_split(checkpoint: Path, manifest: Manifest) -> None:
    """Refuse a split that a checkpoint cannot be calibrated on.

    Raises:
        DataError: there is no ``calib`` split, or people of it were trained on.
    """
    calib = manifest.rows[manifest.rows["split"] == SPLIT]
    if calib.empty:
        raise DataError(
            f"{manifest.origin} has no {SPLIT} split",
            why="thresholds hold only for data that neither trained nor chose the detector",
            next_step="train with a share for it, --data.splits '{train: 0.65, val: 0.1, calib: "
            "0.1, test: 0.15}', or on a manifest of `deepfake-lightning data split`",
        )
    if manifest.policy != "official":  # as published, even where people are shared
        state = read_checkpoint(checkpoint)["DeepfakeDataModule"]
        if "trained_on" in state:
            check_unseen(calib, state["trained_on"].numpy(), SPLIT)


def labelled_items(manifest: Manifest) -> dict[MediaType, LabelledItems]:
    """Return the labelled items of the ``calib`` split, of each kind of media that is in it.

    Pictures of one clip are one item, and a video.
    """
    numbers, labels, wanted = _labelled(manifest)
    rows = np.flatnonzero(wanted)
    items, first = np.unique(numbers[rows], return_index=True)
    first = rows[first]
    groups = identity_groups(manifest.rows.iloc[first].reset_index(drop=True))
    kinds = manifest.kinds()[first]
    found: dict[MediaType, LabelledItems] = {}
    for kind in KINDS:
        own = kinds == kind
        if own.any():
            found[kind] = LabelledItems(items[own], labels[first[own]], groups[own])
    return found


def score_items(
    trained: TrainedDetector,
    manifest: Manifest,
    items: Mapping[MediaType, LabelledItems],
    progress: Progress,
) -> dict[MediaType, ScoredItems]:
    """Score items of the ``calib`` split with the PyTorch network.

    Raises:
        DataError: nothing of them can be scored.
        BundleError: the network gives scores that are not finite numbers.
    """
    numbers, _, wanted = _labelled(manifest)
    asked = np.concatenate([own.item for own in items.values()])
    rows = np.flatnonzero(wanted & manifest.usable() & np.isin(numbers, asked))
    keys, logits = _logits(trained, manifest, rows, progress)
    window = trained.preprocess.aggregation.window
    ids, scores = item_scores(logits, numbers[keys[:, 0]], keys[:, 1], keys[:, 2], window)
    found: dict[MediaType, ScoredItems] = {}
    for kind, own in items.items():
        scored = np.isin(own.item, ids)
        label, group = own.label[scored], own.group[scored]
        found[kind] = ScoredItems(
            logit=scores[np.searchsorted(ids, own.item[scored])],
            label=label,
            groups=len(np.unique(group[label == 0])),
            unscored=int((~scored).sum()),
        )
    return found


def _labelled(
    manifest: Manifest,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return each row's item and label, int64 [rows], and whether it has part, bool [rows]."""
    labels = manifest.rows["label"].fillna(-1).to_numpy(np.int64)
    wanted = (manifest.rows["split"] == SPLIT).to_numpy(bool) & (labels >= 0)
    return manifest.items(), labels, wanted


def _logits(
    trained: TrainedDetector, manifest: Manifest, rows: NDArray[np.int64], progress: Progress
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return row, track and frame, int64 [N, 3], and logits, float32 [N], of pictures."""
    reader = ClipReader(manifest, trained.preprocess, crop_pictures=trained.crop_pictures)
    network = ServedNetwork(trained.detector)
    batches = [
        (batch.keys, batch.logit)
        for batch in score_rows(
            reader, rows, trained.preprocess, lambda inputs: run_torch(network, inputs),
            lambda done, total: progress(f"scoring the {SPLIT} split", done, total),
            purpose="calibration",
        )
    ]  # fmt: skip
    if not batches:
        raise DataError(
            f"nothing of the {SPLIT} split of {manifest.origin} can be scored",
            why="its media cannot be read, or show no face",
            next_step="put the media back where they were",
        )
    keys, logits = (np.concatenate(column) for column in zip(*batches, strict=True))
    if not np.isfinite(logits).all():
        raise BundleError(
            "the network gives scores that are not finite numbers",
            why="its weights have diverged, or numbers overflow",
            next_step="use a checkpoint of an earlier epoch, or train again with a lower model.lr",
        )
    return keys, logits
