"""What windows are compared with: a bundle's reference, or items of an earlier time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from deepfake_lightning.bundle import Bundle
from deepfake_lightning.bundle.load import REFERENCE_ARRAYS
from deepfake_lightning.errors import BundleError
from deepfake_lightning.monitoring.drift.baseline import read_baseline
from deepfake_lightning.monitoring.drift.policy import DriftPolicy, ReferenceKind
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.totals import QUALITY
from deepfake_lightning.registry import Registry
from deepfake_lightning.storage import Workspace

_OF_PICTURES = (
    "the bundle's reference knows the pictures of its items one by one, as those of older bundles "
    "do: quality and embedding are compared for the window's pictures alone, not for its clips"
)


@dataclass(frozen=True, eq=False)
class DriftReference:
    """Items that a window is compared with. Columns are each on their own: rows do not match.

    Attributes:
        kind: where they are from.
        identity: SHA-256 of the file they were read from.
        logit: float64 [M], of items, log-odds of fake before calibration.
        quality: float64 [N, Q], columns as ``totals.QUALITY``; may have NaN.
        projections: float64 [N, K]; may have NaN.
        of_items: whether quality and projections are means over the faces of items, as the log has
            them; else they are of single pictures.
        notes: what should be known of it.
    """

    kind: ReferenceKind
    identity: str
    logit: NDArray[np.float64]
    quality: NDArray[np.float64]
    projections: NDArray[np.float64]
    of_items: bool = True
    notes: tuple[str, ...] = ()


def reference_for(
    workspace: Workspace, environment: str, version: str, policy: DriftPolicy,
    log: LogDatabase | None = None,
) -> DriftReference:  # fmt: skip
    """Return what the windows of a version are compared with.

    With a log, embeddings of requests that were erased there are left out of a baseline.

    Raises:
        UsageError, RegistryError, BundleError: it is the bundle's, and that cannot be had.
        StorageError: the baseline's file is damaged, or the log could not be read.
    """
    notes: tuple[str, ...] = ()
    if policy.reference == "baseline":
        found = read_baseline(workspace, environment, version, log)
        if found is not None:
            return DriftReference("baseline", found.identity, found.logit, found.quality,
                                  found.projections)  # fmt: skip
        notes = (
            f"no baseline is set for {version} in {environment}: compared with the bundle's "
            "reference instead",
        )
    return bundle_reference(Registry(workspace).bundle(version), notes)


def bundle_reference(bundle: Bundle, notes: tuple[str, ...] = ()) -> DriftReference:
    """Return the reference of a bundle, as means over items where it knows its pictures' items.

    Args:
        bundle: verified.
        notes: to go with it.

    Raises:
        BundleError: its file does not hold one.
    """
    data = bundle.read(REFERENCE_ARRAYS)
    try:
        arrays = {name: array.astype(np.float64) for name, array in load(data).items()}
        logit, quality, projections = (
            arrays[name] for name in ("item_logit", "quality", "projections")
        )
        item = arrays.get("item")
        if quality.shape != (len(projections), len(QUALITY)) or projections.ndim != 2:
            raise ValueError("quality and projections are not of the same pictures")
    except (SafetensorError, KeyError, ValueError) as error:
        raise BundleError(
            f"{bundle.folder / REFERENCE_ARRAYS} does not hold the reference of this detector",
            next_step="build the bundle anew: deepfake-lightning bundle build CHECKPOINT",
        ) from error
    # A picture an item: each is the mean over its pictures.
    of_items = item is not None or len(quality) == len(logit)
    if item is not None:
        quality, projections = (item_means(each, item.astype(np.int64))
                                for each in (quality, projections))  # fmt: skip
    return DriftReference(
        "bundle", hashlib.sha256(data).hexdigest(), logit, quality, projections, of_items,
        notes if of_items else (*notes, _OF_PICTURES),
    )  # fmt: skip


def item_means(values: NDArray[np.float64], item: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean over the rows of each item, float64 [M, C].

    Args:
        values: float64 [N, C].
        item: int64 [N], 0 to M - 1, each at least once.
    """
    sums = np.zeros((int(item.max()) + 1, values.shape[1]))
    np.add.at(sums, item, values)
    return sums / np.bincount(item)[:, None]
