"""Items that a registered detector has scored, clean and changed, for the study of drift."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake_lightning.bundle import Bundle
from deepfake_lightning.inference import open_engine
from deepfake_lightning.media import FaceReader, Frame, open_video, read_image, resize
from deepfake_lightning.media.degrading import Picture, blur, jpeg
from deepfake_lightning.media.limits import VIDEO_LIMITS
from deepfake_lightning.media.quality import quality
from deepfake_lightning.monitoring.drift.sampling import Items
from deepfake_lightning.monitoring.log.projection import reference_of
from deepfake_lightning.schemas import Sampling


def _small(image: Picture, side: int) -> Picture:
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, image.shape[1::-1]), np.uint8)


CHANGES: dict[str, Callable[[Picture], Picture]] = {
    "JPEG 50": lambda image: jpeg(image, 50),
    "JPEG 30": lambda image: jpeg(image, 30),
    "blur, sigma 1.5": lambda image: blur(image, 1.5),
    "down-scaled to 64 px": lambda image: _small(image, 64),
    "darker by 20 %": lambda image: (image * 0.8).astype(np.uint8),
}


@dataclass(frozen=True, eq=False)
class Pool:
    """Scored items, N of them.

    Attributes:
        logit, quality, projections: as :class:`Items`.
        fake: bool [N].
    """

    logit: NDArray[np.float64]
    quality: NDArray[np.float64]
    projections: NDArray[np.float64]
    fake: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.logit)

    def take(self, rows: NDArray[np.int64]) -> Pool:
        """Return some of them."""
        return Pool(self.logit[rows], self.quality[rows], self.projections[rows], self.fake[rows])

    def items(self) -> Items:
        """Return them as they are read from a log."""
        names = [str(row) for row in range(len(self))]
        pictures = np.ones(len(self), bool)
        return Items(names, pictures, self.logit, self.quality, self.projections)


def joined(pools: list[Pool]) -> Pool:
    """Return all of them, one after the other."""
    names = ("logit", "quality", "projections", "fake")
    return Pool(*(np.concatenate([getattr(pool, name) for pool in pools]) for name in names))


def faces_pool(bundle: Bundle, manifest: Path, root: Path) -> dict[str, Pool]:
    """Return the items of the splits that nothing was learnt from, clean and with each change.

    Args:
        bundle: of the detector.
        manifest: that it was trained with.
        root: of the pictures.
    """
    rows = pd.read_parquet(manifest)
    rows = rows[rows["split"].isin(["calib", "test"])]
    images = [read_image(root / path) for path in rows["path"]]
    fake = (rows["label"] == 1).to_numpy(bool)
    changes: dict[str, Callable[[Picture], Picture]] = {"clean": lambda image: image, **CHANGES}
    score = _scorer(bundle)
    return {
        name: score([resize(change(image), bundle.preprocess) for image in images], fake)
        for name, change in changes.items()
    }


def clips_pool(bundle: Bundle, clips: list[Path], fake: list[bool], per_clip: int) -> Pool:
    """Return faces of clips, each of a frame of its own taken for an item: one pool."""
    score, found = _scorer(bundle), []
    for clip, label in zip(clips, fake, strict=True):
        images = list(_faces(bundle, clip, per_clip))
        found.append(score(images, np.full(len(images), label)))
    return joined(found)


def _faces(bundle: Bundle, clip: Path, per_clip: int) -> Iterator[Picture]:
    reader = FaceReader(bundle.preprocess)
    with open_video(clip, VIDEO_LIMITS) as video:
        wanted = video.choose(Sampling("even", per_clip))
        for found in reader.faces(Frame(0, 0, frame.image) for frame in video.read(wanted)):
            yield found.image


def _scorer(bundle: Bundle) -> Callable[[list[Picture], NDArray[np.bool_]], Pool]:
    engine = open_engine(bundle.folder)
    mean, components = reference_of(bundle)

    def score(images: list[Picture], fake: NDArray[np.bool_]) -> Pool:
        parts = [engine.outputs(images[at : at + 32]) for at in range(0, len(images), 32)]
        logit, features = (np.concatenate(part) for part in zip(*parts, strict=True))
        measured = np.array([list(quality(image).values()) for image in images])
        projections = (features.astype(np.float64) - mean) @ components.T.astype(np.float64)
        return Pool(logit.astype(np.float64), measured, projections, fake)

    return score
