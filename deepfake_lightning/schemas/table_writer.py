"""Predictions tables of any length, written row by row."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Protocol, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from deepfake_lightning.errors import TableError
from deepfake_lightning.schemas.predictions import COLUMNS, predictions_rows
from deepfake_lightning.schemas.table import SUFFIXES, Column, csv_text
from deepfake_lightning.storage import atomic_write

FORMATS = (*SUFFIXES, ".json")
_ROWS_AT_A_TIME = 50_000


def write_predictions(path: Path, frame: pd.DataFrame) -> None:
    """Check and write a predictions table (CSV, Parquet or JSON, by suffix), atomically."""
    with TableWriter(path) as writer:
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


class TableWriter:
    """Writes a table of any length, atomically: at its end it is there, or nothing.

    Args:
        path: CSV, Parquet or JSON (a list of rows), by suffix.
        columns: its columns, in order.
        check: returns rows checked and typed.

    Raises:
        TableError: the suffix is another, or rows break the schema.
        StorageError: the disk refused.
    """

    def __init__(
        self,
        path: Path,
        columns: tuple[Column, ...] = COLUMNS,
        check: Callable[[pd.DataFrame, Path], pd.DataFrame] = predictions_rows,
    ) -> None:
        check_format(path)
        self._path, self._columns, self._check = path, columns, check
        self._stack = ExitStack()
        self._waiting: list[dict[str, Any]] = []
        self._write: Callable[[pd.DataFrame], None] = lambda rows: None
        self._end: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        file = self._stack.enter_context(atomic_write(self._path))
        rows = _KINDS[self._path.suffix.lower()](file, self._columns)
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
        self._write(self._check(rows, self._path))

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
    def __init__(self, file: IO[bytes], columns: tuple[Column, ...]) -> None: ...

    def append(self, rows: pd.DataFrame) -> None: ...

    def close(self) -> None: ...


class _CsvRows:
    def __init__(self, file: IO[bytes], columns: tuple[Column, ...]) -> None:
        self._file = file
        file.write(",".join(column.name for column in columns).encode() + b"\n")

    def append(self, rows: pd.DataFrame) -> None:
        self._file.write(csv_text(rows, header=False).encode())

    def close(self) -> None:
        pass


class _ParquetRows:
    def __init__(self, file: IO[bytes], columns: tuple[Column, ...]) -> None:
        kinds = {"string": pa.string(), "Int64": pa.int64(), "Float64": pa.float64()}
        self._schema = pa.schema([(column.name, kinds[column.dtype]) for column in columns])
        self._writer = pq.ParquetWriter(file, self._schema)

    def append(self, rows: pd.DataFrame) -> None:
        table = pa.Table.from_pandas(rows, schema=self._schema, preserve_index=False)
        self._writer.write_table(table.replace_schema_metadata(None))

    def close(self) -> None:
        self._writer.close()


class _JsonRows:
    def __init__(self, file: IO[bytes], columns: tuple[Column, ...]) -> None:
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
