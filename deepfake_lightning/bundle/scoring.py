"""Rows of a manifest through a network, a batch at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.data.clips import ClipReader
from deepfake_lightning.errors import MediaError
from deepfake_lightning.media import to_input
from deepfake_lightning.schemas import Preprocess

log = logging.getLogger(__name__)

Network = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Inputs float32 [B, 3, S, S] -> logits [B] and features [B, F]."""

_BATCH = 32
_Seen = tuple[tuple[int, int, int], NDArray[np.uint8]]


class ScoredBatch(NamedTuple):
    """Pictures and what the network says of them.

    Attributes:
        keys: int64 [B, 3]: row of the manifest, track, frame.
        images: uint8 [S, S, 3] each, RGB.
        inputs: float32 [B, 3, S, S].
        logit: float32 [B].
        features: float32 [B, F].
    """

    keys: NDArray[np.int64]
    images: list[NDArray[np.uint8]]
    inputs: NDArray[np.float32]
    logit: NDArray[np.float32]
    features: NDArray[np.float32]


def score_rows(
    reader: ClipReader,
    rows: NDArray[np.int64],
    preprocess: Preprocess,
    network: Network,
    progress: Callable[[int, int], None],
    *,
    purpose: str,
) -> Iterator[ScoredBatch]:
    """Yield the pictures of rows, scored; those that show no face have none.

    Media that cannot be read any more are counted in a warning, and left out.

    Args:
        reader: of the manifest's rows.
        rows: int64 [N].
        preprocess: from picture to input.
        network: what scores.
        progress: told rows done and rows to do.
        purpose: what they are scored for, for the warning.
    """
    for batch in _batches(_pictures(reader, rows, progress, purpose)):
        images = [image for _, image in batch]
        inputs = np.stack([to_input(image, preprocess) for image in images])
        keys = np.asarray([key for key, _ in batch], np.int64)
        yield ScoredBatch(keys, images, inputs, *network(inputs))


def _pictures(
    reader: ClipReader,
    rows: NDArray[np.int64],
    progress: Callable[[int, int], None],
    purpose: str,
) -> Iterator[_Seen]:
    faults: list[str] = []
    for done, row in enumerate(rows.tolist(), 1):
        try:
            pictures = reader.pictures(row)
        except MediaError as error:
            faults.append(error.what)
            pictures = []
        for picture in pictures:
            yield (row, picture.track, picture.frame), picture.image
        progress(done, len(rows))
    if faults:
        log.warning("%d of %d media of the %s cannot be read, and have no part in it: %s",
                    len(faults), len(rows), purpose, faults[0])  # fmt: skip


def _batches(pictures: Iterator[_Seen]) -> Iterator[list[_Seen]]:
    batch = []
    for picture in pictures:
        batch.append(picture)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
