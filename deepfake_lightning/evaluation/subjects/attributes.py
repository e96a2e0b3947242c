"""What else is known of items (camera, light, skin tone, ...), joined to their scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from deepfake_lightning.errors import DataError, TableError
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.evaluation.subjects.cells import (
    RESERVED,
    as_text,
    cell_error,
    odd_header,
    read_cells,
    scalars,
)

# Column of the table -> column of predictions that it is matched with, the surest first.
_KEYS = {"video_id": "video_id", "id": "video_id", "path": "path"}


def with_attributes(subject: Subject, path: Path) -> Subject:
    """Return a subject whose predictions have the columns of a table, by which groups are made.

    Args:
        subject: what was scored.
        path: a table (CSV, Parquet, JSON) with a column ``video_id``, ``id`` (the same) or
            ``path``, and further ones. Those that predictions have already are not used, and
            that is noted, as are items of which it says nothing.

    Raises:
        TableError: it names no items or says nothing of them, names one twice, or says two things
            of one.
        DataError: it is of other items.
    """
    frame = read_cells(path)
    key = next((name for name in _KEYS if name in frame.columns), None)
    if key is None:
        raise TableError(
            f"{path}: no column says which item a row is of",
            why=f"its columns are {', '.join(frame.columns) or 'none'}"
            f"{odd_header(list(frame.columns))}",
            next_step=f"name the items in a column {' or '.join(_KEYS)}",
        )
    taken, notes = _taken(path, frame, key, subject.predictions)
    keys = _keys(path, frame, key)
    rows = subject.predictions.reset_index(drop=True)
    wanted = rows[_KEYS[key]].astype("string")
    at = pd.Index(keys).get_indexer(pd.Index(wanted))
    if not (at >= 0).any():
        raise DataError(
            f"{path} says nothing of any item that was scored (there {_first(keys)}, "
            f"here {_first(wanted)})",
            next_step="name the items as the predictions table does",
        )
    known = frame[taken].reset_index(drop=True)
    joined = known.iloc[at].mask(pd.Series(at < 0, known.index[at]), axis=0)
    joined = _of_items(path, joined.set_axis(rows.index), rows["video_id"])
    notes += _counts(path, at, rows["video_id"], len(keys))
    return replace(
        subject, predictions=pd.concat([rows, joined], axis=1), notes=(*subject.notes, *notes)
    )


def attribute_columns(path: Path) -> list[str]:
    """Return the columns of a table of attributes that predictions may not have of their own.

    Raises:
        TableError: it cannot be read.
    """
    return [name for name in read_cells(path).columns if name not in {*RESERVED, *_KEYS}]


def _first(names: pd.Series) -> str:
    return repr(names.iloc[0]) if len(names) else "nothing"


def _taken(
    path: Path, frame: pd.DataFrame, key: str, rows: pd.DataFrame
) -> tuple[list[str], list[str]]:
    """Return the columns to join, and what is to be said of the others."""
    own = {*RESERVED, *_KEYS, *map(str, rows.columns)}
    taken = [name for name in frame.columns if name not in own]
    others = [name for name in frame.columns if name in own and name != key]
    if not taken:
        raise TableError(
            f"{path} says nothing of items that predictions do not say",
            why=f"its columns are {', '.join(frame.columns)}",
            next_step="add a column under a name of its own",
        )
    unused = f"not used of {path.name}, since predictions have it: {', '.join(others)}"
    return taken, [unused] if others else []


def _keys(path: Path, frame: pd.DataFrame, key: str) -> pd.Series:
    """Return the name of the item of each row, text without gaps and doubles."""
    keys = as_text(frame[key])
    empty = keys.isna() | (keys.str.strip() == "").fillna(False)
    if empty.any():
        raise cell_error(path, empty, key, "is empty", "name the item of each row")
    twice = keys.duplicated()
    if twice.any():
        fault = f"{keys[twice].iloc[0]!r} stands there already"
        raise cell_error(path, twice, key, fault, "remove one row")
    return keys.reset_index(drop=True)


def _of_items(path: Path, joined: pd.DataFrame, items: pd.Series) -> pd.DataFrame:
    """Return columns that are the same in all rows of an item; refuse those that are not."""
    found = {}
    for name in joined.columns:
        by_item = scalars(joined[name]).groupby(items)
        torn = by_item.nunique() > 1
        if torn.any():
            raise TableError(
                f"{path}, column {name}: pictures of one item, {torn.index[torn][0]}, differ",
                why="an item is in one group",
                next_step="give all of them one value, or name items by video_id",
            )
        found[name] = by_item.transform("first")
    return pd.DataFrame(found, index=joined.index)


def _counts(path: Path, at: object, items: pd.Series, rows: int) -> list[str]:
    """Return what is to be said of items without a row, and of rows without an item."""
    places = pd.Series(at, items.index)
    matched = (places >= 0).groupby(items).any()
    unknown = int((~matched).sum())
    unused = rows - int(places[places >= 0].nunique())
    return [
        *[f"{path.name} says nothing of {unknown:,} of {len(matched):,} items"] * bool(unknown),
        *[f"{path.name} has {unused:,} items that were not scored"] * bool(unused),
    ]
