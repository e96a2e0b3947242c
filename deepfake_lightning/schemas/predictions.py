"""The predictions table: one row per scored face, and one for every item without a score."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from deepfake_lightning.errors import TableError
from deepfake_lightning.schemas.manifest import STATUSES
from deepfake_lightning.schemas.table import (
    Column,
    and_more,
    check_table,
    first_line,
    read_table,
)

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
    Column("bundle", "string"),
    Column("status", "string", required=True, allowed=STATUSES),
    Column("reason", "string"),
)


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
