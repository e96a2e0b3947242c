"""One data set taken apart: its people into splits, fakes of two splits into quarantine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake_lightning.data.splits.drawing import drawn_order, strata
from deepfake_lightning.data.splits.exchange import Fakes
from deepfake_lightning.data.splits.identities import IntArray, components
from deepfake_lightning.data.splits.partition import divide
from deepfake_lightning.data.splits.people import People, find_people

QUARANTINED, LOOSE = -1, -2
_WITHIN = "#"  # between an umbrella group's name and that of the part a split keeps of it


@dataclass(frozen=True)
class Apart:
    """A data set taken apart.

    Attributes:
        side: int64 [rows], the number of the split, ``QUARANTINED``, or ``LOOSE`` for rows that
            no fake ties to other people: they can go anywhere with their unit.
        units: int64 [rows], the unit of each loose row, -1 of others.
        names: of the units.
        groups: string [rows], the group of each row, renamed where the old one names people of
            several splits.
        people: how many each split got.
        ties, kept: media of two people, and how many of them stand in a split.
    """

    side: IntArray
    units: IntArray
    names: pd.Series
    groups: pd.Series
    people: list[int]
    ties: int
    kept: int

    @property
    def expected(self) -> float:
        """The share of fakes that a random choice of people would keep: the sum of p squared."""
        total = sum(self.people)
        return sum((count / total) ** 2 for count in self.people)


def take_apart(rows: pd.DataFrame, shares: list[float], seed: int) -> Apart | None:
    """Divide the people of a data set among splits.

    Returns:
        None where fakes tie fewer people than there are splits: there is nothing to divide.
    """
    found = find_people(rows)
    held = _holding(rows, found)
    tied = held.loc[held["several"], "unit"].unique()
    if len(tied) < len(shares):
        return None
    names = found.names[np.sort(tied)]
    order = drawn_order(names, np.zeros((int(found.names.index.max()) + 1, 1)), seed)
    chosen = divide(_fakes(rows, held, order), shares)
    unit_side = np.full(int(found.names.index.max()) + 1, LOOSE, np.int64)
    unit_side[order] = chosen
    side = _row_sides(found, unit_side)
    ties = np.unique(held.loc[held["several"], "item"])
    lost = np.unique(found.items[side == QUARANTINED])
    return Apart(
        side,
        np.where(side == LOOSE, found.units.max(axis=0), -1),
        found.names,
        _renamed(rows, found, side),
        np.bincount(chosen, minlength=len(shares)).tolist(),
        len(ties),
        len(ties) - int(np.isin(ties, lost).sum()),
    )


def _holding(rows: pd.DataFrame, found: People) -> pd.DataFrame:
    """Return which units each item shows, a row each; ``several``: it shows more than one."""
    pairs = np.unique(
        np.concatenate([
            (found.items * len(found.names) + unit)[unit >= 0] for unit in found.units
        ])
    )  # fmt: skip
    held = pd.DataFrame({"item": pairs // len(found.names), "unit": pairs % len(found.names)})
    held["several"] = held["item"].duplicated(keep=False)
    kinds = strata(rows)[1]
    first = np.unique(found.items, return_index=True)[1]
    held["kind"] = np.unique(kinds[first], return_inverse=True)[1][held["item"]]
    return held


def _fakes(rows: pd.DataFrame, held: pd.DataFrame, order: list[int]) -> Fakes:
    """Return what the people hold alone and in pairs, numbered in an order."""
    number = pd.Series(np.arange(len(order)), index=order)
    held = held.assign(unit=held["unit"].map(number)).dropna()
    held["unit"] = held["unit"].astype(np.int64)
    people, width = len(order), int(held["kind"].max()) + 1
    alone, several = held[~held["several"]], held[held["several"]]
    own = np.zeros((people, width))
    np.add.at(own, (alone["unit"], alone["kind"]), 1.0)
    pairs = several.merge(several[["item", "unit"]], on="item", suffixes=("", "_other"))
    pairs = pairs[pairs["unit"] < pairs["unit_other"]]
    weight = 1.0 / pairs.groupby("item")["unit"].transform("size")
    codes, known = pd.factorize(pairs["unit"] * people + pairs["unit_other"], sort=True)
    counts = np.zeros((len(known), width))
    np.add.at(counts, (codes, pairs["kind"]), weight)
    known = np.asarray(known, np.int64)
    return Fakes(own, known // people, known % people, counts)


def _row_sides(found: People, unit_side: IntArray) -> IntArray:
    """Return the side of each row; an item with people of two sides is quarantined whole."""
    sides = np.where(found.units >= 0, unit_side[found.units], LOOSE - 1)
    highest = sides.max(axis=0)
    lowest = np.where(sides > LOOSE - 1, sides, np.iinfo(np.int64).max).min(axis=0)
    count = int(found.items.max()) + 1
    top, bottom = np.full(count, LOOSE), np.full(count, np.iinfo(np.int64).max)
    np.maximum.at(top, found.items, highest)
    np.minimum.at(bottom, found.items, lowest)
    item_side: NDArray[np.int64] = np.where(top == bottom, top, QUARANTINED)
    return item_side[found.items]


def _renamed(rows: pd.DataFrame, found: People, side: IntArray) -> pd.Series:
    """Return groups in which an umbrella is followed by whom a split keeps of it."""
    groups = rows["group_id"].astype("string")
    here = found.umbrella & (side != QUARANTINED)
    if not here.any():
        return groups
    kept = found.units[:, side != QUARANTINED]
    part = components(len(found.names), (kept[0], kept[1]), (kept[0], kept[2]), (kept[1], kept[2]))
    least = found.names.str[2:].groupby(part[found.names.index]).min()
    owner = part[found.units.max(axis=0)]
    new = groups.str.split(_WITHIN).str[0] + _WITHIN + pd.Series(owner, rows.index).map(least)
    return groups.where(~here, new)
