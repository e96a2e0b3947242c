"""The Parquet file: what is in it, and that it is whole or absent."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from deepfake_lightning.errors import StorageError, UsageError
from deepfake_lightning.monitoring.log import Label, LoggedRequest, PredictionLog, exporting
from deepfake_lightning.monitoring.log.exporting import export

NOON = 1_700_049_600_000_000
Rows = Callable[..., LoggedRequest]


def test_a_row_is_a_score_with_its_request_and_the_latest_label(
    log: PredictionLog, request_row: Rows, tmp_path: Path
) -> None:
    first = request_row(0, 5, environment="production", client="app")
    shadow = replace(first.items[0], variant="shadow", version="v1.1.0", projection=b"\0\1")
    first = replace(first, items=(first.items[0], shadow))
    refused = request_row(1, 1, http_status=422, items=(), verdict=None, error="unreadable")
    log.append_many([first, refused])
    log.label(Label("r00000", 20, 1, by="ada"))
    log.label(Label("r00000", 10, 0, by="grace"))
    path = tmp_path / "out" / "log.parquet"
    assert export(log, path) == 2
    table = pq.read_table(path)
    rows = table.to_pylist()
    assert [(row["id"], row["item_version"], row["label"], row["label_by"]) for row in rows] == [
        ("r00001", None, None, None), ("r00000", "v1.0.0", 1, "ada"), ("r00000", "v1.1.0", 1, "ada")
    ]  # fmt: skip
    assert rows[0]["http_status"] == 422 and rows[0]["error"] == "unreadable"
    assert rows[1]["client"] == "app" and rows[1]["item_score"] == first.items[0].score
    assert rows[2]["item_projection"] == b"\0\1" and rows[2]["item_calibrated"] is True
    assert table.schema.metadata[b"deepfake_lightning.prediction_log"] == b"1"


def test_pages_neither_lose_nor_repeat_rows(
    log: PredictionLog, request_row: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_REQUESTS_AT_A_TIME", 3)
    generator = random.Random(0)  # many at the same moment
    rows = [request_row(number, generator.randrange(5)) for number in range(50)]
    log.append_many(rows)
    told: list[int] = []
    path = tmp_path / "log.parquet"
    window = (NOON + 1_000_000, NOON + 4_000_000)
    wanted = sorted((r.ts_us, r.id) for r in rows if window[0] <= r.ts_us < window[1])
    number = export(log, path, *window, progress=lambda what, done, todo: told.append(done))
    table = pq.read_table(path)
    found = zip(table["ts_us"].to_pylist(), table["id"].to_pylist(), strict=True)
    assert list(found) == wanted
    assert number == len(wanted) == told[-1]


def test_an_empty_log_is_an_empty_table(log: PredictionLog, tmp_path: Path) -> None:
    assert export(log, tmp_path / "log.parquet") == 0
    assert pq.read_table(tmp_path / "log.parquet").num_rows == 0


def test_what_fails_leaves_the_file_that_was_there(
    log: PredictionLog, request_row: Rows, tmp_path: Path
) -> None:
    log.append(request_row(0))
    path = tmp_path / "log.parquet"
    export(log, path)
    before = path.read_bytes()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(log, path, progress=stop)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.glob("*parquet*")] == ["log.parquet"]
    with pytest.raises(UsageError, match=r"\.parquet"):
        export(log, tmp_path / "log.csv")
    with pytest.raises(StorageError):
        export(log, path / "below" / "log.parquet")
