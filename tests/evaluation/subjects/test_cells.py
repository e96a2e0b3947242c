"""Cells of other people's tables: as they are written, whatever format they come in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfake_lightning.errors import TableError
from deepfake_lightning.evaluation.subjects.cells import (
    as_text,
    read_cells,
    scalars,
    unknown_column,
)


@given(st.lists(st.text(max_size=8)))
def test_text_stays_text(values: list[str]) -> None:
    for kind in ("object", "string"):
        assert as_text(pd.Series(values, dtype=kind)).tolist() == values


@pytest.mark.parametrize(
    ("cell", "text"),
    [(3.0, "3"), (2.5, "2.5"), (7, "7"), (np.int64(7), "7"), (True, "True"), (None, None),
     (float("nan"), None), (pd.NA, None), ([1, 2], "[1, 2]"), (np.array([1, 2]), "[1, 2]"),
     ({"a": "ä"}, '{"a": "ä"}'), ("007", "007")],
)  # fmt: skip
def test_other_cells_become_text(cell: object, text: str | None) -> None:
    column = pd.Series([0, 0], dtype=object)
    column.iat[1] = cell
    found = as_text(column).iloc[1]
    assert (None if found is pd.NA else found) == text


def test_cells_with_several_values_can_be_grouped() -> None:
    column = pd.Series([[1, 2], [1, 2], None], dtype=object)
    assert scalars(column).groupby(scalars(column)).size().tolist() == [2]
    numbers = pd.Series([1.5, 2])
    assert scalars(numbers) is numbers


def test_json_keeps_what_pandas_would_change(tmp_path: Path) -> None:
    rows = [{"id": "007", "date": 1700000000000, "n": 1}, {"id": "1e5", "date": None}]
    (tmp_path / "t.json").write_text(json.dumps(rows))
    found = read_cells(tmp_path / "t.json")
    assert found["id"].tolist() == ["007", "1e5"]
    assert found["date"].iloc[0] == 1700000000000
    assert found["n"].iloc[1] is None


def test_a_column_that_stands_twice(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a, b ,b\n1,2,3\n")
    with pytest.raises(TableError, match="two columns are called 'b'"):
        read_cells(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("\ufeffa,b\n1,2\n", "utf-8")
    assert read_cells(tmp_path / "t.csv").columns.tolist() == ["a", "b"]


def test_a_near_name_is_offered() -> None:
    error = unknown_column(Path("t.csv"), "lable", ["id", "Label"])
    assert error.what == "t.csv has no column 'lable': is 'Label' meant?"
    assert "the first line is the header" in unknown_column(Path("t"), "x", ["a", "0.5"]).why
