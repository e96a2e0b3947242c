"""Labels from a file: CSV, JSON lines or Parquet, each row with its place and its faults."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from deepfake_lightning.errors import DataError, UsageError
from deepfake_lightning.monitoring.review.giving import faults_of

MOST_ROWS, MOST_BYTES = 100_000, 100 << 20
COLUMNS = ("request_id", "label", "by", "note", "time")
NOT_READ = ("state", "environment", "version", "media_type", "media", "came")
"""Columns that ``feedback list --out`` writes for who fills it in."""
_LABELS = {"real": 0, "fake": 1, "cannot tell": -1, "0": 0, "1": 1, "-1": -1}
_SUFFIXES = ".csv, .jsonl, .ndjson or .parquet"


@dataclass(frozen=True)
class LabelRow:
    """A row of a file.

    Attributes:
        place: its line in the file, or its number in a Parquet file, from 1.
        request_id: of the request.
        label: 0 real, 1 fake, -1 cannot tell.
        by: who says so.
        note: how that is known.
        time_us: when it was said, microseconds since 1970, UTC; None: not told.
    """

    place: int
    request_id: str
    label: int
    by: str
    note: str | None = None
    time_us: int | None = None


@dataclass(frozen=True)
class LabelsFile:
    """What is in a file.

    Attributes:
        rows: that can be read.
        faults: places of the others, and what is wrong with each.
        empty: how many rows have no label yet.
    """

    rows: tuple[LabelRow, ...]
    faults: tuple[tuple[int, str], ...]
    empty: int


def read_labels(path: Path, by: str | None = None) -> LabelsFile:
    """Return what a file says.

    Args:
        path: ``.csv``, ``.jsonl`` (``.ndjson``) or ``.parquet`` with the columns request_id,
            label (real, fake, cannot tell; 0, 1, -1) and by; note and time (RFC 3339, with its
            zone) may be there. Rows without a label are passed over.
        by: who says so, in rows that do not name anybody.

    Raises:
        UsageError: a file of another kind, too large a one, or one with unknown or missing columns.
        DataError: a file that cannot be read.
    """
    rows, faults, empty = [], [], 0
    for place, found in _records(path):
        if isinstance(found, str):
            faults.append((place, found))
            continue
        if not _text(found.get("label")):
            empty += 1
            continue
        row = _row(place, found, by)
        if isinstance(row, str):
            faults.append((place, row))
        else:
            rows.append(row)
    return LabelsFile(tuple(rows), tuple(faults), empty)


def _row(place: int, found: Mapping[str, Any], by: str | None) -> LabelRow | str:
    """Return a row, or what is wrong with it."""
    name, said = _text(found.get("request_id")), _text(found.get("label"))
    if not name or len(name) > 64:
        return "no request_id" if not name else "a request_id of more than 64 letters"
    label = _LABELS.get(said.lower().replace("_", " "))
    if label is None:
        return f"the label {said[:40]!r} is none of real, fake, cannot tell"
    who, note = _text(found.get("by")) or (by or "").strip(), _text(found.get("note")) or None
    for fault in faults_of(label, who, note):
        return fault
    time_us = _time_us(found.get("time"))
    return time_us if isinstance(time_us, str) else LabelRow(place, name, label, who, note, time_us)


def _time_us(given: Any) -> int | str | None:
    """Return a time, None without one, or what is wrong with it."""
    if given is None or not str(given).strip():
        return None
    try:
        time = given if isinstance(given, datetime) else datetime.fromisoformat(str(given).strip())
    except ValueError:
        return f"the time {str(given)[:40]!r} is not one like 2026-01-31T09:00:00Z"
    if time.tzinfo is None:
        return f"the time {str(given)[:40]!r} has no zone: 2026-01-31T09:00:00Z"
    since = time.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():  # an empty cell makes a column of floats
        value = int(value)
    return "" if value is None or value != value else str(value).strip()


def _records(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    readers = {".csv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines, ".parquet": _parquet}
    read = readers.get(path.suffix.lower())
    if read is None:
        raise UsageError(
            f"{path} is no file of labels", next_step=f"let its name end in {_SUFFIXES}"
        )
    try:
        if path.stat().st_size > MOST_BYTES:
            raise _too_large(path)
        records = read(path)
        yield from islice(records, MOST_ROWS)
        if next(records, None) is not None:
            raise _too_large(path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}", next_step="check its path"
        ) from error
    except (ValueError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read: {error}", next_step=f"write it as UTF-8: {_SUFFIXES}"
        ) from error


def _csv(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, restkey="", strict=True)
        _check_columns(path, reader.fieldnames or ())
        for found in reader:
            more = "more cells than the first line has" if "" in found else None
            yield reader.line_num, more or found


def _json_lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    with path.open(encoding="utf-8") as file:
        for place, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                yield place, "no JSON"
                continue
            if not isinstance(found, dict):
                yield place, "no JSON object"
                continue
            unknown = sorted(found.keys() - {*COLUMNS, *NOT_READ})
            yield place, f"unknown key {unknown[0]!r}" if unknown else found


def _parquet(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        _check_columns(path, file.schema_arrow.names)
        place = 0
        for batch in file.iter_batches(batch_size=1000):
            for found in batch.to_pylist():
                place += 1
                yield place, found


def _check_columns(path: Path, names: Any) -> None:
    missing = [name for name in ("request_id", "label") if name not in names]
    unknown = [name for name in names if name not in {*COLUMNS, *NOT_READ}]
    if missing or unknown:
        what = f"has no column {missing[0]!r}" if missing else f"has a column {unknown[0]!r}"
        raise UsageError(
            f"{path} {what}", why=f"columns are {', '.join(COLUMNS)}",
            next_step="name them so in the first line; note and time may be left out",
        )  # fmt: skip


def _too_large(path: Path) -> UsageError:
    return UsageError(
        f"{path} has more than {MOST_ROWS:,} rows, or {MOST_BYTES >> 20} MiB",
        why="a file is imported as a whole or not at all",
        next_step="cut it into several",
    )
