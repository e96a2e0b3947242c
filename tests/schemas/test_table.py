"""Tables from files: what is wrong is named by file, line and column."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepfake_lightning.errors import TableError
from deepfake_lightning.schemas.table import Column, check_table, read_table, write_table

COLUMNS = (
    Column("name", "string", required=True),
    Column("count", "Int64"),
    Column("score", "Float64"),
    Column("kind", "string", allowed=("a", "b")),
)


def check(path: Path, text: str) -> pd.DataFrame:
    path.write_text(text, encoding="utf-8")
    return check_table(read_table(path), COLUMNS, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("count\n1\n", "missing column name"),
        ("name,count\nx,1\n,2\n", "row 3, column name: is empty"),
        ("name,count\nx,one\n", "row 2, column count: is 'one'"),
        ("name,count\nx,1.5\n", r"row 2, column count: is '1\.5'"),
        ("name,count\nx,inf\n", "row 2, column count: is 'inf'"),
        ("name,count\nx,1e30\n", "row 2, column count: is '1e30'"),
        ("name,score\nx,nan\n", "row 2, column score: is 'nan'"),
        ("name,score\nx,-inf\n", "row 2, column score: is '-inf'"),
        ("name,kind\nx,a\ny,c\nz,d\n", r"row 3, column kind: is 'c' \(and 1 more rows\)"),
        ("name,count\nx,1\n\n\ny,bad\n", "row 5, column count: is 'bad'"),
        ("name,count\r\n\r\nx,bad\r\n", "row 3, column count: is 'bad'"),
    ],
)
def test_a_fault_is_named_by_file_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "table.csv"
    with pytest.raises(TableError, match=message) as caught:
        check(path, text)
    assert str(path) in caught.value.what
    assert caught.value.next_step


def test_the_next_step_says_what_can_be_written(tmp_path: Path) -> None:
    for text, step in (
        ("name,count\nx,?\n", "whole number"),
        ("name,score\nx,?\n", "finite number"),
        ("name,kind\nx,?\n", "use one of a, b"),
    ):
        with pytest.raises(TableError) as caught:
            check(tmp_path / "table.csv", text)
        assert step in caught.value.next_step


def test_columns_are_typed_ordered_and_absent_ones_are_empty(tmp_path: Path) -> None:
    frame = check(tmp_path / "table.csv", "count,extra, name\n3,?,NA\n,?,null\n")
    assert list(frame.columns) == ["name", "count", "score", "kind"]
    assert frame["name"].tolist() == ["NA", "null"]  # names, not missing cells
    assert frame["count"].tolist() == [3, pd.NA]
    assert frame["score"].isna().all()
    assert frame.dtypes.astype(str).tolist() == ["string", "Int64", "Float64", "string"]


def test_a_byte_order_mark_and_blank_lines_are_no_matter(tmp_path: Path) -> None:
    frame = check(tmp_path / "table.csv", "\ufeffname,count\nx,1\n\ny,2\n\n")
    assert frame["name"].tolist() == ["x", "y"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("table.csv", b"", "is empty"),
        ("table.csv", b"\n\n", "is empty"),
        ("table.parquet", b"", "cannot be read"),
        ("table.parquet", b"name,count\nx,1\n", "cannot be read"),
        ("table.csv", b"name\n\xff\xfe\n", "cannot be read"),
        ("table.csv", b"name,count\nx,1\ny,2,3\n", "cannot be read.*line 3"),
        ("table.csv", b"name,count\nx,1,3\ny,2\n", "cannot be read"),
        ("table.xlsx", b"PK", "neither CSV nor Parquet"),
    ],
)
def test_files_that_are_no_tables_are_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TableError, match=message) as caught:
        read_table(path)
    assert str(path) in caught.value.what


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for name in ("no.csv", "no.parquet"):
        with pytest.raises(TableError, match="does not exist"):
            read_table(tmp_path / name)


texts = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1)
whole = st.one_of(st.none(), st.integers(-(2**52), 2**52))
finite = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))
kinds = st.sampled_from(["a", "b", None])


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(records=st.lists(st.tuples(texts, whole, finite, kinds), min_size=1, max_size=8))
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str, records: list[tuple]) -> None:
    path = tmp_path / f"table{suffix}"
    frame = pd.DataFrame(records, columns=["name", "count", "score", "kind"], dtype=object)
    typed = check_table(frame, COLUMNS, path)
    write_table(path, typed)
    again = check_table(read_table(path), COLUMNS, path)
    pd.testing.assert_frame_equal(again, typed, check_exact=True)
