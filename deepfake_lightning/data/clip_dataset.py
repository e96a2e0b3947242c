"""Data sets of whole clips: frames are decoded, and faces found, as they are needed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from deepfake_lightning.data.clips import ClipReader, Picture
from deepfake_lightning.data.dataset import EpochSampler
from deepfake_lightning.data.transforms import TrainTransform
from deepfake_lightning.errors import MediaError, UsageError
from deepfake_lightning.media import Video
from deepfake_lightning.schemas import STATUSES, Manifest, Preprocess

log = logging.getLogger(__name__)

ClipDraw = tuple[int, int, int]
_MOST_TRIES = 16
_MOST_PICTURES = 4096


class ClipDataset(Dataset[dict[str, Tensor]]):
    """The clips and photographs of some rows of a manifest.

    Args:
        manifest: rows and the folder their paths are relative to.
        rows: int64 [N], the positions in the manifest to use.
        preprocess: from frame to input.
        crop_pictures: look for faces in photographs, too.
    """

    def __init__(
        self,
        manifest: Manifest,
        rows: NDArray[np.int64],
        preprocess: Preprocess,
        *,
        crop_pictures: bool = False,
    ) -> None:
        self.rows = rows
        self.labels = manifest.rows["label"].iloc[rows].fillna(-1).to_numpy(np.int64)
        self.preprocess = preprocess
        self._names = manifest.rows["path"].iloc[rows].to_numpy(dtype=np.str_)
        self._reader = ClipReader(manifest, preprocess, crop_pictures=crop_pictures)

    def __len__(self) -> int:
        return len(self.rows)


class ClipScores(ClipDataset):
    """All pictures of each clip, for scoring: one sample is a part of a batch, see :func:`joined`.

    A clip without a face, or one that cannot be read, is a sample without pictures that says so.
    """

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return the pictures of a clip as bytes, and ``lost`` int64 [0 or 1, 2] (row, status).

        Raises:
            UsageError: they are more than memory should hold.
        """
        status = "no_face"
        try:
            pictures = self._reader.pictures(int(self.rows[index]))
        except MediaError as error:
            log.warning("not scored: %s", error.what)
            pictures, status = [], "unreadable"
        if len(pictures) > _MOST_PICTURES:
            raise UsageError(
                f"{self._names[index]} gives {len(pictures):,} pictures, more than the limit of "
                f"{_MOST_PICTURES:,} that are scored as one item",
                next_step=f"look at fewer frames: data.sampling is {self.preprocess.sampling}; "
                "or extract the faces first",
            )
        row = int(self.rows[index])
        lost = [] if pictures else [[row, STATUSES.index(status)]]
        size = self.preprocess.size
        images = [picture.image for picture in pictures] or np.zeros((0, size, size, 3), np.uint8)
        return {
            "image": torch.from_numpy(np.asarray(images)),
            "label": torch.full((len(pictures),), int(self.labels[index])),
            "row": torch.full((len(pictures),), row),
            "track": torch.tensor([picture.track for picture in pictures], dtype=torch.int64),
            "frame": torch.tensor([picture.frame for picture in pictures], dtype=torch.int64),
            "lost": torch.tensor(lost, dtype=torch.int64).reshape(-1, 2),
        }


