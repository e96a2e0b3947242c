"""Who and what a checkpoint was trained on, so that it is never measured on them."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake_lightning.data.splits import identity_names
from deepfake_lightning.errors import SplitError


def identity_digests(rows: pd.DataFrame) -> NDArray[np.int64]:
    """Return a sorted int64 digest of every group, target and source in ``rows``.

    Names are hashed with their data set (blake2b, 8 bytes): a checkpoint can tell whether it
    has seen an identity without naming anybody.
    """
    return np.unique(np.fromiter(_digests(rows).values(), np.int64))


def _digests(rows: pd.DataFrame) -> dict[str, int]:
    names = pd.concat(identity_names(rows)).dropna().unique()
    return {str(name): _digest(str(name)) for name in names}


def _digest(name: str) -> int:
    value = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(value, "big", signed=True)


def check_unseen(rows: pd.DataFrame, trained_on: NDArray[np.int64], split: str) -> None:
    """Refuse to score identities that a checkpoint was trained on, as targets or sources.

    Args:
        rows: the rows to be scored.
        trained_on: int64, what :func:`identity_digests` gave for the training rows.
        split: name of the scored split, for the message.

    Raises:
        SplitError: names how many and one of them.
    """
    digests = _digests(rows)
    held = set(trained_on.tolist())
    seen = [name[2:] for name, digest in digests.items() if digest in held]  # without its kind
    if seen:
        raise SplitError(
            f"{len(seen)} of {len(digests)} identities of the {split} split were trained on by "
            f"this checkpoint, {seen[0]!r} for one",
            why="the data or their splits have changed since, and the figures would flatter it",
            next_step="score the data and splits it was trained with, or other people's data",
        )


def check_new_pictures(
    paths: pd.Series, digests: NDArray[np.int64], trained: NDArray[np.int64], split: str
) -> None:
    """Refuse to score pictures that a checkpoint was trained on, whatever they are called now.

    Args:
        paths: [N] the pictures to be scored.
        digests: int64 [N], of their bytes.
        trained: int64, the digests of the training pictures.
        split: name of the scored split, for the message.

    Raises:
        SplitError: names how many and one of them.
    """
    seen = np.isin(digests, trained)
    if seen.any():
        raise SplitError(
            f"{seen.sum()} of {len(seen)} pictures of the {split} split were trained on by this "
            f"checkpoint, {paths[seen].iloc[0]} for one",
            why="copies count as well as files that moved, and the figures would flatter it",
            next_step="remove them from the split, or score the data it was trained with",
        )
