"""A map-style data set of face pictures, and the order in which an epoch visits it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler

from deepfake_lightning.data.transforms import TrainTransform
from deepfake_lightning.media import read_image, resize
from deepfake_lightning.schemas import Manifest, Preprocess

Draw = tuple[int, int]


class FaceDataset(Dataset[dict[str, Tensor]]):
    """The pictures of some rows of a manifest.

    Args:
        manifest: rows and the folder their paths are relative to.
        rows: int64 [N], the positions in the manifest to use.
        preprocess: from picture to input.
        augment: the training transform; None for scoring.
    """

    def __init__(
        self,
        manifest: Manifest,
        rows: NDArray[np.int64],
        preprocess: Preprocess,
        augment: TrainTransform | None = None,
    ) -> None:
        chosen = manifest.rows.iloc[rows]
        # Arrays and not lists: workers are forked, and counting references to a million
        # strings would copy them into every one.
        self._paths = np.char.encode(chosen["path"].to_numpy(dtype=np.str_), "utf-8")
        self._root = manifest.root
        self.rows = rows
        self.labels = chosen["label"].fillna(-1).to_numpy(np.int64)
        self._tracks = chosen["track_id"].fillna(-1).to_numpy(np.int64)
        self._frames = chosen["frame"].fillna(-1).to_numpy(np.int64)
        self.preprocess = preprocess
        self._augment = augment

    def __len__(self) -> int:
        return len(self.rows)

    def path(self, index: int) -> Path:
        """Return the file of a sample."""
        name: bytes = self._paths[index]
        return self._root / name.decode("utf-8")

    def __getitem__(self, draw: int | Draw) -> dict[str, Tensor]:
        """Return one sample of a :class:`~deepfake_lightning.schemas.Batch`, its picture as bytes.

        ``image`` is uint8 [S, S, 3], RGB: the data module normalises whole batches, on the
        device (:func:`~deepfake_lightning.data.transforms.normalise_batch`).

        Args:
            draw: position in this data set, with the seed of its augmentation where there is one.

        Raises:
            MediaError: the picture cannot be read.
        """
        index, seed = draw if isinstance(draw, tuple) else (draw, 0)
        picture = read_image(self.path(index))
        if self._augment is None:
            image = resize(picture, self.preprocess)
        else:
            image = self._augment(picture, seed)
        return self._sample(index, image)

    def _sample(self, index: int, image: NDArray[np.uint8]) -> dict[str, Tensor]:
        return {
            "image": torch.from_numpy(image),
            "label": torch.tensor(self.labels[index]),
            "row": torch.tensor(self.rows[index]),
            "track": torch.tensor(self._tracks[index]),
            "frame": torch.tensor(self._frames[index]),
        }


class EpochSampler(DistributedSampler[Draw]):
    """A new order every epoch, with a seed for each draw.

    The seed of a draw depends on ``(seed, epoch, place in the epoch)`` alone, so pictures and
    their order are the same for any number of workers, and processes share one order between
    them. It is a ``DistributedSampler`` so that Lightning leaves it in place and tells it the
    epoch, also after a resume.

    Args:
        labels: int64 [N]; the labels of the data set.
        balance: draw both classes equally often: the smaller one is repeated, every picture
            of it as often as any other (give or take one).
        seed: the training's seed.
        world_size, rank: number of processes, and which one this is.
    """

    def __init__(
        self,
        labels: NDArray[np.int64],
        *,
        balance: bool = False,
        seed: int = 0,
        world_size: int = 1,
        rank: int = 0,
    ) -> None:
        super().__init__(labels, num_replicas=world_size, rank=rank, seed=seed)  # type: ignore[arg-type]
        self._labels = labels
        self._balance = balance

    def __iter__(self) -> Iterator[Draw]:
        generator = np.random.default_rng([self.seed, self.epoch])
        order = self._balanced(generator) if self._balance else generator.permutation(self._count)
        seeds = generator.integers(0, 2**31 - 1, self.total_size)
        order = np.resize(order, self.total_size)  # every process gets as many: the first repeat
        own = slice(self.rank, self.total_size, self.num_replicas)
        return iter(list(zip(order[own].tolist(), seeds[own].tolist(), strict=True)))

    @property
    def _count(self) -> int:
        return len(self._labels)

    def _balanced(self, generator: np.random.Generator) -> NDArray[np.int64]:
        classes = np.unique(self._labels)
        drawn = []
        for number, value in enumerate(classes):
            share = (self._count + number) // len(classes)  # they add up to the count
            members = np.flatnonzero(self._labels == value)
            rounds = [generator.permutation(members) for _ in range(-(-share // len(members)))]
            drawn.append(np.concatenate(rounds)[:share])
        return generator.permutation(np.concatenate(drawn))