def joined(samples: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return one batch of the pictures of several clips."""
    return {name: torch.cat([sample[name] for sample in samples]) for name in samples[0]}


class ClipDraws(ClipDataset):
    """Single pictures of clips, drawn for training: a face in a random frame.

    A clip is decoded once for several draws in a row, see :class:`ClipSampler`. Frames are drawn
    one in each of ``frames`` equal stretches of the clip, and of several faces in a frame one is
    drawn. A clip that gives no picture is named once, and another of its class takes its place.

    Args:
        manifest, rows, preprocess, crop_pictures: as for :class:`ClipDataset`.
        frames: how many frames of a clip are decoded, and so how many draws follow each other.
        augment: the training transform; None for none.
    """

    def __init__(
        self,
        manifest: Manifest,
        rows: NDArray[np.int64],
        preprocess: Preprocess,
        *,
        frames: int,
        augment: TrainTransform | None = None,
        crop_pictures: bool = False,
    ) -> None:
        super().__init__(manifest, rows, preprocess, crop_pictures=crop_pictures)
        self.frames = frames
        self._augment = augment
        self._decoded: tuple[tuple[int, int], int, list[Picture]] | None = None
        self._named: set[int] = set()

    def __getitem__(self, draw: int | ClipDraw) -> dict[str, Tensor]:
        """Return one sample of a :class:`~deepfake_lightning.schemas.Batch`, its picture as bytes.

        Args:
            draw: position in this data set, the seed of the clip's draws, and which of them.

        Raises:
            MediaError: many clips in a row gave no picture.
        """
        index, seed, slot = draw if isinstance(draw, tuple) else (draw, 0, 0)
        found, picture, drawn = self._face(index, seed, slot)
        image = picture.image if self._augment is None else self._augment(picture.image, drawn)
        return self._sample(found, picture, image)

    def _face(self, index: int, seed: int, slot: int) -> tuple[int, Picture, int]:
        """Return a clip's position, the picture that is drawn of it, and a seed for what follows.

        The position is another one's where another clip takes its place.
        """
        if self._decoded is None or self._decoded[0] != (index, seed):
            self._decoded = ((index, seed), *self._clip(index, seed))
        _, found, pictures = self._decoded
        generator = np.random.default_rng([seed, slot])
        numbers = sorted({picture.frame for picture in pictures})
        frame = numbers[slot * len(numbers) // self.frames % len(numbers)]
        faces = [picture for picture in pictures if picture.frame == frame]
        picture = faces[generator.integers(len(faces))]
        return found, picture, int(generator.integers(2**31 - 1))

    def _sample(self, found: int, picture: Picture, image: NDArray[np.uint8]) -> dict[str, Tensor]:
        return {
            "image": torch.from_numpy(image),
            "label": torch.tensor(self.labels[found]),
            "row": torch.tensor(self.rows[found]),
            "track": torch.tensor(picture.track),
            "frame": torch.tensor(picture.frame),
        }

    def _clip(self, index: int, seed: int) -> tuple[int, list[Picture]]:
        """Return the pictures of a clip and its position, or of one that takes its place."""
        generator = np.random.default_rng(seed)
        others = np.flatnonzero(self.labels == self.labels[index])
        for _ in range(_MOST_TRIES):
            pictures = self._pictures(index, generator)
            if pictures:
                return index, pictures
            index = int(generator.choice(others))
        raise MediaError(
            f"{_MOST_TRIES} clips in a row gave no picture, {self._names[index]} the last",
            next_step="look at them with `deepfake-lightning extract`, which lists what it finds",
        )

    def _pictures(self, index: int, generator: np.random.Generator) -> list[Picture]:
        def choice(video: Video) -> NDArray[np.int64]:
            edges = np.linspace(0, video.info.frames, self.frames + 1)
            drawn = edges[:-1] + generator.random(self.frames) * np.diff(edges)
            return np.unique(drawn.astype(np.int64))

        fault = "no face was found in the frames drawn"
        try:
            pictures = self._reader.pictures(int(self.rows[index]), choice)
        except MediaError as error:
            pictures, fault = [], error.what
        if not pictures and index not in self._named:
            self._named.add(index)
            log.warning("%s: %s; another clip takes its place", self._names[index], fault)
        return pictures


class ClipSampler(EpochSampler):
    """The order of :class:`EpochSampler`, each clip several times in a row.

    Args:
        labels, balance, seed, world_size, rank: as for :class:`EpochSampler`.
        frames: how often each clip is drawn.
    """

    def __init__(self, labels: NDArray[np.int64], *, frames: int, **options: int) -> None:
        super().__init__(labels, **options)  # type: ignore[arg-type]
        self._frames = frames

    def __iter__(self) -> Iterator[ClipDraw]:  # type: ignore[override]
        for index, seed in super().__iter__():
            for slot in range(self._frames):
                yield index, seed, slot

    def __len__(self) -> int:
        return super().__len__() * self._frames
