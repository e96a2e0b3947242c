"""A draw for any data: by groups, and by people where groups are useless."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake_lightning.data.splits.apart import LOOSE, Apart, take_apart
from deepfake_lightning.data.splits.drawing import (
    drawn_order,
    fill,
    strata,
    too_few,
    unit_sizes,
)
from deepfake_lightning.data.splits.identities import IntArray, item_groups
from deepfake_lightning.data.splits.people import unit_names

Unit = Literal["auto", "group", "identity"]
USELESS = 0.5
"""Groups are useless where the largest holds more than this share of a data set's rows."""

_TOO_FEW = "fakes of two people tie fewer people than there are splits: groups stay whole"


@dataclass(frozen=True)
class DataSetDraw:
    """How one data set was drawn.

    Attributes:
        dataset: its name.
        unit: what went into a split whole: ``group`` or ``identity``.
        largest_group: share of its rows in the largest component of the identity graph.
        people: split -> people that were divided; empty by group.
        ties, kept: media of two of those people, and how many of them stand in a split.
        expected: the share of them that a random choice of people keeps, None by group.
        note: why people were not divided though that was called for.
    """

    dataset: str
    unit: str
    largest_group: float
    people: dict[str, int]
    ties: int = 0
    kept: int = 0
    expected: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Draw:
    """A draw.

    Attributes:
        split, groups: string [rows], the split and the group of each row.
        datasets: how each data set was drawn.
    """

    split: pd.Series
    groups: pd.Series
    datasets: tuple[DataSetDraw, ...]


def draw(rows: pd.DataFrame, shares: Mapping[str, float], seed: int, unit: Unit = "auto") -> Draw:
    """Draw splits in which no identity stands twice.

    Args:
        rows: manifest rows.
        shares: checked shares of the splits.
        seed: of the draw.
        unit: what stays whole: ``group`` (a component of the identity graph), ``identity`` (a
            person; media of two people in two splits go to ``quarantine``), or ``auto``: people
            in the largest group of a data set where it holds more than ``USELESS`` of its rows,
            groups otherwise.

    Raises:
        SplitError: there are fewer units than splits.
    """
    rows = rows.reset_index(drop=True)
    component = item_groups(rows)
    taken = int(component.max(initial=-1)) + 1  # numbers of units
    side = np.full(len(rows), LOOSE, np.int64)
    units, names = component.copy(), [unit_names(rows, _only(component))]
    groups, found = rows["group_id"].astype("string"), []
    for dataset, here in sorted(rows.groupby("dataset").indices.items()):
        largest, scope = _scope(component, here, unit, len(shares))
        part = None
        if len(scope):
            part = take_apart(rows.iloc[scope], list(shares.values()), seed)
        if part is not None:
            side[scope] = part.side
            groups.iloc[scope] = part.groups.to_numpy()
            units[scope] = np.where(part.units >= 0, part.units + taken, -1)
            names.append(part.names.set_axis(part.names.index + taken))
            taken += int(part.names.index.max()) + 1
        found.append(_described(str(dataset), largest, shares, part, len(scope) > 0))
    side = _filled(rows, side, units, pd.concat(names), list(shares.values()), seed)
    texts = np.array([*shares, "quarantine"])
    return Draw(pd.Series(texts[side], rows.index, dtype="string"), groups, tuple(found))


def _only(component: IntArray) -> IntArray:
    """Return units by which groups alone give a component its name."""
    return np.stack([component, *np.full((2, len(component)), -1)])


def _scope(
    component: IntArray, here: NDArray[np.int64], unit: Unit, splits: int
) -> tuple[float, NDArray[np.int64]]:
    """Return the share of a data set's largest group, and the rows to be taken apart."""
    counts = np.bincount(component[here])
    largest = float(counts.max() / len(here))
    if splits == 1 or unit == "group" or (unit == "auto" and largest <= USELESS):
        return largest, here[:0]
    return largest, here if unit == "identity" else here[component[here] == counts.argmax()]


def _described(
    dataset: str, largest: float, shares: Mapping[str, float], part: Apart | None, called_for: bool
) -> DataSetDraw:
    if part is None:
        return DataSetDraw(dataset, "group", largest, {}, note=_TOO_FEW if called_for else "")
    people = dict(zip(shares, part.people, strict=True))
    return DataSetDraw(dataset, "identity", largest, people, part.ties, part.kept, part.expected)


def _filled(
    rows: pd.DataFrame,
    side: IntArray,
    units: IntArray,
    names: pd.Series,
    shares: list[float],
    seed: int,
) -> IntArray:
    """Return the sides with those of the loose rows, which even out what the others left."""
    loose, columns = side == LOOSE, strata(rows)
    present, compact = np.unique(units[loose], return_inverse=True)
    if len(present) < len(shares) and not (side >= 0).any():
        raise too_few(len(present), len(shares))
    if not len(present):
        return side
    given = unit_sizes(np.where(loose, -1, side), columns, len(shares))
    waiting = np.full(len(rows), -1, np.int64)
    waiting[loose] = compact
    sizes = unit_sizes(waiting, columns, len(present))
    order = drawn_order(names[present].set_axis(range(len(present))), sizes, seed)
    side = side.copy()
    side[loose] = fill(sizes, order, shares, given)[compact]
    return side
