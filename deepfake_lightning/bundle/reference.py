"""Reference statistics: what a detector saw and said where it was measured, to know drift by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from deepfake_lightning.bundle.scoring import Network, score_rows
from deepfake_lightning.data.clips import ClipReader
from deepfake_lightning.errors import DataError
from deepfake_lightning.media.quality import QUALITY_FEATURES, quality
from deepfake_lightning.metrics import item_scores
from deepfake_lightning.schemas import Manifest, Preprocess, Sampling

MOST_PICTURES = 1000
COMPONENTS = 32
_BINS = np.linspace(-10.0, 10.0, 41)
_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True)
class Reference:
    """Scored pictures of a split, N of M items.

    Attributes:
        split: which one.
        logit: float32 [N].
        features: float32 [N, F].
        quality: float32 [N, Q], columns as in ``media.quality``.
        label: int64 [N], -1 for unknown.
        item: int64 [N], 0 to M - 1: whose picture it is.
        item_logit, item_label: float64 and int64 [M].
        inputs: float32 [at most 32, 3, S, S], the first of the pictures.
    """

    split: str
    logit: NDArray[np.float32]
    features: NDArray[np.float32]
    quality: NDArray[np.float32]
    label: NDArray[np.int64]
    item: NDArray[np.int64]
    item_logit: NDArray[np.float64]
    item_label: NDArray[np.int64]
    inputs: NDArray[np.float32]


def score_reference(
    manifest: Manifest,
    split: str,
    reader: ClipReader,
    preprocess: Preprocess,
    network: Network,
    progress: Callable[[int, int], None],
    *,
    most: int = MOST_PICTURES,
    seed: int = 0,
) -> Reference:
    """Score whole items of a split, drawn at random until there are ``most`` pictures.

    Media that cannot be read any more are counted in a warning, and left out.

    Args:
        manifest: with splits.
        split: which one.
        reader: of its rows.
        preprocess: from picture to input.
        network: what scores.
        progress: told rows done and rows to do.
        most: pictures, about.
        seed: of the draw.

    Raises:
        DataError: nothing of the split can be scored.
    """
    rows = _draw(manifest, split, preprocess, most, seed)
    found: list[NDArray[np.int64]] = []
    columns: list[tuple[NDArray[Any], ...]] = []
    kept: list[NDArray[np.float32]] = []
    for batch in score_rows(reader, rows, preprocess, network, progress, purpose="reference"):
        if not kept:
            kept.append(batch.inputs)
        measured = [list(quality(image).values()) for image in batch.images]
        columns.append((batch.logit, batch.features, np.asarray(measured, np.float32)))
        found.append(batch.keys)
    if not found:
        raise DataError(
            f"no picture of the {split} split of {manifest.origin} can be scored",
            why="a bundle holds what its detector says of data like those it was trained for",
            next_step="put the media back where they were",
        )
    logit, features, measured_all = (np.concatenate(c) for c in zip(*columns, strict=True))
    keys = np.concatenate(found)
    labels = manifest.rows["label"].fillna(-1).to_numpy(np.int64)
    items = manifest.items()
    ids, item_logit = item_scores(
        logit, items[keys[:, 0]], keys[:, 1], keys[:, 2], window=preprocess.aggregation.window
    )
    first = {int(item): int(row) for row, item in zip(keys[::-1, 0], items[keys[::-1, 0]],
                                                      strict=True)}  # fmt: skip
    return Reference(
        split, logit, features, measured_all, labels[keys[:, 0]],
        np.searchsorted(ids, items[keys[:, 0]]).astype(np.int64), item_logit,
        labels[[first[int(item)] for item in ids]], kept[0],
    )  # fmt: skip


def _draw(
    manifest: Manifest, split: str, preprocess: Preprocess, most: int, seed: int
) -> NDArray[np.int64]:
    """Return the rows of items drawn at random, int64, ascending."""
    rows = manifest.rows
    usable = (rows["split"] == split).to_numpy(bool) & manifest.usable()
    sampling = Sampling.parse(preprocess.sampling)
    per_clip = sampling.amount if sampling.kind == "even" and sampling.amount else 32
    weight = np.where(rows["media_type"] == "video", per_clip, 1)
    chosen, pictures = set(), 0.0
    names = rows.loc[usable, "video_id"]
    weights = names.to_frame().assign(weight=weight[usable]).groupby("video_id")["weight"].sum()
    for name in np.random.default_rng(seed).permutation(weights.index.to_numpy()):
        if pictures >= most:
            break
        chosen.add(name)
        pictures += float(weights[name])
    return np.flatnonzero(usable & rows["video_id"].isin(chosen).to_numpy(bool))


def reference_record(reference: Reference) -> dict[str, Any]:
    """Return ``reference.json``: what can be read without arrays."""
    counts, _ = np.histogram(np.clip(reference.item_logit, _BINS[0], _BINS[-1]), _BINS)
    columns = zip(QUALITY_FEATURES, reference.quality.T.astype(float), strict=True)
    return {
        "schema": 1,
        "split": reference.split,
        "pictures": len(reference.logit),
        "items": len(reference.item_logit),
        "items_fake": int((reference.item_label == 1).sum()),
        "item_logit": {"edges": _BINS.tolist(), "counts": counts.tolist()},
        "quality": {
            name: {
                "mean": float(column.mean()),
                "std": float(column.std()),
                "quantiles": {
                    f"{q:g}": float(v)
                    for q, v in zip(_QUANTILES, np.quantile(column, _QUANTILES), strict=True)
                },
            }
            for name, column in columns
        },
    }


def reference_arrays(reference: Reference) -> bytes:
    """Return ``reference.safetensors``.

    ``item_logit`` [M], ``item_label`` [M], ``logit`` [N], ``label`` [N], ``item`` [N] (the place of
    a picture's item in the first two; bundles of earlier versions lack it), ``quality`` [N, Q], and
    of the features their ``mean`` [F], principal ``components`` [K, F], rows of length 1, the
    ``variance`` [K] along each, and the pictures' ``projections`` [N, K]. K is 32, or less where
    there are fewer pictures. No picture can be made from them.
    """
    centred = reference.features.astype(np.float64)
    mean = centred.mean(axis=0)
    centred -= mean
    _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
    kept = min(COMPONENTS, max(1, len(centred) - 1), len(directions))
    components = directions[:kept]
    # The sign of a direction is free: the largest entry is made positive, for equal bytes.
    largest = np.abs(components).argmax(axis=1)
    components = components * np.sign(components[np.arange(kept), largest])[:, None]
    arrays = {
        "item_logit": reference.item_logit.astype(np.float32),
        "item_label": reference.item_label,
        "logit": reference.logit,
        "label": reference.label,
        "item": reference.item,
        "quality": reference.quality,
        "mean": mean.astype(np.float32),
        "components": components.astype(np.float32),
        "variance": (lengths[:kept] ** 2 / max(1, len(centred) - 1)).astype(np.float32),
        "projections": (centred @ components.T).astype(np.float32),
    }
    return bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
