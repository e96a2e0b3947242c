"""The finest units that can be told apart: people, each with the clips that show them alone.

Where fakes tie everybody to everybody, the components of the identity graph are useless. Then
people are put into splits, and a fake of two people is kept where both stand in one split.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from deepfake_lightning.data.splits.identities import (
    IntArray,
    components,
    identity_nodes,
    item_codes,
)


class People(NamedTuple):
    """The units of a table.

    Attributes:
        units: int64 [3, rows], the units that a row needs on one side: of its group, of its
            target and of its source; -1 where it needs none.
        names: a name of each unit, which depends neither on the order of the rows nor, where
            there is one data set only, on its name.
        items: int64 [rows], the media item a row belongs to; an item is kept whole.
        umbrella: bool [rows], the row's group names several people and no clip.
    """

    units: IntArray
    names: pd.Series
    items: IntArray
    umbrella: np.ndarray


def find_people(rows: pd.DataFrame) -> People:
    """Return the units of a table: a person, the clips of that person and their groups.

    A row is tied to one person, its *anchor*: the target or, where that is unknown, the source.
    A group is a node as long as it can be a clip. Where its rows have several anchors, and each
    has one, it is an umbrella (the name of a whole component): its people are told by name, so
    that nothing is lost when it is taken apart. An item with several anchors ties them.
    """
    nodes, known = identity_nodes(rows)
    group, target, source = nodes
    anchor = np.where(target >= 0, target, source)
    umbrella = _umbrellas(group, anchor, len(known))[group]
    group = np.where(umbrella, -1, group)
    items = item_codes(rows)
    item_nodes = items + len(known)
    size = len(known) + int(items.max(initial=-1)) + 1
    unit = components(size, (group, anchor), (item_nodes, anchor), (item_nodes, group))
    used = np.stack([np.where(nodes_ >= 0, unit[nodes_], -1) for nodes_ in (group, target, source)])
    present, compact = np.unique(used, return_inverse=True)
    compact = compact.reshape(used.shape) - int(present[0] == -1)
    names = unit_names(rows, compact)
    return People(compact.astype(np.int64), names, items, umbrella)


def _umbrellas(group: IntArray, anchor: IntArray, size: int) -> np.ndarray:
    """Return bool [size]: the groups with several anchors and no row without one."""
    pairs = np.unique(group * (size + 1) + anchor + 1)
    several = np.bincount(pairs // (size + 1), minlength=size) > 1
    several[group[anchor < 0]] = False
    return several


def unit_names(rows: pd.DataFrame, units: IntArray) -> pd.Series:
    """Return the least name of each unit's people, or else of its groups, indexed by unit.

    The name of a single data set is its folder's, as a rule: it is left out, so that a folder
    that was moved or copied has the splits it had.
    """
    dataset = rows["dataset"].astype("string")
    single = rows["dataset"].nunique() == 1
    prefix = "" if single else dataset + "/"
    groups = rows["group_id"].astype("string")
    if single and len(rows):
        groups = groups.str.removeprefix(f"{dataset.iloc[0]}/")
    # Names of people sort before those of groups.
    shown = ["1:" + prefix + groups] + [
        "0:" + prefix + rows[column].astype("string") for column in ("target_id", "source_id")
    ]
    table = pd.DataFrame({
        "unit": units.ravel(),
        "name": pd.concat(shown, ignore_index=True),
    }).dropna()  # fmt: skip
    return table[table["unit"] >= 0].groupby("unit")["name"].min()
