"""What a splitting holds, and what it cost: numbers for the screen, the page and JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from deepfake_lightning.data.splits.checking import HELD_APART
from deepfake_lightning.data.splits.draw import USELESS, DataSetDraw
from deepfake_lightning.data.splits.identities import identity_nodes
from deepfake_lightning.data.splits.protocols import Splitting
from deepfake_lightning.schemas import LABELS, SCORED_SPLITS, SPLITS

_EXAMPLES = 20


@dataclass(frozen=True)
class SplitReport:
    """What a splitting holds.

    Attributes:
        protocol, policy, seed: how it was made.
        datasets: how each data set was drawn, with ``kept_share`` beside ``expected``.
        splits: for each split and label the numbers of rows, items, groups, identities, methods.
        methods: for each method of fakes the items of each split.
        leaking: identities (or groups, where no identity leaks) in two splits that are held apart.
        leaked: split -> items of it that show one of those.
        examples: some of them -> their splits.
        notes: what a reader should know before using it.
    """

    protocol: str
    policy: str
    seed: int | None
    datasets: list[dict[str, object]]
    splits: list[dict[str, object]]
    methods: list[dict[str, object]]
    leaking: int
    leaked: dict[str, int]
    examples: dict[str, list[str]]
    notes: list[str]


def report(splitting: Splitting) -> SplitReport:
    """Count what is in the splits, and say what is remarkable about them."""
    rows = splitting.manifest.rows
    nodes, names = identity_nodes(rows)
    people = splitting.leaks[splitting.leaks["name"].str.startswith("i:")]
    leaking = people if len(people) else splitting.leaks
    sides = leaking.groupby("name")["split"].agg(list)
    leaked = _leaked(rows, nodes, names.isin(splitting.leaks["name"]))
    return SplitReport(
        splitting.protocol,
        splitting.manifest.policy,
        splitting.seed,
        [_described(found) for found in splitting.datasets],
        _counts(rows, nodes),
        _methods(rows),
        len(sides),
        leaked if len(sides) else {},
        {str(name)[2:]: list(found) for name, found in sides.head(_EXAMPLES).items()},
        [*_draw_notes(splitting.datasets), *_leak_notes(len(sides), leaked), *_row_notes(rows)],
    )


def _described(found: DataSetDraw) -> dict[str, object]:
    return {**asdict(found), "kept_share": found.kept / found.ties if found.ties else None}


def _labels(rows: pd.DataFrame) -> pd.Series:
    names = {value: name for name, value in LABELS.items()}
    return rows["label"].map(names).astype("string").fillna("unknown")


def _counts(rows: pd.DataFrame, nodes: np.ndarray) -> list[dict[str, object]]:
    table = pd.DataFrame({
        "split": rows["split"], "label": _labels(rows), "items": rows["video_id"],
        "groups": nodes[0], "methods": rows["method"], "dataset": rows["dataset"],
    })  # fmt: skip
    table["items"] = table.groupby(["dataset", "items"], sort=False).ngroup()
    by = table.groupby(["split", "label"])
    counted = by[["items", "groups", "methods"]].nunique().assign(rows=by.size())
    people = pd.concat([table[["split", "label"]].assign(who=who) for who in nodes[1:]])
    people = people[people["who"] >= 0].drop_duplicates()
    counted["identities"] = people.groupby(["split", "label"]).size()
    counted = counted.fillna(0).astype(int)
    order = {name: number for number, name in enumerate((*SPLITS, *LABELS, "unknown"))}
    counted = counted.sort_index(key=lambda level: level.map(order))
    columns = ("rows", "items", "groups", "identities", "methods")
    return [
        {"split": split, "label": label, **{name: int(row[name]) for name in columns}}
        for (split, label), row in counted.iterrows()
    ]


def _methods(rows: pd.DataFrame) -> list[dict[str, object]]:
    fakes = rows[(rows["label"] == LABELS["fake"]).fillna(False)]
    items = fakes.drop_duplicates(["dataset", "video_id"])
    method = items["method"].astype("string").fillna("(unnamed)")
    table = pd.crosstab(method, items["split"])
    splits = [name for name in SPLITS if name in table]
    table = table[splits].sort_index()
    return [
        {"method": str(name), **{split: int(row[split]) for split in splits}}
        for name, row in table.iterrows()
    ]


def _leaked(rows: pd.DataFrame, nodes: np.ndarray, wrong: np.ndarray) -> dict[str, int]:
    """Return the items of each scored split that show somebody who stands elsewhere, too."""
    shows = np.where(nodes >= 0, wrong[nodes], False).any(axis=0)
    here = shows & rows["split"].isin(SCORED_SPLITS).to_numpy(bool)
    items = rows.loc[here, ["dataset", "video_id", "split"]].drop_duplicates()
    counts = items["split"].value_counts()
    return {name: int(counts[name]) for name in SCORED_SPLITS if name in counts}


def _draw_notes(datasets: tuple[DataSetDraw, ...]) -> list[str]:
    notes = []
    for found in datasets:
        if found.unit == "identity":
            note = f"{found.dataset}: people are split and not groups"
            if found.largest_group > USELESS:
                note += (
                    f", as its largest group holds {found.largest_group:.0%} of its rows (more "
                    f"than {USELESS:.0%})"
                )
            kept = found.kept / found.ties if found.ties else 0.0
            notes.append(
                f"{note}; {found.kept:,} of {found.ties:,} media of two people are kept "
                f"({kept:.1%}; a random choice keeps {found.expected or 0:.1%})"
            )
        elif found.note:
            notes.append(f"{found.dataset}: {found.note}")
        elif USELESS < found.largest_group < 1:
            notes.append(
                f"{found.dataset}: one group holds {found.largest_group:.0%} of its rows, and "
                "stands in one split"
            )
    return notes


def _leak_notes(leaking: int, leaked: dict[str, int]) -> list[str]:
    if not leaking:
        return []
    who = "identity stands" if leaking == 1 else "identities stand"
    where = ", ".join(f"{count:,} items of {split}" for split, count in leaked.items())
    return [
        f"{leaking:,} {who} in several splits, as published: {where} show people who "
        "are known from elsewhere, so that scores flatter"
    ]


def _row_notes(rows: pd.DataFrame) -> list[str]:
    notes = []
    fakes = (rows["label"] == LABELS["fake"]).fillna(False)
    donors = fakes & rows["target_id"].notna() & rows["source_id"].isna()
    if donors.any():
        notes.append(
            f"{int(donors.sum()):,} fakes name no source: who gave the face may stand elsewhere"
        )
    present = set(rows["split"])
    for split in (name for name in HELD_APART if name in present):
        labels = rows.loc[rows["split"] == split, "label"]
        lacking = [name for name, value in LABELS.items() if not (labels == value).any()]
        if lacking:
            notes.append(f"{split} holds no {' and no '.join(lacking)} media")
    absent = [name for name in ("train", "val", "calib", "test") if name not in present]
    if absent:
        notes.append(f"there is no {', '.join(absent)} split")
    return notes
