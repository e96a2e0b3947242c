"""A window's items beside those of the reference: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.metrics import holm
from deepfake_lightning.metrics.drift import (
    kolmogorov_smirnov,
    maximum_mean_discrepancy,
    separation,
)
from deepfake_lightning.monitoring.drift.policy import EMBEDDING, SCORE, DriftPolicy
from deepfake_lightning.monitoring.drift.records import DriftRecord, FeatureDrift
from deepfake_lightning.monitoring.drift.reference import DriftReference
from deepfake_lightning.monitoring.drift.sampling import Items
from deepfake_lightning.monitoring.drift.windows import DAY_US, DriftWindow
from deepfake_lightning.monitoring.drift.wording import unjudged, why
from deepfake_lightning.monitoring.log.totals import QUALITY
from deepfake_lightning.monitoring.log.writing import MINUTE_US

FEWEST_COMPARED = 50
_MOST_PERMUTED = 500
_BINS = 20
_SCORE_EDGES = np.linspace(-10.0, 10.0, _BINS + 1)
_SIDE_EDGES = np.linspace(-5.0, 5.0, _BINS + 1)
_QUANTILES = np.array([0.1, 0.5, 0.9])

Values = NDArray[np.float64]


def judge(
    window: DriftWindow,
    items: Items,
    reference: DriftReference,
    policy: DriftPolicy,
    before: DriftRecord | None = None,
) -> DriftRecord:
    """Return what is found in a window.

    A feature has moved where its p-value, adjusted over all features (Holm), is below
    ``policy.significance``, and its effect over the limit.

    Args:
        window: which one.
        items: of it.
        reference: what they are compared with.
        policy: what counts as moved.
        before: the last window that was judged, of the same version and environment.
    """
    record = DriftRecord(
        window.environment, window.version, window.start_us, window.end_us, window.items,
        score=None, moved=False, confirmed=False, features=(), severity=None, reasons=(),
        sampled=len(items.logit), reference=reference.kind, reference_items=len(reference.logit),
        reference_id=reference.identity, notes=reference.notes,
    )  # fmt: skip
    if len(items.logit) < policy.least_items:
        return replace(record, reasons=(unjudged(record, policy.least_items),))
    if len(reference.logit) < FEWEST_COMPARED:
        few = f"the reference has {len(reference.logit)} items, and {FEWEST_COMPARED} are needed"
        return replace(record, reasons=(f"not judged: {few}",))
    features, severity = compare(items, reference, policy, seed=window.start_us // MINUTE_US)
    moved = {one.feature for one in features if one.moved}
    again = moved & _moved_before(record, before, policy)
    judged = replace(
        record,
        score=_short(max(one.part for one in features)),
        moved=bool(moved),
        confirmed=bool(again if policy.windows_in_a_row > 1 else moved),
        features=features,
        severity=severity,
    )
    return replace(judged, reasons=why(judged, again))


def compare(
    items: Items, reference: DriftReference, policy: DriftPolicy, *, seed: int
) -> tuple[tuple[FeatureDrift, ...], float | None]:
    """Return each feature of a policy, and the AUC of the embedding, None where there is none.

    Args:
        items: of a window.
        reference: what they are compared with.
        policy: features, limits, significance.
        seed: of permutations and folds.
    """
    like = np.ones(len(items.logit), bool) if reference.of_items else items.pictures
    found, severity = [], None
    for name in policy.features:
        limit = policy.limits.of(name)
        assert limit is not None
        if name == EMBEDDING:
            one, severity = _embedding(
                reference.projections, items.projections[like], limit, policy, seed
            )
        elif name == SCORE:
            one = _scalar(name, reference.logit, items.logit, limit)
        else:
            column = QUALITY.index(name)
            one = _scalar(name, reference.quality[:, column], items.quality[like, column], limit)
        found.append(one)
    return _adjusted(found, policy.significance), severity


def _scalar(name: str, before: Values, after: Values, limit: float) -> FeatureDrift:
    before, after = (each[np.isfinite(each)] for each in (before, after))
    if min(len(before), len(after)) < FEWEST_COMPARED:
        return FeatureDrift(name, None, None, 0.0, limit, False)
    found = kolmogorov_smirnov(before, after)
    quantiles = np.quantile(before, _QUANTILES), np.quantile(after, _QUANTILES)
    # The median, unless another differs by clearly more: tails are less sure.
    apart = np.abs(quantiles[1] - quantiles[0]) * np.array([0.67, 1.0, 0.67])
    most = int(apart.argmax())
    edges = _SCORE_EDGES if name == SCORE else _edges(before)
    return FeatureDrift(
        name, _short(found.p), None, _short(found.effect), limit, False,
        before=_short(quantiles[0][most]), after=_short(quantiles[1][most]),
        quantile=float(_QUANTILES[most]), **_histograms(before, after, edges),
    )  # fmt: skip


def _embedding(
    before: Values, after: Values, limit: float, policy: DriftPolicy, seed: int
) -> tuple[FeatureDrift, float | None]:
    before, after = (each[np.isfinite(each).all(axis=1)] for each in (before, after))
    few = min(len(before), len(after)) < FEWEST_COMPARED
    if few or before.shape[1] != after.shape[1] or not before.shape[1]:
        return FeatureDrift(EMBEDDING, None, None, 0.0, limit, False), None
    generator = np.random.default_rng(seed)
    some = [
        generator.permutation(each)[:_MOST_PERMUTED] if len(each) > _MOST_PERMUTED else each
        for each in (before, after)
    ]
    chance = maximum_mean_discrepancy(some[0], some[1], permutations=policy.permutations, seed=seed)
    found = separation(before, after, seed=seed % (1 << 32))
    sides = found.log_odds[: len(before)], found.log_odds[len(before) :]
    return FeatureDrift(
        EMBEDDING, _short(chance.p), None, _short(max(0.0, 2 * found.auc - 1)), limit, False,
        **_histograms(sides[0], sides[1], _SIDE_EDGES),
        direction=tuple(_short(value) for value in found.direction),
    ), _short(max(0.5, found.auc))  # fmt: skip


def _adjusted(found: Sequence[FeatureDrift], significance: float) -> tuple[FeatureDrift, ...]:
    compared = [one for one in found if one.p is not None]
    adjusted = holm(np.array([one.p for one in compared], np.float64))
    by_name = dict(zip((one.feature for one in compared), adjusted.tolist(), strict=True))
    told = []
    for one in found:
        p = by_name.get(one.feature)
        moved = p is not None and p < significance and one.effect > one.limit
        told.append(replace(one, p_holm=None if p is None else _short(p), moved=moved))
    return tuple(told)


def _moved_before(record: DriftRecord, before: DriftRecord | None, policy: DriftPolicy) -> set[str]:
    """Features that had moved in the window before, beside the same reference."""
    if before is None or before.reference_id != record.reference_id:
        return set()
    if record.start_us - before.end_us > policy.max_days * DAY_US:
        return set()
    return set(before.moved_features)


def _edges(before: Values) -> Values:
    """Edges of bins that hold the middle of the reference, and as much again beside it."""
    low, high = np.quantile(before, (0.01, 0.99))
    side = (high - low) / 2 or 0.5
    return np.linspace(low - side, high + side, _BINS + 1)


def _histograms(before: Values, after: Values, edges: Values) -> dict[str, Any]:
    kept = np.array([_short(edge) for edge in edges])
    shares = [
        np.histogram(np.clip(each, kept[0], kept[-1]), kept)[0] / len(each)
        for each in (before, after)
    ]
    named = {"reference": shares[0], "current": shares[1], "edges": kept}
    return {name: tuple(_short(value) for value in values) for name, values in named.items()}


def _short(value: float) -> float:
    """A number with the digits that are worth keeping."""
    return float(f"{value:.4g}")
