"""Whether statistics of the files alone tell fakes from reals: what detectors learn first."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake_lightning.data.audit.encoding import encoded
from deepfake_lightning.data.audit.findings import FeatureResult, Finding
from deepfake_lightning.data.audit.intervals import Interval, grouped_auc, holm
from deepfake_lightning.data.audit.statistics import FEATURES

TOGETHER = "all together"
MARGIN = 0.02
"""What an AUC has to be above 0.5, whole interval included, to count as a shortcut.

On large sets differences are certain that no detector would gain anything from.
"""
WEAK, STRONG = 0.65, 0.8
_LEVEL = 0.05  # of all tests together
_FOLDS = 5
_FEWEST_ITEMS, _FEWEST_GROUPS = 20, 10  # of each class
_MOST_ITEMS = 20_000  # the interval of an AUC is +-0.01 by then

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def strength(auc: float) -> str:
    """Return how strong a shortcut is in a word: weak below 0.65, strong above 0.8."""
    if auc < WEAK:
        return "weak"
    return "strong" if auc > STRONG else "moderate"


def probe(
    table: pd.DataFrame, labels: IntArray, groups: IntArray, *, seed: int = 0
) -> tuple[list[FeatureResult], list[str]]:
    """Return how well the statistics tell fakes from reals, together and one by one.

    Each is a logistic regression on standardised numbers and one-hot words, scored by
    cross-validation in which no identity group is on both sides. A result ``gives_away`` where
    its interval lies above 0.5 by :data:`MARGIN` and Holm's adjusted p-value over all results is
    below 5 %, so that at most 5 % of data sets without a shortcut have one named.

    Args:
        table: [N] rows of statistics, columns of ``FEATURES``.
        labels: [N], 0 and 1.
        groups: [N], who belongs together.
        seed: of folds, draws and, above 20,000 items, of the choice of them.

    Returns:
        the joint result and then each statistic's, the strongest first (empty where there are too
        few items or groups), and the names of statistics that do not vary.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    chosen = _some_groups(groups, seed)
    table, labels, groups = table.iloc[chosen], labels[chosen], groups[chosen]
    columns = {name: encoded(table[name], FEATURES[name].scale) for name in table.columns}
    varying = {name: block for name, block in columns.items() if block.shape[1]}
    constant = [n for n in table.columns if n not in varying and table[n].notna().any()]
    if not enough(labels, groups) or not varying:
        return [], constant
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    parts = list(folds.split(np.zeros(len(labels)), labels, groups))
    blocks = {TOGETHER: np.hstack(list(varying.values())), **varying}
    found = {
        name: grouped_auc(
            _cross_validated(block, labels, parts), labels, groups, against=0.5 + MARGIN, seed=seed
        )
        for name, block in blocks.items()
    }
    results = _results(found, table, labels)
    return [results[0], *sorted(results[1:], key=lambda one: -one.auc)], constant


def enough(labels: IntArray, groups: IntArray) -> bool:
    """Return whether there are 20 items and 10 groups of each class."""
    return all(
        (labels == label).sum() >= _FEWEST_ITEMS
        and len(np.unique(groups[labels == label])) >= _FEWEST_GROUPS
        for label in (0, 1)
    )


def look_at_probe(results: list[FeatureResult]) -> list[Finding]:
    """Return the finding that a probe's results amount to, if any."""
    named = [one for one in results if one.gives_away]
    if not named:
        return []
    together, single = results[0], [one for one in named if one.name != TOGETHER]
    best = max(named, key=lambda one: one.auc)
    return [
        Finding(
            "shortcut",
            "warning",
            f"statistics of the files alone tell fakes from reals with AUC {best.auc:.2f} "
            f"({best.low:.2f} to {best.high:.2f}): a {strength(best.auc)} shortcut"
            f"; {_named(single)}",
            {"auc": best.auc, "interval": [best.low, best.high], "strength": strength(best.auc),
             "together": together.auc, "margin": MARGIN,
             "features": {one.name: one.auc for one in single}},
            _advice(single, best.auc),
        )
    ]  # fmt: skip


def _named(single: list[FeatureResult]) -> str:
    """Return what gives the label away, the files' own before what is seen in the pixels."""
    if not single:
        return "no single statistic does it alone"
    parts = []
    for about, words in (("file", "of the files"), ("source", "of where they come from"),
                         ("picture", "of the pixels")):  # fmt: skip
        named = [f"{one.name} {one.auc:.2f}" for one in single if one.about == about][:4]
        if named:
            parts.append(f"{words} {', '.join(named)}")
    return "what gives the label away: " + "; ".join(parts)


def _advice(single: list[FeatureResult], auc: float) -> str:
    files = [one.name for one in single if one.about != "picture"]
    again = "bring both classes through the same decoder, size and encoder"
    if single and not files:
        again = "look whether the manipulation itself does this, or how the files were made"
    return f"{again}; until then a detector has learnt something only above AUC {auc:.2f}"


def _some_groups(groups: IntArray, seed: int) -> IntArray:
    """Return the rows to be probed: all of them, or whole groups up to the most."""
    if len(groups) <= _MOST_ITEMS:
        return np.arange(len(groups))
    names, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    kept = order[np.cumsum(sizes[order]) <= _MOST_ITEMS]
    return np.flatnonzero(np.isin(place, kept))


def _cross_validated(
    block: FloatArray, labels: IntArray, parts: list[tuple[IntArray, IntArray]]
) -> FloatArray:
    """Return log-odds [N] of models that have not seen the item's group."""
    from sklearn.linear_model import LogisticRegression  # its imports take a second

    scores = np.zeros(len(labels))
    for train, test in parts:
        if len(np.unique(labels[train])) == 2:
            model = LogisticRegression(max_iter=1000).fit(block[train], labels[train])
            scores[test] = model.decision_function(block[test])
    return scores


def _results(
    found: dict[str, Interval], table: pd.DataFrame, labels: IntArray
) -> list[FeatureResult]:
    adjusted = holm(np.array([one.p for one in found.values()]))
    results = []
    for (name, one), p in zip(found.items(), adjusted, strict=True):
        joint = name == TOGETHER
        real, fake = (
            "" if joint else typical(table.loc[labels == n, name], FEATURES[name].scale)
            for n in (0, 1)
        )
        about = "" if joint else FEATURES[name].about
        gives_away = bool(p < _LEVEL and one.low > 0.5 + MARGIN)
        results.append(
            FeatureResult(name, about, one.auc, one.low, one.high, float(p), gives_away, real, fake)
        )
    return results


def typical(values: pd.Series, scale: str) -> str:
    """Return what a class has for a statistic: the median, or the commonest word with its share."""
    known = values.dropna()
    if known.empty:
        return "none"
    if scale != "word":
        return f"{known.astype(float).median():,.5g}"
    counts = known.astype(str).value_counts()
    return f"{counts.index[0]} {counts.iloc[0] / len(values):.0%}"
