"""Requests that stand out in a window, to look at: by their names, which lead to the log."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.drift.policy import EMBEDDING, FEATURES, SCORE
from deepfake_lightning.monitoring.drift.records import DriftRecord, FeatureDrift
from deepfake_lightning.monitoring.drift.sampling import Items, read_items
from deepfake_lightning.monitoring.drift.windows import counted
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.totals import QUALITY

_FEWEST = 1e-3  # share of an empty bin


def examples(log: LogDatabase, record: DriftRecord, feature: str, *, number: int = 10) -> list[str]:
    """Return requests of a window whose items stand out most in a feature.

    They are looked up in the log now: what was erased or pruned since is not among them. Of a
    number those come first whose values are most more common in the window than in the reference,
    of the embedding those that lie furthest where the window differs.

    Args:
        log: of which.
        record: of the window.
        feature: one of ``policy.FEATURES``.
        number: how many at most.

    Returns:
        Ids, the one that stands out most first; none where the feature was not compared.

    Raises:
        UsageError: there is no such feature.
        StorageError: the log could not be read.
    """
    if feature not in FEATURES:
        raise UsageError(
            f"drift is not looked for in {feature!r}", next_step=f"use {', '.join(FEATURES)}"
        )
    found = record.of(feature)
    if found is None or found.p is None or not record.sampled:
        return []
    window = counted(log, record.environment, record.version, record.start_us, record.end_us)
    items = read_items(log, window, record.sampled)
    values = _values(items, found)
    known = np.flatnonzero(np.isfinite(values))
    first, second = _how_odd(values[known], found)
    order = known[np.lexsort((known, -second, -first))]
    return [items.request_ids[place] for place in order[:number]]


def _values(items: Items, found: FeatureDrift) -> NDArray[np.float64]:
    if found.feature == SCORE:
        return items.logit
    if found.feature != EMBEDDING:
        return items.quality[:, QUALITY.index(found.feature)]
    direction = np.array(found.direction or (), np.float64)
    if items.projections.shape[1] != len(direction):
        return np.full(len(items.logit), np.nan)
    return np.asarray(items.projections @ direction)


def _how_odd(
    values: NDArray[np.float64], found: FeatureDrift
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much each value stands out, and how much of those that do so equally."""
    if found.feature == EMBEDDING:
        return values, values
    assert found.edges is not None and found.reference is not None and found.current is not None
    edges = np.array(found.edges)
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    before, now = (np.maximum(share, _FEWEST) for share in (found.reference, found.current))
    return np.log(now / before)[place], np.abs(values - (found.before or 0.0))
