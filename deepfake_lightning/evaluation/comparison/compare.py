"""Is this detector better than the other one? Paired, on the items that all of them scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from deepfake_lightning.errors import UsageError
from deepfake_lightning.evaluation.comparison.disagreement import disagreements, how_far_apart
from deepfake_lightning.evaluation.comparison.items import CommonItems, common_items
from deepfake_lightning.evaluation.comparison.notes import notes_on, uncalibrated
from deepfake_lightning.evaluation.comparison.record import (
    HEADLINE,
    LEVEL,
    Comparison,
    Detector,
    Pair,
)
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.metrics import (
    COMPARED,
    LOWER_IS_BETTER,
    RANKING,
    Interval,
    PairedDifference,
    compare_summaries,
    holm,
    summary_intervals,
)


def compare(subjects: Sequence[Subject], *, draws: int = 2000, seed: int = 0) -> Comparison:
    """Compare detectors on the items that all of them scored, each as a whole (item level).

    Scores are calibrated log-odds, as users are shown them. Every other detector is compared with
    the first in all metrics, the others among themselves in AUROC; Holm's correction runs over
    all of these tests together. Where a scale is ``rank`` only ranking metrics are compared.

    Args:
        subjects: two or more.
        draws: resamples of the groups.
        seed: of the draws.

    Raises:
        UsageError: fewer than two subjects.
        DataError: no item in common, or labels that disagree.
    """
    if len(subjects) < 2:
        raise UsageError(
            f"{len(subjects)} detectors make no comparison", next_step="name two or more"
        )
    names = _distinct(subjects)
    items = common_items(subjects, names)
    detectors = tuple(
        _detector(one, name, items, row, draws, seed)
        for row, (one, name) in enumerate(zip(subjects, names, strict=True))
    )
    both = combinations(range(len(subjects)), 2)
    pairs = [_pair(detectors, a, b, items, draws, seed) for a, b in both]
    ranks = any(one.scale == "rank" for one in detectors)
    return Comparison(
        detectors, _corrected(pairs), items, disagreements(items, names, ranks),
        how_far_apart(ranks),
        (*items.notes, *uncalibrated(subjects, names), *notes_on(detectors)), draws, seed,
    )  # fmt: skip


def _distinct(subjects: Sequence[Subject]) -> list[str]:
    """Return names that differ: ``<experiment>/<version>``, or a second ``scores (2)``."""
    several = Counter(one.name for one in subjects)
    names = [
        f"{one.model['experiment']}/{one.name}"
        if several[one.name] > 1 and one.model.get("experiment")
        else one.name
        for one in subjects
    ]
    seen: Counter[str] = Counter()
    taken, found = set(names), []
    for name in names:
        seen[name] += 1
        shown = name
        while seen[name] > 1 and (shown in taken or shown == name):
            shown = f"{name} ({seen[name]})"
            seen[name] += shown in taken
        taken.add(shown)
        found.append(shown)
    return found


def _detector(
    subject: Subject, name: str, items: CommonItems, row: int, draws: int, seed: int
) -> Detector:
    found = summary_intervals(
        items.logits[row], items.labels, items.groups, draws=draws, seed=seed, level=LEVEL
    )
    undefined = Interval(None, None, None)
    metrics = {
        key: value if subject.scale == "logit" or key in RANKING else undefined
        for key, value in found.items()
    }
    return Detector(
        name, subject.scale, subject.is_demo, metrics, subject.model, subject.data, subject.notes
    )


def _pair(
    detectors: Sequence[Detector], a: int, b: int, items: CommonItems, draws: int, seed: int
) -> Pair:
    ranks = "rank" in (detectors[a].scale, detectors[b].scale)
    names = [name for name in COMPARED if not ranks or name in RANKING]
    found = compare_summaries(
        items.logits[a], items.logits[b], items.labels, items.groups,
        draws=draws, seed=seed, level=LEVEL, names=[HEADLINE] if a else names,
    )  # fmt: skip
    return Pair(detectors[a].name, detectors[b].name, found)


def _corrected(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """Return the pairs with p-values that are adjusted over all of them, and verdicts by those."""
    places = [
        (row, name)
        for row, pair in enumerate(pairs)
        for name, one in pair.differences.items()
        if one.p is not None
    ]
    p = np.array([pairs[row].differences[name].p for row, name in places], dtype=np.float64)
    found = [dict(pair.differences) for pair in pairs]
    for (row, name), adjusted in zip(places, holm(p).tolist(), strict=True):
        found[row][name] = _judged(found[row][name], adjusted)
    return tuple(replace(pair, differences=one) for pair, one in zip(pairs, found, strict=True))


def _judged(one: PairedDifference, adjusted: float) -> PairedDifference:
    if adjusted >= 1 - LEVEL or not one.difference:
        return replace(one, p_adjusted=adjusted, verdict="cannot tell")
    better = (one.difference > 0) != (one.name in LOWER_IS_BETTER)
    return replace(one, p_adjusted=adjusted, verdict="better" if better else "worse")
