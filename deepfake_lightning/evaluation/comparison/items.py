"""The items that several detectors all scored: matched by name, and what is left out of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake_lightning.errors import DataError
from deepfake_lightning.evaluation.comparison.matching import (
    STATES,
    AllItems,
    all_items,
    places,
)
from deepfake_lightning.evaluation.levels import calibrated_logits, levels_of
from deepfake_lightning.evaluation.subject import Subject

Reason = Literal["absent", "no_face", "unreadable", "unlabelled"]
REASONS: dict[Reason, str] = {
    "absent": "not among its items",
    "no_face": "no face found",
    "unreadable": "could not be read",
    "unlabelled": "scored, and nobody says whether it is real or fake",
}
_EXAMPLES = 5
_FEW_GROUPS = 20  # below it, intervals that are drawn over groups are known to be too narrow


@dataclass(frozen=True)
class LeftOut:
    """Items that are not compared, because of one detector.

    Attributes:
        name: of the detector; empty where it is for want of a label.
        reason: what became of them there.
        count: how many.
        examples: the names of the first few.
    """

    name: str
    reason: Reason
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class CommonItems:
    """N items that S detectors all scored, in the order of their names.

    Attributes:
        names: of the items, as the first detector that has them calls them.
        labels: int64 [N], 0 real, 1 fake.
        groups: int64 [N].
        logits: float64 [S, N], calibrated log-odds of fake, or what stands for them in a ranking.
        matched_by: how each detector's items were matched with the first one's, [S - 1].
        left_out: what is not compared.
        notes: what a reader has to know of it, in sentences.
    """

    names: tuple[str, ...]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    logits: NDArray[np.float64]
    matched_by: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]


def common_items(subjects: Sequence[Subject], names: Sequence[str]) -> CommonItems:
    """Return the items that all subjects scored, with the label that nobody disputes.

    An item is matched by its ``video_id``; where two tables share none, by path, by the last
    folder and the file's name without its suffix, by that name alone (names that stand twice in
    a table match nothing). A label is taken from whoever knows it. Groups are those of the first
    subject that has any.

    Raises:
        DataError: two subjects disagree on a label, or there is no item to compare.
    """
    tables = [levels_of(subject).items for subject in subjects]
    calibrated = [calibrated_logits(*pair) for pair in zip(subjects, tables, strict=True)]
    found = [places(tables[0], table, name) for table, name in zip(tables, names, strict=True)]
    everything = all_items(tables, calibrated, [one[1] for one in found])
    labels = _labels(everything, names)
    scored = (everything.state == 0).all(axis=0)
    chosen = scored & (labels >= 0)
    left_out = _left_out(everything, scored & (labels < 0), names)
    if not chosen.any():
        raise _nothing_shared(left_out, bool(scored.any()))
    matched_by = tuple(one[0] for one in found[1:])
    groups, grouping = _groups(everything, chosen, tables, names)
    notes = [*_notes(everything, chosen, names, matched_by, found), *grouping]
    if (count := len(np.unique(groups))) < _FEW_GROUPS:
        notes.append(
            f"It rests on {count} {'group' if count == 1 else 'groups'} only: intervals over so"
            " few are too narrow, and verdicts too bold."
        )
    for subject, table in zip(subjects, tables, strict=True):
        notes += _uncalibrated(subject, table)
    return CommonItems(
        tuple(map(str, everything.names[chosen])), labels[chosen], groups,
        everything.logit[:, chosen], matched_by, left_out, tuple(notes),
    )  # fmt: skip


def _uncalibrated(subject: Subject, items: pd.DataFrame) -> list[str]:
    fitted = subject.calibration.image or subject.calibration.video
    unknown = int((items["media_type"].isna() & items["logit"].notna()).sum())
    if fitted is None or not unknown or subject.scale == "rank":
        return []
    return [
        f"{subject.name}: {unknown:,} items do not say whether they are pictures or clips, so"
        " their scores are not calibrated."
    ]


def _labels(everything: AllItems, names: Sequence[str]) -> NDArray[np.int64]:
    """Return the label of each item, -1 where nobody knows it."""
    known = everything.label >= 0
    high: NDArray[np.int64] = everything.label.max(axis=0)
    low = np.where(known, everything.label, 1).min(axis=0)
    torn = np.flatnonzero(known.any(axis=0) & (low != high))
    if torn.size:
        first = int(torn[0])
        says = ", ".join(
            f"{'fake' if label else 'real'} in {name}"
            for name, label in zip(names, everything.label[:, first], strict=True)
            if label >= 0
        )
        raise DataError(
            f"the detectors' tables disagree on the label of {torn.size:,} items, the first is"
            f" {everything.names[first]} ({says})",
            why="what is right for one would be wrong for the other",
            next_step="correct the labels, or score both on the same manifest. Where all"
            " differ, one table has 1 for real",
        )
    return high


def _left_out(
    everything: AllItems, unlabelled: NDArray[np.bool_], names: Sequence[str]
) -> tuple[LeftOut, ...]:
    def record(name: str, reason: Reason, which: NDArray[np.bool_]) -> LeftOut:
        shown = everything.names[which][:_EXAMPLES]
        return LeftOut(name, reason, int(which.sum()), tuple(map(str, shown)))

    reasons: tuple[Reason, ...] = ("absent", "no_face", "unreadable")
    found = [
        record(name, reason, state == STATES.index(reason))
        for name, state in zip(names, everything.state, strict=True)
        for reason in reasons
    ]
    found.append(record("", "unlabelled", unlabelled))
    return tuple(one for one in found if one.count)


def _nothing_shared(left_out: Sequence[LeftOut], scored: bool) -> DataError:
    parts = [f"{one.name or 'all'}: {one.count:,} {REASONS[one.reason]}" for one in left_out]
    return DataError(
        f"there is no item that all detectors scored{' and that has a label' * scored}"
        f" ({'; '.join(parts)})",
        why="detectors are compared on the same labelled items",
        next_step="pass --data with labels" if scored else "score them on the same data",
    )


def _groups(
    everything: AllItems,
    chosen: NDArray[np.bool_],
    tables: Sequence[pd.DataFrame],
    names: Sequence[str],
) -> tuple[NDArray[np.int64], list[str]]:
    """Return int64 [N] of the first subject that says who belongs together, and notes."""
    having = [row for row, table in enumerate(tables) if table["group_id"].notna().any()]
    if not having:
        return everything.group[0, chosen], [
            "No table says which items show the same people (group_id): each counts as a group of"
            " its own, and intervals are too narrow where people stand in several items."
        ]
    taken = having[0]
    groups = everything.group[taken, chosen]
    notes = []
    if taken:
        notes.append(f"Groups are those of {names[taken]}: {names[0]} has none.")
    for row in having[1:]:
        pairs = np.unique(np.stack([groups, everything.group[row, chosen]]), axis=1)
        if len(set(pairs[0])) != pairs.shape[1] or len(set(pairs[1])) != pairs.shape[1]:
            notes.append(
                f"{names[row]} groups the items in another way than {names[taken]}, whose groups"
                " are taken."
            )
    return groups, notes


def _notes(
    everything: AllItems,
    chosen: NDArray[np.bool_],
    names: Sequence[str],
    matched_by: Sequence[str],
    found: Sequence[tuple[str, NDArray[np.int64], int]],
) -> list[str]:
    notes = []
    for name, key, (_, _, doubles) in zip(names[1:], matched_by, found[1:], strict=True):
        if key != "video_id":
            notes.append(
                f"{name} was matched with {names[0]} by {key}, since no video_id is shared: see"
                " that these are the same items."
            )
        if doubles:
            notes.append(f"{doubles:,} items of {name} have a name that stands twice: left out.")
    smallest = int((everything.state == 0).sum(axis=1).min())
    if chosen.sum() < smallest / 2:
        notes.append(
            f"Only {int(chosen.sum()):,} items are in common, less than half of the"
            f" {smallest:,} that each has scored."
        )
    taught = [
        name
        for name, labels in zip(names, everything.label[:, chosen], strict=True)
        if (labels < 0).any()
    ]
    if taught:
        notes.append(f"Labels that {', '.join(taught)} lacks are those of the others.")
    return notes
