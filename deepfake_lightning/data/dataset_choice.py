"""Which data set shows the pictures of a split, and in which order a training visits them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.data.blended_dataset import BlendedClips, BlendedFaces
from deepfake_lightning.data.blending import Blending, check_faces
from deepfake_lightning.data.clip_dataset import ClipDataset, ClipDraws, ClipSampler, ClipScores
from deepfake_lightning.data.dataset import EpochSampler, FaceDataset
from deepfake_lightning.data.face_input import has_videos
from deepfake_lightning.data.pair_sampler import PairSampler
from deepfake_lightning.data.transforms import TrainTransform
from deepfake_lightning.schemas import Manifest, Preprocess


@dataclass(frozen=True)
class Source:
    """Where pictures come from.

    Attributes:
        manifest: rows and the folder their paths are relative to.
        preprocess: from picture to input.
        crop_pictures: look for faces in photographs, too.
    """

    manifest: Manifest
    preprocess: Preprocess
    crop_pictures: bool

    @property
    def crops(self) -> bool:
        """Whether all pictures are read as they are, and nothing is decoded or looked for."""
        return not has_videos(self.manifest) and self.preprocess.input != "frame"


def scored_dataset(source: Source, rows: NDArray[np.int64]) -> FaceDataset | ClipDataset:
    """Return the data set of rows (int64 [N]) that are scored."""
    if source.crops:
        return FaceDataset(source.manifest, rows, source.preprocess)
    return ClipScores(source.manifest, rows, source.preprocess, crop_pictures=source.crop_pictures)


def train_dataset(
    source: Source,
    rows: NDArray[np.int64],
    *,
    frames: int,
    augment: TrainTransform | None,
    blending: Blending | None,
) -> FaceDataset | ClipDraws:
    """Return the data set of rows that are trained on.

    Args:
        source: where pictures come from.
        rows: int64 [N], positions in the manifest.
        frames: random frames of each video.
        augment: the training transform; None for none.
        blending: fakes made of real faces; None for none. Masks are in its batches where all are
            known: nobody knows what is altered in the fakes of the data.

    Raises:
        UsageError: blending, and no face is looked for.
    """
    manifest, preprocess = source.manifest, source.preprocess
    masks: dict[str, bool] = {}
    if blending is not None:
        check_faces(preprocess.input)
        masks = {"masks": not blending.ratio}
    if source.crops:
        if blending is not None:
            return BlendedFaces(manifest, rows, preprocess, augment, **masks)
        return FaceDataset(manifest, rows, preprocess, augment)
    clips = ClipDraws if blending is None else BlendedClips
    return clips(
        manifest,
        rows,
        preprocess,
        frames=frames if has_videos(manifest) else 1,
        augment=augment,
        crop_pictures=source.crop_pictures,
        **masks,
    )


def train_sampler(
    dataset: FaceDataset | ClipDataset, *, balance: bool, blending: Blending | None, **options: Any
) -> EpochSampler | PairSampler:
    """Return the order in which a training visits a data set.

    Args:
        dataset: as :func:`train_dataset` made it.
        balance: both classes equally often.
        blending: as there.
        options: ``seed``, ``world_size`` and ``rank`` of the sampler.
    """
    frames = dataset.frames if isinstance(dataset, ClipDraws) else 1
    if blending is not None:
        return PairSampler(dataset.labels, blending, frames=frames, **options)
    if isinstance(dataset, ClipDraws):
        return ClipSampler(dataset.labels, frames=frames, balance=balance, **options)
    return EpochSampler(dataset.labels, balance=balance, **options)
