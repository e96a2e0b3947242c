"""Who and what a checkpoint was trained on, so that it is never measured on them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from deepfake_lightning.data.splits import identity_names
from deepfake_lightning.errors import SplitError
from deepfake_lightning.schemas import Manifest

IntArray = NDArray[np.int64]


class Lineage:
    """What checkpoints keep of the data they were trained on.

    A training that goes on from a checkpoint keeps what that one was trained on, too.
    """

    def __init__(self) -> None:
        self._identities = self._pictures = np.array([], np.int64)  # of the checkpoint gone on from
        self._state: dict[str, Any] | None = None

    def state(self, manifest: Manifest, pictures: NDArray[np.int64]) -> dict[str, Any]:
        """Return what a checkpoint keeps: tensors and plain types.

        Args:
            manifest: whose ``train`` split is trained on.
            pictures: int64, digests of what is trained on.
        """
        if self._state is None:  # seconds on large manifests, and every checkpoint asks
            own = identity_digests(manifest.rows[manifest.rows["split"] == "train"])
            self._state = {
                "trained_on": torch.from_numpy(np.union1d(own, self._identities)),
                "trained_pictures": torch.from_numpy(np.union1d(pictures, self._pictures)),
                "content_hash": manifest.content_hash(),
            }
        return self._state

    def forget(self) -> None:
        """Be told that the training data are others than before."""
        self._state = None

    def go_on_from(self, state: dict[str, Any]) -> None:
        """Keep what a checkpoint was trained on."""
        self._identities, self._pictures = _trained(state)
        self._state = None


def check_scored(
    state: dict[str, Any], manifest: Manifest, scored: Mapping[str, tuple[IntArray, IntArray]]
) -> None:
    """Refuse to score what a checkpoint was trained on.

    A manifest with the policy ``official`` is let through: its reports name it.

    Args:
        state: what :meth:`Lineage.state` gave when the checkpoint was written.
        manifest: the data.
        scored: split -> rows int64 [N] and digests int64 [N].

    Raises:
        SplitError: a scored split holds identities or pictures of the training.
    """
    if manifest.policy == "official":
        return
    identities, pictures = _trained(state)
    for split, (rows, digests) in sorted(scored.items()):
        check_unseen(manifest.rows[manifest.rows["split"] == split], identities, split)
        check_new_pictures(manifest.rows["path"].iloc[rows], digests, pictures, split)


def _trained(state: dict[str, Any]) -> tuple[IntArray, IntArray]:
    none = torch.zeros(0, dtype=torch.int64)  # older checkpoints keep no pictures
    return state["trained_on"].numpy(), state.get("trained_pictures", none).numpy()


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
