"""What splits must keep apart, and what they must hold."""

from __future__ import annotations

import pandas as pd

from deepfake_lightning.data.splits.identities import identity_names
from deepfake_lightning.errors import SplitError
from deepfake_lightning.schemas import LABELS, SCORED_SPLITS, Manifest

_RESPLIT = "draw new splits with --data.resplit true"
HELD_APART = ("train", *SCORED_SPLITS)


def leaks(rows: pd.DataFrame) -> pd.DataFrame:
    """Return who stands in two scored splits, or in train and one: a row for each and split.

    Returns:
        Columns ``name`` (of a group, ``g:...``, or an identity, ``i:...``) and ``split``, sorted.
    """
    rows = rows[rows["split"].isin(HELD_APART)]
    stands = pd.concat(
        [pd.DataFrame({"name": name, "split": rows["split"]}) for name in identity_names(rows)]
    )
    stands = stands.dropna().drop_duplicates()
    twice = stands[stands.duplicated("name", keep=False)]
    return twice.sort_values(["name", "split"], ignore_index=True)


def check_splits(manifest: Manifest) -> None:
    """Refuse a manifest in which an identity stands in two scored splits, or in train and one.

    The policy ``official`` (splits as published) is let through: reports name it.

    Raises:
        SplitError: names an identity and the splits it is in.
    """
    if manifest.policy == "official":
        return
    leaking = leaks(manifest.rows)
    if len(leaking):
        sides = leaking.groupby("name")["split"].agg(" and ".join)
        name = str(sides.index[0])[2:]  # without its kind
        raise SplitError(
            f"{manifest.origin}: identity {name} stands in {sides.iloc[0]}"
            + (f" (and {len(sides) - 1} more identities)" if len(sides) > 1 else ""),
            why="a detector recognises people it was trained on, so its scores would flatter it",
            next_step=f"move each identity to one split, or {_RESPLIT}",
        )


def check_classes(
    rows: pd.DataFrame,
    split: str,
    origin: object,
    *,
    one_class: bool = False,
    reals_only: bool = False,
    drawn: bool = False,
    official: bool = False,
) -> None:
    """Refuse a split that is empty or, unless ``one_class``, holds one class only or no label.

    Args:
        rows: manifest rows.
        split: the split to look at.
        origin: where the rows come from, for messages.
        one_class: one class is enough, and none.
        reals_only: real pictures are enough.
        drawn: the splits were drawn and not given with the data, which says what can help.
        official: they are as published: new ones would train on what others test with.

    Raises:
        SplitError: names the split and what it lacks.
    """
    anew = "draw with another --data.split_seed" if drawn else _RESPLIT
    if official:
        anew = f"draw those that are missing: deepfake-lightning data split {origin} --out FILE"
    labels = rows.loc[rows["split"] == split, "label"]
    if labels.empty:
        there = ", ".join(sorted(rows["split"].dropna().unique())) or "none"
        raise SplitError(
            f"{origin}: the {split} split is empty (splits with data: {there})",
            next_step=f"add data, give it a share with --data.splits, or {anew}"
            if drawn
            else f"add data to it, or {anew}",
        )
    if one_class:
        return
    if labels.isna().all():
        raise SplitError(
            f"{origin}: no picture of the {split} split has a label",
            next_step=f"label them, or {anew}",
        )
    for name, value in LABELS.items():
        if not (labels == value).any() and not (reals_only and name == "fake"):
            raise SplitError(
                f"{origin}: the {split} split has one class only, no {name} pictures",
                why="nothing can be learnt or ranked with one class",
                next_step=f"add {name} pictures, or {anew}",
            )
