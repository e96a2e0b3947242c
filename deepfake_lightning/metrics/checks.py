"""What every metric asks of its input: scores that are finite, labels that are 0 or 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import DataError, UsageError

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
Float64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def sigmoid(logits: FloatArray) -> Float64Array:
    """Probability of fake, 1 / (1 + exp(-logit)); no overflow at any finite logit, 0.5 at 0."""
    z = np.asarray(logits, dtype=np.float64)
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, small) / (1.0 + small)


def check_finite(scores: FloatArray, name: str = "scores") -> Float64Array:
    """The scores as float64 [N], or a ``DataError`` that counts and places what is not finite."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1:
        raise DataError(f"{name} must have one dimension, not the shape {values.shape}")
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        raise DataError(
            f"{wrong.size} of {values.size} {name} are not finite, the first at index {wrong[0]}"
            f" ({values[wrong[0]]})",
            why="a sample without a score has no place in a ranking, and leaving it out"
            " would flatter the model",
            next_step="find out why the model gave no number for it (often training diverged)",
        )
    return values


def check_pairs(
    scores: FloatArray, labels: IntArray, name: str = "scores"
) -> tuple[Float64Array, BoolArray]:
    """Checked scores as float64 [N] and "is fake" as bool [N], or a ``DataError``."""
    values = check_finite(scores, name)
    truth = np.asarray(labels)
    if truth.shape != values.shape:
        raise DataError(f"{values.size} {name} do not match labels of shape {truth.shape}")
    fake = truth == 1
    wrong = np.flatnonzero(~(fake | (truth == 0)))
    if wrong.size:
        raise DataError(
            f"{wrong.size} of {truth.size} labels are neither 0 (real) nor 1 (fake), the first"
            f" at index {wrong[0]} ({truth[wrong[0]]})"
        )
    return values, fake


def check_probabilities(
    probabilities: FloatArray, labels: IntArray
) -> tuple[Float64Array, BoolArray]:
    """:func:`check_pairs`, and a ``DataError`` for a value outside [0, 1]."""
    values, fake = check_pairs(probabilities, labels, "probabilities")
    wrong = np.flatnonzero((values < 0) | (values > 1))
    if wrong.size:
        raise DataError(
            f"{wrong.size} of {values.size} probabilities lie outside [0, 1], the first at index"
            f" {wrong[0]} ({values[wrong[0]]})",
            next_step="pass logits through deepfake_lightning.metrics.sigmoid first",
        )
    return values, fake


def check_groups(groups: NDArray[Any], rows: int) -> NDArray[np.intp]:
    """The groups as numbers 0 to G - 1, in the order of their sorted names, or a ``DataError``."""
    names = np.asarray(groups)
    if names.shape != (rows,):
        raise DataError(f"{rows} rows do not match groups of shape {names.shape}")
    return np.unique(names, return_inverse=True)[1].astype(np.intp, copy=False)


def check_share(value: float, name: str) -> None:
    """Raise a ``UsageError`` where ``value`` is not strictly between 0 and 1."""
    if not 0 < value < 1:
        raise UsageError(f"{name} is {value}, which is not between 0 and 1")
