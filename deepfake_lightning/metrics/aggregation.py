"""From scores of frames to one score per item (a picture or a clip).

A track is one face followed through an item. Its score is the highest mean logit over
``window`` consecutive scored frames, so that a forgery of a second is not averaged away by the
minutes around it while a single odd frame does not decide. An item is as fake as its most
suspicious track: one forged face among many makes the item forged.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import DataError, UsageError
from deepfake_lightning.metrics.checks import (
    Float64Array,
    FloatArray,
    IntArray,
    check_finite,
)

KeyArray = NDArray[Any]
"""Identifiers [N]: whole numbers or strings."""


def item_scores(
    logits: FloatArray,
    items: KeyArray,
    tracks: KeyArray,
    frames: IntArray,
    window: int = 8,
) -> tuple[KeyArray, Float64Array]:
    """One logit per item: max over its tracks of the max over windows of the mean logit.

    Args:
        logits: float [N], log-odds of fake of one face in one frame.
        items: [N] whole numbers or strings, the item of each row.
        tracks: [N] whole numbers or strings, the track; unique within an item only.
        frames: [N] frame numbers. They give the order; gaps between scored frames do not count.
        window: frames per window, at least 1. A track with fewer has its plain mean.

    Returns:
        The distinct items in rising order [M] and their logits, float64 [M], each between the
        lowest and the highest logit of the item. The order of the rows does not matter; a frame
        scored twice counts twice, the lower logit first. Empty input gives empty arrays.
    """
    if window < 1:
        raise UsageError(f"a window needs at least one frame, not {window}")
    values = check_finite(logits, "logits")
    for name, column in (("items", items), ("tracks", tracks), ("frames", frames)):
        if np.shape(column) != values.shape:
            raise DataError(f"{values.size} logits do not match {name} of shape {np.shape(column)}")
    ids, item_index = np.unique(np.asarray(items), return_inverse=True)
    if not values.size:
        return ids, values
    track_ids, track_index = np.unique(np.asarray(tracks), return_inverse=True)
    group = item_index.astype(np.int64) * track_ids.size + track_index
    # The logit as the last key settles frames scored twice without regard to the order of rows.
    order = np.lexsort((values, np.asarray(frames), group))
    starts = _run_starts(group[order])
    track_scores = _best_window_means(values[order], starts, window)
    return ids, np.maximum.reduceat(track_scores, _run_starts(item_index[order[starts]]))


def item_labels(labels: IntArray, items: KeyArray) -> NDArray[np.int64]:
    """The label of each item, int64 [M], in the order of the items of :func:`item_scores`.

    Args:
        labels: integer [N], 0 real and 1 fake, one per row.
        items: [N] whole numbers or strings, the item of each row.

    Raises:
        DataError: where the rows of an item disagree.
    """
    truth = np.asarray(labels)
    if truth.ndim != 1 or truth.shape != np.shape(items):
        raise DataError(
            f"labels of shape {truth.shape} do not match items of shape {np.shape(items)}"
        )
    ids, first, index = np.unique(np.asarray(items), return_index=True, return_inverse=True)
    chosen = truth[first].astype(np.int64)
    wrong = np.flatnonzero(truth != chosen[index])
    if wrong.size:
        torn = np.unique(index[wrong])
        raise DataError(
            f"{torn.size} of {ids.size} items have rows of two labels, the first is"
            f" {ids[torn[0]]!s}",
            why="an item is measured as real or as fake, not both",
            next_step="give all rows of an item one label, or make them separate items",
        )
    return chosen


def _run_starts(keys: NDArray[np.integer[Any]]) -> NDArray[np.intp]:
    """First index of each run of equal keys; keys [N >= 1] sorted."""
    return np.concatenate(([0], np.flatnonzero(keys[1:] != keys[:-1]) + 1)).astype(np.intp)


def _best_window_means(values: Float64Array, starts: NDArray[np.intp], window: int) -> Float64Array:
    """Highest window mean of each run of ``values``; plain mean of runs shorter than a window."""
    lengths = np.diff(np.append(starts, values.size))
    size = min(window, int(lengths.max()))
    room = np.repeat(starts + lengths, lengths) - np.arange(values.size)
    means = np.where(room >= size, _forward_sums(values, size) / size, -np.inf)
    return np.where(
        lengths >= size,
        np.maximum.reduceat(means, starts),
        np.add.reduceat(values, starts) / lengths,
    )


def _forward_sums(values: Float64Array, size: int) -> Float64Array:
    """Sum of ``size`` values from each position on (fewer at the end), in O(N log size).

    Blocks of 1, 2, 4, ... values are added up. A running total over all rows would be shorter to
    write, but differences of it lose the digits of small logits behind large ones.
    """
    total = np.zeros_like(values)
    block, width, done = values, 1, 0
    while True:
        if size & width:
            total[: values.size - done] += block[done:]
            done += width
        if done == size:
            return total
        wider = block.copy()
        wider[:-width] += block[width:]
        block, width = wider, 2 * width
