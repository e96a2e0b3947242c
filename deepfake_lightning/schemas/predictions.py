"""The predictions table: one row per scored face, and one for every item without a score."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from deepfake_lightning.schemas.table import Column, check_table, read_table, write_table

STATUSES = ("ok", "no_face", "unreadable")

COLUMNS = (
    Column("schema", "Int64", required=True, allowed=(1,)),
    Column("path", "string", required=True),
    Column("video_id", "string", required=True),
    Column("group_id", "string"),
    Column("dataset", "string"),
    Column("method", "string"),
    Column("compression", "string"),
    Column("track_id", "Int64"),
    Column("frame", "Int64"),
    Column("timestamp_ms", "Int64"),
    Column("label", "Int64", allowed=(0, 1)),
    Column("logit", "Float64"),
    Column("version", "string"),
    Column("status", "string", required=True, allowed=STATUSES),
)


def predictions_rows(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the table checked and typed.

    ``logit`` is z_fake - z_real in natural log-odds, empty unless ``status`` is ``ok``:
    an item without a face or that cannot be read is a row, never a gap.

    Raises:
        TableError: file, row and column of what is wrong.
    """
    return check_table(frame.reset_index(drop=True), COLUMNS, path)


def read_predictions(path: Path) -> pd.DataFrame:
    """Read and check a predictions table (CSV or Parquet)."""
    return predictions_rows(read_table(path), path)


def write_predictions(path: Path, frame: pd.DataFrame) -> None:
    """Check and write a predictions table (CSV or Parquet, by suffix), atomically."""
    write_table(path, predictions_rows(frame.assign(schema=1), path))
