"""Predictions: an item without a score is a row, never a gap."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from deepfake_lightning.errors import TableError
from deepfake_lightning.schemas import read_predictions, write_predictions
from deepfake_lightning.schemas.table_writer import TableWriter

FORMATS = ("csv", "parquet", "json")
ODD_NAMES = (
    "plain.jpg", "NA", "null", "123", "1e5", " spaces .jpg", 'quote".jpg', "comma,.jpg",
    "line\nbreak.jpg", "carriage\rreturn.jpg", "both\r\n.jpg", "2020-01-01", "Ärger-日本-🙂.jpg",
    "[/bold].jpg", "#hash", "=1+1", "\u2028",
)  # fmt: skip


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


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json"])
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


def record(path: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "video_id": path, "status": "ok", "logit": 0.1, **more}


@pytest.mark.parametrize("suffix", FORMATS)
def test_row_by_row_it_is_the_same_table(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    with TableWriter(path) as writer:
        writer.add(record("a.jpg", logit=1 / 3, frame=3, timestamp_ms=40_000_000, box="1,2,3,4"))
        writer.add(record("b.jpg", logit=None, status="no_face", reason="no face was found"))
        writer.add(record("c.jpg", logit=-1e-17, label=1, version="v1.0.0", track_id=0))
    rows = read_predictions(path)
    assert rows["logit"].tolist() == [1 / 3, pd.NA, -1e-17]
    assert rows["timestamp_ms"].tolist() == [40_000_000, pd.NA, pd.NA]
    assert rows["box"].tolist() == ["1,2,3,4", pd.NA, pd.NA]
    assert rows["reason"].tolist() == [pd.NA, "no face was found", pd.NA]
    assert rows["label"].tolist() == [pd.NA, pd.NA, 1]
    again = tmp_path / f"b.{suffix}"
    write_predictions(again, rows)
    assert again.read_bytes() == path.read_bytes()
    pd.testing.assert_frame_equal(read_predictions(again), rows)


@pytest.mark.parametrize("suffix", FORMATS)
def test_names_come_back_as_they_were(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    with TableWriter(path) as writer:
        for name in ODD_NAMES:
            writer.add(record(name))
    rows = read_predictions(path)
    assert rows["path"].tolist() == list(ODD_NAMES)
    assert rows["video_id"].tolist() == list(ODD_NAMES)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_table_without_rows(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    with TableWriter(path):
        pass
    assert len(read_predictions(path)) == 0


@pytest.mark.parametrize("suffix", FORMATS)
def test_more_rows_than_are_kept_in_memory(tmp_path: Path, suffix: str) -> None:
    path, count = tmp_path / f"a.{suffix}", 50_003
    with TableWriter(path) as writer:
        for number in range(count):
            writer.add(record(f"{number}.jpg", logit=number / 7))
    rows = read_predictions(path)
    assert rows["path"].tolist() == [f"{number}.jpg" for number in range(count)]
    assert rows["logit"].tolist() == [number / 7 for number in range(count)]


def test_json_is_a_plain_list(table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_predictions(path, table)
    records = json.loads(path.read_text("utf-8"))
    assert [row["logit"] for row in records] == [-1.25, None, 1e-17]
    assert [row["frame"] for row in records] == [None, 4, 5]


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_fails_on_the_way_leaves_what_was_there(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_text("of yesterday")
    with pytest.raises(KeyError, match="lost"), TableWriter(path) as writer:
        writer.append(pd.DataFrame([record("a.jpg")]))
        raise KeyError("lost")
    with pytest.raises(TableError, match="column logit"), TableWriter(path) as writer:
        writer.add(record("a.jpg", logit=None))  # found out at the end
    assert path.read_text() == "of yesterday"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.csv.gz"])
def test_other_formats_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(TableError, match="neither CSV, Parquet nor JSON"):
        TableWriter(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", '{"path": "a"}', "[1]", "null", "\x00"])
def test_json_of_others_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(TableError, match="cannot be read"):
        read_predictions(path)
    with pytest.raises(TableError, match="cannot be read"):
        read_predictions(tmp_path / "gone.json")


_CHILD = """
import sys
from pathlib import Path
from deepfake_lightning.errors import StorageError
from deepfake_lightning.schemas.table_writer import TableWriter
try:
    with TableWriter(Path(sys.argv[1])) as writer:
        for number in range(5000):
            writer.add({"path": str(hash(str(number))), "video_id": "a", "status": "ok",
                        "logit": number / 7})
except StorageError as error:
    print(error.what)
"""


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_full_disk_is_named(tmp_path: Path, suffix: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(tmp_path / f"a.{suffix}")],
        capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},  # Python keeps a module that is cut off
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )  # fmt: skip
    assert f"a.{suffix} could not be written: File too large" in done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []
