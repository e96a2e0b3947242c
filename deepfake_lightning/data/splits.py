"""Splits by identity: nothing that belongs together stands on two sides."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from deepfake_lightning.errors import SplitError, UsageError
from deepfake_lightning.schemas import LABELS, SCORED_SPLITS, Manifest

DRAWN_SPLITS = ("train", "val", "calib", "test")
_RESPLIT = "draw new splits with --data.resplit true"


def identity_names(rows: pd.DataFrame) -> list[pd.Series]:
    """Return the group, the target and the source of each row, three columns of names.

    A name carries its data set (people of two data sets are different people) and what it is
    (``g:`` a group, ``i:`` an identity, which can be a target here and a source there); it is
    missing where the manifest names none.
    """
    return [
        kind + rows["dataset"].astype("string") + "/" + rows[column].astype("string")
        for column, kind in (("group_id", "g:"), ("target_id", "i:"), ("source_id", "i:"))
    ]


def identity_groups(rows: pd.DataFrame) -> NDArray[np.int64]:
    """Return each row's component of the identity graph, int64 [rows].

    Nodes are groups and identities; every row ties its group, its target and its source
    together. A fake has two identities, and both count.
    """
    names = pd.concat(identity_names(rows), ignore_index=True)
    codes, _ = pd.factorize(names, use_na_sentinel=True)
    nodes = codes.reshape(3, len(rows))
    edges = [(nodes[0][ok], other[ok]) for other in nodes[1:] for ok in [other >= 0]]
    left, right = (np.concatenate(side) for side in zip(*edges, strict=True))
    size = int(codes.max(initial=-1)) + 1
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(size, size))
    _, component = connected_components(graph, directed=False)
    return np.asarray(component[nodes[0]], np.int64)


def check_shares(shares: Mapping[str, float]) -> dict[str, float]:
    """Return the shares in the order train, val, calib, test, without the zero ones.

    Raises:
        UsageError: an unknown split, a negative share, or a sum other than 1.
    """
    unknown = set(shares) - set(DRAWN_SPLITS)
    if unknown:
        raise UsageError(
            f"data.splits: unknown split {', '.join(sorted(unknown))}",
            next_step=f"use {', '.join(DRAWN_SPLITS)}",
        )
    total = sum(shares.values())
    if abs(total - 1.0) > 1e-6 or min(shares.values(), default=0.0) < 0:
        raise UsageError(
            f"data.splits: shares {dict(shares)} add up to {total:g}",
            next_step="give shares of 0 or more that add up to 1",
        )
    return {name: shares[name] for name in DRAWN_SPLITS if shares.get(name, 0.0) > 0}


def draw_splits(rows: pd.DataFrame, shares: Mapping[str, float], seed: int) -> NDArray[np.str_]:
    """Return a split for each row: by identity group, stratified by label, reproducible.

    Groups are taken in an order drawn from ``seed`` and their names (so neither the order of the
    rows nor the name of the data's folder plays a part), large ones first, each into the split
    that is furthest below its share of that group's classes.

    Args:
        rows: manifest rows.
        shares: split name -> share of the rows; see :func:`check_shares`.
        seed: the split's own seed, not the training's.

    Raises:
        SplitError: there are fewer groups than splits.
    """
    shares = check_shares(shares)
    component = identity_groups(rows)
    labels = rows["label"].fillna(-1).to_numpy(int)
    classes, label_codes = np.unique(labels, return_inverse=True)
    count = int(component.max(initial=-1)) + 1
    sizes = np.zeros((count, len(classes)))
    np.add.at(sizes, (component, label_codes), 1)
    used = np.flatnonzero(sizes.sum(axis=1))
    if len(used) < len(shares):
        raise SplitError(
            f"{len(used)} identity groups cannot fill {len(shares)} splits",
            why="a group (a person, or a clip and its fakes) stands in one split only",
            next_step="add data of other people, or use fewer splits",
        )
    wanted = np.array(list(shares.values()))[:, None] * sizes.sum(axis=0)
    given = np.zeros_like(wanted)
    split_of = np.zeros(count, int)
    for group in _drawn_order(rows, component, used, sizes, seed):
        need = (wanted - given) / np.maximum(wanted, 1e-9)
        chosen = int(np.argmax(need @ sizes[group]))
        split_of[group] = chosen
        given[chosen] += sizes[group]
    return np.array(list(shares))[split_of[component]]


def with_splits(
    manifest: Manifest, shares: Mapping[str, float], seed: int, *, resplit: bool = False
) -> tuple[Manifest, bool]:
    """Return a manifest in which every row has a split, and whether they were drawn here.

    Args:
        manifest: with splits of its own or without; rows without one are then ``unused``.
        shares: of the draw, see :func:`draw_splits`.
        seed: of the draw.
        resplit: draw also where the manifest has splits.

    Raises:
        SplitError: an identity stands in two splits, or there are too few to draw.
    """
    rows = manifest.rows
    drawn = resplit or bool(rows["split"].isna().all())
    if drawn:
        found = manifest.with_rows(rows.assign(split=draw_splits(rows, shares, seed)), "group")
    else:
        found = manifest.with_rows(rows.assign(split=rows["split"].fillna("unused")))
    check_splits(found)
    return found, drawn


def _drawn_order(
    rows: pd.DataFrame,
    component: NDArray[np.int64],
    used: NDArray[np.int64],
    sizes: NDArray[np.float64],
    seed: int,
) -> list[int]:
    """Return the groups, largest first, ties in an order drawn from the seed and their names.

    The name of a single data set is its folder's, as a rule: it is left out, so that a folder
    that was moved or copied has the splits it had.
    """
    names = identity_names(rows)[0]
    if rows["dataset"].nunique() == 1:
        names = rows["group_id"].astype("string")
        names = names.str.removeprefix(f"{rows['dataset'].iloc[0]}/")
    names = names.groupby(component).min()

    def key(group: int) -> tuple[float, bytes]:
        text = f"{seed}/{names[group]}".encode()
        return (-float(sizes[group].sum()), hashlib.blake2b(text, digest_size=8).digest())

    return sorted((int(group) for group in used), key=key)


def check_splits(manifest: Manifest) -> None:
    """Refuse a manifest in which an identity stands in two scored splits, or in train and one.

    The policy ``official`` (splits as published) is let through: reports name it.

    Raises:
        SplitError: names an identity and the splits it is in.
    """
    if manifest.policy == "official":
        return
    rows = manifest.rows[manifest.rows["split"].isin(["train", *SCORED_SPLITS])]
    if rows.empty:
        return
    stands = pd.concat(
        [pd.DataFrame({"name": name, "split": rows["split"]}) for name in identity_names(rows)]
    ).dropna()
    splits = stands.drop_duplicates().groupby("name")["split"].agg(sorted)
    leaking = splits[splits.map(len) > 1]
    if len(leaking):
        name = str(leaking.index[0])[2:]  # without its kind
        raise SplitError(
            f"{manifest.origin}: identity {name} stands in {' and '.join(leaking.iloc[0])}"
            + (f" (and {len(leaking) - 1} more identities)" if len(leaking) > 1 else ""),
            why="a detector recognises people it was trained on, so its scores would flatter it",
            next_step=f"move each identity to one split, or {_RESPLIT}",
        )


def check_classes(
    rows: pd.DataFrame,
    split: str,
    origin: object,
    *,
    one_class: bool = False,
    drawn: bool = False,
) -> None:
    """Refuse a split that is empty or, unless ``one_class``, holds one class only or no label.

    Args:
        rows: manifest rows.
        split: the split to look at.
        origin: where the rows come from, for messages.
        one_class: one class is enough, and none.
        drawn: the splits were drawn and not given with the data, which says what can help.

    Raises:
        SplitError: names the split and what it lacks.
    """
    anew = "draw with another --data.split_seed" if drawn else _RESPLIT
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
        if not (labels == value).any():
            raise SplitError(
                f"{origin}: the {split} split has one class only, no {name} pictures",
                why="nothing can be learnt or ranked with one class",
                next_step=f"add {name} pictures, or {anew}",
            )
