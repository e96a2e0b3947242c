"""Draws: each whole group into the split that needs it most."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake_lightning.data.splits.checking import check_splits
from deepfake_lightning.data.splits.identities import IntArray, identity_groups
from deepfake_lightning.data.splits.people import unit_names
from deepfake_lightning.data.splits.shares import check_shares
from deepfake_lightning.errors import SplitError
from deepfake_lightning.schemas import Manifest

FloatArray = NDArray[np.float64]
_STRATA = 24  # the rare methods beyond are one stratum: tables stay small
_OTHER_WAY = "; where fakes tie everybody to everybody, `data split` can split people instead"


def draw_splits(rows: pd.DataFrame, shares: Mapping[str, float], seed: int) -> NDArray[np.str_]:
    """Return a split for each row: by identity group, stratified, reproducible.

    Groups are taken in an order drawn from ``seed`` and their names (so neither the order of the
    rows nor the name of the data's folder plays a part), large ones first, each into the split
    that is furthest below its share of what the group holds (labels, and methods of a data set).

    Args:
        rows: manifest rows.
        shares: split name -> share of the rows; see :func:`check_shares`.
        seed: the split's own seed, not the training's.

    Raises:
        SplitError: there are fewer groups than splits.
    """
    shares = check_shares(shares)
    component = identity_groups(rows)
    units = np.stack([component, *np.full((2, len(rows)), -1)])
    names = unit_names(rows, units)
    if len(names) < len(shares):
        raise too_few(len(names), len(shares), _OTHER_WAY)
    sizes = unit_sizes(component, strata(rows), int(component.max()) + 1)
    side = fill(sizes, drawn_order(names, sizes, seed), list(shares.values()))
    return np.array(list(shares))[side[component]]


def too_few(groups: int, splits: int, other_way: str = "") -> SplitError:
    """Return the error of fewer groups than splits."""
    return SplitError(
        f"{groups} identity groups cannot fill {splits} splits",
        why="a group (a person, or a clip and its fakes) stands in one split only",
        next_step=f"add data of other people, or use fewer splits{other_way}",
    )


def strata(rows: pd.DataFrame) -> IntArray:
    """Return int64 [2, rows]: what is spread evenly, as columns of a table of counts.

    The first is the label, the second the data set, label and method together. Their numbers do
    not overlap, and depend on names and counts alone.
    """
    labels = rows["label"].fillna(-1).astype(int)
    first = np.unique(labels, return_inverse=True)[1]
    parts = [rows["dataset"], labels, *([rows["method"]] if "method" in rows else [])]
    codes = [np.unique(part.astype("string").fillna(""), return_inverse=True)[1] for part in parts]
    mixed = np.zeros(len(rows), np.int64)
    for code in codes:
        mixed = mixed * (int(code.max(initial=0)) + 1) + code
    _, second, counts = np.unique(mixed, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    second = np.minimum(rank, _STRATA - 1)[second]
    return np.stack([first, second + int(first.max(initial=-1)) + 1])


def unit_sizes(units: IntArray, columns: IntArray, count: int) -> FloatArray:
    """Return float64 [units, strata]: the rows of each; -1 is no unit."""
    width = int(columns.max(initial=-1)) + 1
    here = units >= 0
    flat = sum(
        np.bincount(units[here] * width + column[here], minlength=count * width)
        for column in columns
    )
    return np.asarray(flat, float).reshape(count, width)


def drawn_order(names: pd.Series, sizes: FloatArray, seed: int) -> list[int]:
    """Return the named units, largest first, ties in an order drawn from seed and names."""
    total = sizes.sum(axis=1)

    def key(unit: int, name: str) -> tuple[float, bytes]:
        digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
        return -float(total[unit]), digest

    keys = {int(unit): key(int(unit), name) for unit, name in names.items()}
    return sorted(keys, key=keys.__getitem__)


def fill(
    sizes: FloatArray, order: list[int], shares: list[float], given: FloatArray | None = None
) -> IntArray:
    """Return the split of each unit, int64 [units], as the number of its share.

    Args:
        sizes: float64 [units, strata]: what each unit holds.
        order: the units to place, in the order of placing.
        shares: of the splits.
        given: float64 [splits, strata]: what the splits hold already.
    """
    given = np.zeros((len(shares), sizes.shape[1])) if given is None else given.copy()
    wanted = np.outer(shares, sizes[order].sum(axis=0) + given.sum(axis=0))
    per_row = 1.0 / np.maximum(wanted, 1e-9)
    need = (wanted - given) * per_row
    side = np.zeros(len(sizes), np.int64)
    for unit in order:
        size = sizes[unit]
        chosen = int((need @ size).argmax())
        side[unit] = chosen
        need[chosen] -= size * per_row[chosen]
    return side


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
