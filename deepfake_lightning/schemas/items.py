"""The items table: one row for each picture or clip, with its score and verdict."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from deepfake_lightning.schemas.manifest import STATUSES
from deepfake_lightning.schemas.table import Column, check_table

ITEM_COLUMNS = (
    Column("schema", "Int64", required=True, allowed=(1,)),
    Column("item", "string", required=True),
    Column("video_id", "string", required=True),
    Column("media_type", "string", allowed=("image", "video")),
    Column("label", "Int64", allowed=(0, 1)),
    Column("status", "string", required=True, allowed=STATUSES),
    Column("verdict", "string"),
    Column("score", "Float64"),
    Column("logit", "Float64"),
    Column("calibrated", "Int64", allowed=(0, 1)),
    Column("faces", "Int64"),
    Column("tracks", "Int64"),
    Column("frames_examined", "Int64"),
    Column("seconds_examined", "Float64"),
    Column("seconds_in_clip", "Float64"),
    Column("longest_gap", "Float64"),
    Column("version", "string"),
    Column("bundle", "string"),
    Column("reason", "string"),
)
"""The predictions table has the scores of faces; what an item's score is made of them is said here.
``score`` is the sigmoid of ``logit`` over the calibration's temperature."""


def item_rows(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the table checked and typed.

    Raises:
        TableError: file, row and column of what is wrong.
    """
    return check_table(frame, ITEM_COLUMNS, path).reset_index(drop=True)


def items_path(predictions: Path) -> Path:
    """Return where the items table of a predictions table is: ``scores.items.csv`` beside it."""
    return predictions.with_name(f"{predictions.stem}.items{predictions.suffix}")
