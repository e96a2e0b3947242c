"""Tables as others write them: read from any format, their cells as text, their names checked."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from deepfake_lightning.errors import TableError
from deepfake_lightning.schemas.predictions import COLUMNS
from deepfake_lightning.schemas.table import and_more, first_line, read_table

RESERVED = frozenset({column.name for column in COLUMNS} | {"faces", "tracks", "group"})
"""Names that mean something of their own in predictions, or in the levels made of them."""


def read_cells(path: Path) -> pd.DataFrame:
    """Return a table of any columns (CSV, Parquet, or JSON: a list of rows).

    Raises:
        TableError: it is missing, cannot be read, or has a column twice.
    """
    suffix = path.suffix.lower()
    frame = _read_json(path) if suffix == ".json" else read_table(path)
    frame.columns = [str(name) for name in frame.columns]
    names = _header(path) if suffix == ".csv" else list(frame.columns)
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise TableError(
            f"{path}: two columns are called {twice!r}", next_step="rename or remove one"
        )
    return frame


def _header(path: Path) -> list[str]:
    """Return the names of a CSV's columns as they are written: pandas numbers doubles."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [name.strip() for name in next(csv.reader(file), [])]


def _read_json(path: Path) -> pd.DataFrame:
    # Not pandas' reader, which takes names for numbers and milliseconds for dates.
    try:
        records = json.loads(path.read_text("utf-8-sig"))
        if not isinstance(records, list) or not all(isinstance(row, dict) for row in records):
            raise ValueError('it is no list of rows, [{"id": ..., "score": ...}, ...]')
    except FileNotFoundError as error:
        raise TableError(f"{path} does not exist", next_step="check the path") from error
    except (ValueError, OSError, RecursionError) as error:
        raise TableError(
            f"{path} cannot be read: {str(error)[:300]}", next_step="write it anew"
        ) from error
    names = list(dict.fromkeys(name for row in records for name in row))
    # As objects: a column of whole numbers stays so where some are missing.
    columns = {name: [row.get(name) for row in records] for name in names}
    return pd.DataFrame(
        {name: pd.Series(cells, dtype=object) for name, cells in columns.items()}, columns=names
    )


def as_text(cells: pd.Series) -> pd.Series:
    """Return cells as text, missing ones missing: whole numbers without a fraction, lists as JSON.

    Text is left as it is, whatever a spreadsheet would make of it.
    """
    if isinstance(cells.dtype, pd.StringDtype):
        return cells.astype("string")
    return pd.Series([_text(cell) for cell in cells], index=cells.index, dtype="string")


def _text(cell: Any) -> str | None:
    if isinstance(cell, list | tuple | dict) or (hasattr(cell, "tolist") and cell.ndim > 0):
        plain = cell.tolist() if hasattr(cell, "tolist") else cell
        return json.dumps(plain, default=str, ensure_ascii=False)
    if cell is None or pd.isna(cell):
        return None
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    # Half a character, which JSON can spell, can be written to no file.
    return str(cell).encode("utf-8", "replace").decode()


def scalars(cells: pd.Series) -> pd.Series:
    """Return cells as they are, those that hold several values as text: they can be grouped."""
    if cells.dtype != object:
        return cells
    kinds = {type(cell) for cell in cells if cell is not None and not _is_missing(cell)}
    plain = len(kinds) <= 1 and all(kind in (str, int, float, bool) for kind in kinds)
    return cells if plain else as_text(cells)


def _is_missing(cell: object) -> bool:
    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))


def unknown_column(path: Path, name: str, there: Collection[str]) -> TableError:
    """Return the error of a column that a table does not have."""
    near = get_close_matches(name.casefold(), [each.casefold() for each in there], n=1, cutoff=0.6)
    meant = [each for each in there if near and each.casefold() == near[0]]
    listed = ", ".join(there) or "none"
    return TableError(
        f"{path} has no column {name!r}" + (f": is {meant[0]!r} meant?" if meant else ""),
        why=f"its columns are {listed}{odd_header(there)}",
        next_step="name one of them",
    )


def odd_header(there: Collection[str]) -> str:
    """Return what looks wrong with the names of columns, or nothing."""
    names = list(there)
    if len(names) == 1 and any(sign in names[0] for sign in ";\t|"):
        return ", which looks like several: separate them by commas"
    if any(_is_number(name) for name in names):
        return "; the first line is the header, and this one holds numbers: add a header"
    return ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def cell_error(
    path: Path, wrong: pd.Series, column: str, fault: str, next_step: str, why: str = ""
) -> TableError:
    """Return the error of some cells, that names the first.

    Args:
        path: the table.
        wrong: bool, by the index of the table.
        column: the name of theirs.
        fault: what is wrong, after the column's name.
        next_step: as of the error.
        why: as of the error.
    """
    where = f"{path}, row {first_line(wrong)}, column {column}"
    return TableError(f"{where}: {fault}{and_more(wrong, 'rows')}", why=why, next_step=next_step)
