"""Who stands in which row: the identity graph, and the people in it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

IntArray = NDArray[np.int64]


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


def identity_nodes(rows: pd.DataFrame) -> tuple[IntArray, pd.Index]:
    """Return the names of each row as numbers, int64 [3, rows] (-1: none), and the names."""
    names = pd.concat(identity_names(rows), ignore_index=True)
    codes, found = pd.factorize(names, use_na_sentinel=True)
    return np.asarray(codes, np.int64).reshape(3, len(rows)), pd.Index(found)


def identity_groups(rows: pd.DataFrame) -> IntArray:
    """Return each row's component of the identity graph, int64 [rows].

    Nodes are groups and identities; every row ties its group, its target and its source
    together. A fake has two identities, and both count.
    """
    nodes, names = identity_nodes(rows)
    found = components(len(names), (nodes[0], nodes[1]), (nodes[0], nodes[2]))
    return np.asarray(found[nodes[0]], np.int64)


def item_groups(rows: pd.DataFrame) -> IntArray:
    """Return each row's component, int64 [rows], where an item also ties its rows together."""
    nodes, names = identity_nodes(rows)
    items = item_codes(rows) + len(names)
    size = max(len(names), int(items.max(initial=-1)) + 1)
    ties = ((nodes[0], nodes[1]), (nodes[0], nodes[2]), (nodes[0], items))
    return np.asarray(components(size, *ties)[nodes[0]], np.int64)


def item_codes(rows: pd.DataFrame) -> IntArray:
    """Return the number of the media item of each row, int64 [rows]."""
    names = rows["dataset"].astype("string") + "/" + rows["video_id"].astype("string")
    return np.asarray(pd.factorize(names)[0], np.int64)


def components(size: int, *ties: tuple[IntArray, IntArray]) -> IntArray:
    """Return the component of each node, int64 [size].

    Args:
        size: how many nodes there are.
        ties: pairs of int64 [n]: nodes that belong together; -1 is no node.
    """
    known = [(left[ok], right[ok]) for left, right in ties for ok in [(left >= 0) & (right >= 0)]]
    left, right = (np.concatenate(side) for side in zip(*known, strict=True))
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)
