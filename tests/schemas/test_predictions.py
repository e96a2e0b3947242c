"""Predictions: an item without a score is a row, never a gap."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from deepfake_lightning.errors import TableError
from deepfake_lightning.schemas import read_predictions, write_predictions


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "path": ["a.jpg", "b.jpg", "c.jpg"],
            "video_id": ["d/a", "d/b", "d/c"],
            "label": pd.array([0, 1, None], "Int64"),
            "logit": pd.array([-1.25, None, 1e-17], "Float64"),
            "frame": pd.array([None, 4, 5], "Int64"),
            "status": ["ok", "no_face", "ok"],
            "version": "v1.0.0",
        },
        index=[7, 7, 8],  # as a concatenation leaves it
    )


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_round_trip(table: pd.DataFrame, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"predictions.{suffix}"
    write_predictions(path, table)
    again = read_predictions(path)
    assert again["schema"].tolist() == [1, 1, 1]
    assert again["logit"].tolist() == [-1.25, pd.NA, 1e-17]
    assert again["status"].tolist() == ["ok", "no_face", "ok"]
    assert again["label"].tolist() == [0, 1, pd.NA]
    assert again.index.tolist() == [0, 1, 2]
    assert again["track_id"].isna().all()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("status", "maybe", "row 3, column status: is 'maybe'"),
        ("label", 2, "row 3, column label: is 2"),
        ("video_id", None, "row 3, column video_id: is empty"),
        ("logit", 0.5, "row 3, column logit: is given while status is 'no_face'"),
        ("status", "ok", "row 3, column logit: is empty while status is 'ok'"),
    ],
)
def test_a_wrong_cell_is_named_and_nothing_is_written(
    table: pd.DataFrame, tmp_path: Path, column: str, value: object, message: str
) -> None:
    path = tmp_path / "predictions.csv"
    table = table.reset_index(drop=True)
    table.loc[1, column] = value
    with pytest.raises(TableError, match=message) as caught:
        write_predictions(path, table)
    assert str(path) in caught.value.what
    assert not path.exists()


def test_tables_of_a_later_version_are_refused(table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    table.assign(schema=2).to_csv(path, index=False)
    with pytest.raises(TableError, match="schema 2 is newer than this version reads"):
        read_predictions(path)
    table.to_csv(path, index=False)
    with pytest.raises(TableError, match="missing column schema"):
        read_predictions(path)
