"""The predictions table: one row per scored face, and one for every item without a score."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Protocol, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from deepfake_lightning.errors import TableError
from deepfake_lightning.schemas.manifest import STATUSES
from deepfake_lightning.schemas.table import (
    SUFFIXES,
    Column,
    and_more,
    check_table,
    first_line,
    read_table,
)
from deepfake_lightning.storage import atomic_write

COLUMNS = (
    Column("schema", "Int64", required=True, allowed=(1,)),
    Column("path", "string", required=True),
    Column("video_id", "string", required=True),
    Column("group_id", "string"),
    Column("dataset", "string"),
    Column("method", "string"),
    Column("compression", "string"),
    Column("media_type", "string", allowed=("image", "video")),
    Column("track_id", "Int64"),
    Column("frame", "Int64"),
    Column("timestamp_ms", "Int64"),
    Column("box", "string"),
    Column("label", "Int64", allowed=(0, 1)),
    Column("logit", "Float64"),
    Column("version", "string"),
    Column("status", "string", required=True, allowed=STATUSES),
    Column("reason", "string"),
)
FORMATS = (*SUFFIXES, ".json")
_ROWS_AT_A_TIME = 50_000


def predictions_rows(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the table checked and typed.

    ``logit`` is z_fake - z_real in natural log-odds, given where ``status`` is ``ok`` and
    only there: an item without a face or that cannot be read is a row, never a gap.

    Args:
        frame: as :func:`~deepfake_lightning.schemas.table.read_table` returns it.
        path: where it comes from, for messages.

    Raises:
        TableError: file, row and column of what is wrong.
    """
    newer = frame["schema"] if "schema" in frame else pd.Series(dtype="string")
    if (pd.to_numeric(newer, errors="coerce") > 1).any():
        raise TableError(
            f"{path}: schema {newer.max()} is newer than this version reads (1)",
            next_step="upgrade deepfake-lightning",
        )
    rows = check_table(frame, COLUMNS, path)
    scored = rows["status"] == "ok"
    wrong = scored != rows["logit"].notna()
    if wrong.any():
        fault = "is empty" if scored[wrong].iloc[0] else "is given"
        raise TableError(
            f"{path}, row {first_line(wrong)}, column logit: {fault} while status is "
            f"{rows.loc[wrong, 'status'].iloc[0]!r}{and_more(wrong, 'rows')}",
            next_step="a scored face has a logit, and nothing else has one",
        )
    return rows.reset_index(drop=True)


def read_predictions(path: Path) -> pd.DataFrame:
    """Read and check a predictions table (CSV, Parquet or JSON)."""
    if path.suffix.lower() != ".json":
        return predictions_rows(read_table(path), path)
    # Not pandas' reader, which takes names for numbers and milliseconds for dates.
    try:
        records = json.loads(path.read_text("utf-8"))
        if not isinstance(records, list) or not all(isinstance(row, dict) for row in records):
            raise ValueError("it is not a list of rows")
    except (ValueError, OSError) as error:
        raise TableError(f"{path} cannot be read: {error}", next_step="check the path") from error
    columns = None if records else [column.name for column in COLUMNS]
    return predictions_rows(pd.DataFrame(records, columns=columns), path)


def write_predictions(path: Path, frame: pd.DataFrame) -> None:
    """Check and write a predictions table (CSV, Parquet or JSON, by suffix), atomically."""
    with PredictionsWriter(path) as writer:
        writer.append(frame)


def check_format(path: Path) -> None:
    """Refuse a name of which the format cannot be told.

    Raises:
        TableError: its suffix is none of :data:`FORMATS`.
    """
    if path.suffix.lower() not in FORMATS:
        raise TableError(
            f"{path} is neither CSV, Parquet nor JSON",
            next_step=f"use one of {', '.join(FORMATS)}",
        )


class PredictionsWriter:
    """Writes a predictions table of any length, atomically: at its end it is there, or nothing.

    Args:
        path: CSV, Parquet or JSON (a list of rows), by suffix.

    Raises:
        TableError: the suffix is another, or rows break the schema.
        StorageError: the disk refused.
    """

    def __init__(self, path: Path) -> None:
        check_format(path)
        self._path = path
        self._stack = ExitStack()
        self._waiting: list[dict[str, Any]] = []
        self._write: Callable[[pd.DataFrame], None] = lambda rows: None
        self._end: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        file = self._stack.enter_context(atomic_write(self._path))
        rows = _KINDS[self._path.suffix.lower()](file)
        self._write, self._end = rows.append, rows.close
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        with self._stack:
            try:
                if error is not None:
                    raise error
                self._flush()
            finally:
                self._end()  # a writer that is left open complains when it is collected

    def append(self, frame: pd.DataFrame) -> None:
        """Write rows, checked."""
        rows = frame.reset_index(drop=True).assign(schema=1)
        self._write(predictions_rows(rows, self._path))

    def add(self, row: dict[str, Any]) -> None:
        """Write a row, some time before the end."""
        self._waiting.append(row)
        if len(self._waiting) >= _ROWS_AT_A_TIME:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self.append(pd.DataFrame(self._waiting))
            self._waiting = []


class _Rows(Protocol):
    def __init__(self, file: IO[bytes]) -> None: ...

    def append(self, rows: pd.DataFrame) -> None: ...

    def close(self) -> None: ...


class _CsvRows:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        file.write(",".join(column.name for column in COLUMNS).encode() + b"\n")

    def append(self, rows: pd.DataFrame) -> None:
        text = self._text(rows, csv.QUOTE_MINIMAL)
        if "\r" in text:  # which is not quoted of itself, and ends a line for those who read
            text = self._text(rows, csv.QUOTE_NONNUMERIC)
        self._file.write(text.encode())

    def _text(self, rows: pd.DataFrame, quoting: int) -> str:
        return str(rows.to_csv(index=False, header=False, lineterminator="\n", quoting=quoting))

    def close(self) -> None:
        pass


class _ParquetRows:
    def __init__(self, file: IO[bytes]) -> None:
        kinds = {"string": pa.string(), "Int64": pa.int64(), "Float64": pa.float64()}
        self._schema = pa.schema([(column.name, kinds[column.dtype]) for column in COLUMNS])
        self._writer = pq.ParquetWriter(file, self._schema)

    def append(self, rows: pd.DataFrame) -> None:
        table = pa.Table.from_pandas(rows, schema=self._schema, preserve_index=False)
        self._writer.write_table(table.replace_schema_metadata(None))

    def close(self) -> None:
        self._writer.close()


class _JsonRows:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._before = b"[\n"

    def append(self, rows: pd.DataFrame) -> None:
        plain = rows.astype(object).where(rows.notna(), None)
        for record in plain.to_dict("records"):
            line = json.dumps(record, ensure_ascii=False, allow_nan=False)
            self._file.write(self._before + line.encode())
            self._before = b",\n"

    def close(self) -> None:
        self._file.write(b"[]\n" if self._before == b"[\n" else b"\n]\n")


_KINDS: dict[str, type[_Rows]] = {".csv": _CsvRows, ".parquet": _ParquetRows, ".json": _JsonRows}
