"""Columns with types and rules; errors that name the file, the row and the column."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from deepfake_lightning.errors import TableError
from deepfake_lightning.storage import atomic_write

SUFFIXES = (".csv", ".parquet")
_LARGEST_WHOLE = 2.0**53  # beyond it numbers pass through floating point with loss


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        name: its name in the file.
        dtype: pandas' nullable type it is converted to (``string``, ``Int64``, ``Float64``).
        required: the file must have it and no cell of it may be empty.
        allowed: the values it may hold; any, where None.
        rule: a function from a converted cell to None or to what is wrong with it.
    """

    name: str
    dtype: Literal["string", "Int64", "Float64"]
    required: bool = False
    allowed: tuple[object, ...] | None = None
    rule: Callable[[object], str | None] | None = None


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet file, every CSV cell as text (empty is missing).

    The index counts a CSV's lines from the one below the header, with gaps where lines are
    blank, so that messages name the line that an editor shows.

    Raises:
        TableError: the file is missing, empty, not of a known type, or not readable.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise TableError(
            f"{path} is neither CSV nor Parquet", next_step=f"use one of {', '.join(SUFFIXES)}"
        )
    try:
        if path.suffix.lower() == ".csv":
            return _read_csv(path)
        return pd.read_parquet(path).reset_index(drop=True)
    except FileNotFoundError as error:
        raise TableError(f"{path} does not exist", next_step="check the path") from error
    except pd.errors.EmptyDataError as error:
        raise TableError(f"{path} is empty", next_step="write at least a header row") from error
    except (ValueError, OSError, pd.errors.ParserWarning) as error:
        raise TableError(
            f"{path} cannot be read: {str(error).strip()}",
            next_step="check that the file is whole and each row has as many cells as the header",
        ) from error


def _read_csv(path: Path) -> pd.DataFrame:
    with warnings.catch_warnings():
        # Where the first rows are longer than the header, pandas drops cells with a warning.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        frame = pd.read_csv(
            path,
            dtype="string",
            keep_default_na=False,
            na_values=[""],
            skip_blank_lines=False,
            index_col=False,
        )
    return frame.rename(columns=str.strip).dropna(how="all")


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as CSV or Parquet (by suffix), atomically."""
    buffer = io.BytesIO()
    if path.suffix.lower() == ".csv":
        buffer.write(csv_text(frame).encode())
    else:
        frame.to_parquet(buffer, index=False)
    with atomic_write(path) as file:
        file.write(buffer.getbuffer())


def csv_text(frame: pd.DataFrame, *, header: bool = True) -> str:
    """Return a table as CSV, in a way that every reader splits into the same rows."""
    text = str(frame.to_csv(index=False, header=header, lineterminator="\n"))
    if "\r" not in text:
        return text
    # It is not quoted of itself, and ends a line for those who read.
    quoting = csv.QUOTE_NONNUMERIC
    return str(frame.to_csv(index=False, header=header, lineterminator="\n", quoting=quoting))


def check_table(frame: pd.DataFrame, columns: tuple[Column, ...], path: Path) -> pd.DataFrame:
    """Return ``frame`` with the declared columns, in order, typed; unknown columns are dropped.

    Args:
        frame: as :func:`read_table` returns it; its index counts lines below the header.
        columns: what is declared.
        path: the file, for messages.

    Raises:
        TableError: a column is missing, or a cell is empty, mistyped or not allowed;
            the message has the file, the line (1 is the header) and the column.
    """
    missing = [c.name for c in columns if c.required and c.name not in frame.columns]
    if missing:
        raise TableError(
            f"{path}: missing column {', '.join(missing)}",
            why=f"it has {', '.join(map(str, frame.columns)) or 'no columns'}",
            next_step=f"add the column{'s' if len(missing) > 1 else ''} to the header",
        )
    return pd.DataFrame(
        {column.name: _checked(frame, column, path) for column in columns}, index=frame.index
    )


def _checked(frame: pd.DataFrame, column: Column, path: Path) -> pd.Series:
    if column.name not in frame.columns:
        return pd.Series(pd.NA, index=frame.index, dtype=column.dtype)
    values = _converted(frame[column.name], column, path)
    if column.required and (empty := values.isna()).any():
        raise _cell_error(path, empty, column, "is empty", "fill it in")
    if column.allowed is not None:
        strange = values.notna() & ~values.isin(list(column.allowed))
        if strange.any():
            found = values[strange].iloc[0]
            shown = repr(found) if isinstance(found, str) else found  # not np.int64(2)
            raise _cell_error(path, strange, column, f"is {shown}", _wanted(column))
    if column.rule is not None:
        faults = values.dropna().map(column.rule).dropna()
        if len(faults):
            wrong = pd.Series(values.index.isin(faults.index[:1]), index=values.index)
            raise _cell_error(path, wrong, column, str(faults.iloc[0]), "correct the cell")
    return values


def _converted(values: pd.Series, column: Column, path: Path) -> pd.Series:
    if column.dtype == "string":
        return values.astype("string")
    numbers = pd.to_numeric(values, errors="coerce").astype("Float64")
    limit = _LARGEST_WHOLE if column.dtype == "Int64" else float("inf")
    wrong = values.notna() & (numbers.isna() | (numbers.abs() >= limit).fillna(False))
    if column.dtype == "Int64":
        wrong = wrong | (numbers != numbers.round()).fillna(False)
    if wrong.any():
        found = values[wrong].iloc[0]
        raise _cell_error(path, wrong, column, f"is {found!r}", _wanted(column))
    typed: pd.Series = numbers.astype(column.dtype)
    return typed


def _wanted(column: Column) -> str:
    if column.allowed is not None:
        return f"use one of {', '.join(map(str, column.allowed))}"
    return "write a whole number" if column.dtype == "Int64" else "write a finite number"


def _cell_error(
    path: Path, wrong: pd.Series, column: Column, fault: str, next_step: str
) -> TableError:
    where = f"{path}, row {first_line(wrong)}, column {column.name}"
    return TableError(f"{where}: {fault}{and_more(wrong, 'rows')}", next_step=next_step)


def first_line(wrong: pd.Series) -> int:
    """Return the line of the first true row: one for the header, one to count from 1."""
    return int(wrong.index[int(wrong.to_numpy(dtype=bool).argmax())]) + 2


def and_more(wrong: pd.Series, what: str) -> str:
    """Return `` (and 3 more rows)`` for the true rows after the first, or nothing."""
    count = int(wrong.sum()) - 1
    return f" (and {count} more {what})" if count else ""
