"""What a training will see of its data, before and after augmentation, and of pairs it makes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake_lightning.data.blended_dataset import BlendedClips, BlendedFaces
from deepfake_lightning.data.blending import Blending, SelfBlender, check_pairs_fit
from deepfake_lightning.data.clips import ClipReader
from deepfake_lightning.data.datamodule import DeepfakeDataModule
from deepfake_lightning.data.dataset_choice import Source, train_dataset
from deepfake_lightning.errors import DataError, MediaError
from deepfake_lightning.schemas import LABELS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Strip:
    """Examples of one label and method.

    Attributes:
        name: e.g. ``fake, Deepfakes``.
        names: of the clips and pictures, without their folders.
        before: uint8 [N, S, S, 3], as the network sees them in scoring.
        after: uint8 [N, C, C, 3], augmented; None where a training augments nothing.
    """

    name: str
    names: list[str]
    before: NDArray[np.uint8]
    after: NDArray[np.uint8] | None


@dataclass(frozen=True)
class PairStrip:
    """Examples of self-blended images, before a training's own augmentation.

    Attributes:
        names: of the clips and pictures, without their folders.
        real: uint8 [N, S, S, 3].
        mask: uint8 [N, S, S, 3], grey: how much of the other picture the fake has.
        fake: uint8 [N, S, S, 3], made of the real one.
    """

    names: list[str]
    real: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    fake: NDArray[np.uint8]


def preview(data: DeepfakeDataModule, *, count: int, seed: int) -> list[Strip]:
    """Return examples of each label and method, drawn at random from all splits.

    A file that cannot be read, or shows no face, is passed over for another.

    Args:
        data: the data, with their settings.
        count: examples of each.
        seed: of the draw, and of the augmentation.

    Raises:
        DataError: nothing can be shown.
    """
    manifest, reader = data.read(), data.reader()
    transform = data.train_transform(data.preprocess)
    generator = np.random.default_rng(seed)
    strips = []
    for name, rows in _kinds(manifest.rows[manifest.usable()]):
        drawn = _others_first(manifest.rows, generator.permutation(rows))
        shown = list(_pictures(reader, manifest.rows, drawn, count))
        if not shown:
            continue
        before = np.stack([image for *_, image in shown])
        after = None
        if transform is not None:
            seeds = generator.integers(2**31 - 1, size=len(before))
            pairs = zip(before, seeds, strict=True)
            after = np.stack([transform(image, int(number)) for image, number in pairs])
        strips.append(Strip(name, [name for _, name, _ in shown], before, after))
    if not strips:
        raise DataError(
            f"{manifest.origin} holds nothing that can be shown",
            next_step="see what is wrong with its files: deepfake-lightning extract, or fit",
        )
    return strips


def preview_pairs(data: DeepfakeDataModule, *, count: int, seed: int) -> PairStrip:
    """Return examples of real faces and the fakes that a training makes of them.

    Args:
        data: the data, with their settings.
        count: examples.
        seed: of the draw, and of the blending.

    Raises:
        DataError: there is no real face.
        UsageError: a training would refuse to make pairs.
    """
    manifest, reader, hparams = data.read(), data.reader(), data.hparams
    check_pairs_fit(hparams["batch_size"], hparams["balance"])
    trained = train_dataset(
        Source(manifest, data.preprocess, hparams["face"] == "crop"), np.arange(len(manifest)),
        frames=1, augment=None, blending=Blending(),
    )  # fmt: skip
    assert isinstance(trained, BlendedFaces | BlendedClips)
    generator, blender = np.random.default_rng(seed), SelfBlender()
    own = manifest.usable() & (manifest.rows["label"] == LABELS["real"]).fillna(False)
    drawn = _others_first(manifest.rows, generator.permutation(np.flatnonzero(own)))
    names, pairs = [], []
    for row, name, image in _pictures(reader, manifest.rows, drawn, count):
        pairs.append(blender.pair(image, trained.place(row), generator))
        names.append(name)
    if not pairs:
        raise DataError(
            f"{manifest.origin} holds no real face that can be shown",
            next_step="self-blended images are made of real faces: add some",
        )
    masks = np.stack([pair.mask for pair in pairs])[..., None].repeat(3, axis=3)
    return PairStrip(
        names,
        np.stack([pair.real for pair in pairs]),
        np.rint(masks * 255).astype(np.uint8),
        np.stack([pair.fake for pair in pairs]),
    )


def _kinds(rows: pd.DataFrame) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Yield each label and method there is, with its rows."""
    labels = rows["label"].map({value: name for name, value in LABELS.items()})
    kinds = labels.fillna("unknown").astype(str)
    methods = rows["method"].astype("string")
    kinds = kinds.where(methods.isna(), kinds + ", " + methods.fillna(""))
    order = {"real": 0, "fake": 1}
    for kind in sorted(kinds.unique(), key=lambda kind: (order.get(kind.split(",")[0], 2), kind)):
        yield kind, rows.index[kinds == kind].to_numpy(np.int64)


def _others_first(rows: pd.DataFrame, drawn: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows in an order in which no clip comes again before all have come."""
    items = rows["video_id"].iloc[drawn]
    return drawn[np.argsort(items.groupby(items).cumcount().to_numpy(), kind="stable")]


def _pictures(
    reader: ClipReader, rows: pd.DataFrame, drawn: NDArray[np.int64], count: int
) -> Iterator[tuple[int, str, NDArray[np.uint8]]]:
    """Yield row, name and picture of different files, one of the middle of each; then others."""
    found, given = 0, []
    for row in drawn:
        if found == count:
            return
        path, item = rows[["path", "video_id"]].iloc[row]
        name = item.rpartition("/")[2]
        try:
            pictures = reader.pictures(int(row))
        except MediaError as error:
            log.warning("passed over: %s", error.what)
            continue
        if not pictures:
            log.warning("passed over: no face was found in %s", path)
            continue
        middle = len(pictures) // 2
        given += [(int(row), name, picture) for at, picture in enumerate(pictures) if at != middle]
        found += 1
        yield int(row), name, pictures[middle].image
    spare = given[:: max(1, len(given) // max(1, count - found))]
    for row, name, picture in spare[: count - found]:  # few clips: more frames of them
        yield row, name, picture.image
