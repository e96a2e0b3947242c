"""Items of several tables matched by name, into one list of all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake_lightning.errors import DataError

STATES = ("ok", "no_face", "unreadable", "absent")
_ABSENT = STATES.index("absent")


@dataclass(frozen=True, eq=False)
class AllItems:
    """The U items that any of S tables has, those of the first table first.

    Attributes:
        names: [U].
        state: int64 [S, U], what became of an item there, by place in :data:`STATES`.
        label, group: int64 [S, U], -1 where unknown.
        logit: float64 [S, U], NaN without a score.
    """

    names: NDArray[Any]
    state: NDArray[np.int64]
    label: NDArray[np.int64]
    group: NDArray[np.int64]
    logit: NDArray[np.float64]


def _folder_and_name(items: pd.DataFrame) -> pd.Series:
    parts = items["path"].astype("string").str.replace("\\", "/").str.split("/")
    return parts.str[-2:].str.join("/").str.replace(r"\.[^./]+$", "", regex=True)


def _file_name(items: pd.DataFrame) -> pd.Series:
    return _folder_and_name(items).str.rpartition("/")[2]


_KEYS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "video_id": lambda items: items["video_id"].astype("string"),
    "path": lambda items: items["path"].astype("string"),
    "folder and file name": _folder_and_name,
    "file name": _file_name,
}
"""From the surest to the least sure; the first by which two tables share anything is taken."""


def places(
    first: pd.DataFrame, other: pd.DataFrame, name: str
) -> tuple[str, NDArray[np.int64], int]:
    """Return by what two tables match, the row in ``first`` of each of ``other``, and doubles.

    A row is -1 where there is none. Doubles are rows whose name stands more than once.
    """
    for key, of in _KEYS.items():
        ours, theirs = of(first), of(other)
        double = theirs.duplicated(keep=False).to_numpy(bool)
        once = np.flatnonzero(~ours.duplicated(keep=False).to_numpy(bool))
        at = pd.Index(ours.iloc[once]).get_indexer(pd.Index(theirs))
        at[double | theirs.isna().to_numpy(bool)] = -1
        if (at >= 0).any():
            rows = np.where(at >= 0, once[at], -1).astype(np.int64)
            return key, rows, int((double & theirs.isin(ours).to_numpy(bool)).sum())
    raise DataError(
        f"{name} has no item in common with the first detector: neither video_id nor path or"
        f" file name is shared (here {_example(other)}, there {_example(first)})",
        why="detectors are compared on the same items",
        next_step="score both on the same data, or give the items the same names",
    )


def _example(items: pd.DataFrame) -> str:
    return f"{items['video_id'].iloc[0]!s}" if len(items) else "none"


def all_items(
    tables: Sequence[pd.DataFrame],
    logits: Sequence[NDArray[np.float64]],
    found: Sequence[NDArray[np.int64]],
) -> AllItems:
    """Return all items of tables, of which ``found`` has the rows in the first table."""
    count = len(tables[0])
    extra = [
        table["video_id"].astype(str).to_numpy(object)[at < 0]
        for table, at in zip(tables, found, strict=True)
    ]
    code, others = pd.factorize(np.concatenate(extra))
    names = np.concatenate([tables[0]["video_id"].astype(str).to_numpy(object), others])
    shape = (len(tables), len(names))
    state = np.full(shape, _ABSENT)
    label, group = np.full(shape, -1), np.full(shape, -1)
    logit = np.full(shape, np.nan)
    order = {status: place for place, status in enumerate(STATES)}
    start = 0
    for row, (table, at) in enumerate(zip(tables, found, strict=True)):
        new = int((at < 0).sum())
        at = at.copy()
        at[at < 0] = count + code[start : start + new]
        start += new
        state[row, at] = table["status"].map(order).to_numpy(np.int64)
        label[row, at] = table["label"].fillna(-1).to_numpy(np.int64)
        group[row, at] = table["group"].to_numpy(np.int64)
        logit[row, at] = logits[row]
    return AllItems(names, state, label, group, logit)
