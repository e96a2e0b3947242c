"""``log ...``: what the commands print, and how they end."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import insert

from deepfake_lightning.cli import main
from deepfake_lightning.monitoring.log import ItemScore, Label, LoggedRequest, PredictionLog
from deepfake_lightning.monitoring.log.tables import gaps

NOW = datetime.now(UTC)


def us(days: float) -> int:
    return round((NOW - timedelta(days=days)).timestamp() * 1e6)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the log of a workspace, with requests of today and of 100 days ago."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mlops" / "monitoring" / "predictions.db"
    item = ItemScore(0, "ok", 1.0, 0.7, True, 1, 1, "v1.0.0", verdict="no_indication")
    row = LoggedRequest(
        "", 0, "v1.0.0", "ab", "/v1/predict", 200, 1, 40_000, media_type="image", items=(item,)
    )
    shadow = replace(item, version="v1.1.0", variant="shadow", verdict="manipulation_indicated")
    with PredictionLog(file) as log:
        log.append_many(
            [replace(row, id=f"new{number}", ts_us=us(0)) for number in range(3)]
            + [replace(row, id=f"old{number}", ts_us=us(100)) for number in range(2)]
            + [replace(row, id="both", ts_us=us(0), items=(item, shadow))]
        )
        log.label(Label("new0", us(0), 1, by="ada"))
        with log.writing() as connection:
            lost = {"from_us": us(1), "to_us": us(1), "lost": 7, "reason": "disk full"}
            connection.execute(insert(gaps).values(lost))
    return file


def shown(capsys: Any, *args: str, code: int = 0) -> str:
    """Return what a command prints, its words one space apart."""
    capsys.readouterr()
    assert main(["log", *args]) == code
    captured = capsys.readouterr()
    return " ".join((captured.err if code else captured.out).split())


def test_show_is_requests_by_day_and_version(place: Path, capsys: Any) -> None:
    said = shown(capsys, "show")
    today = NOW.date().isoformat()
    assert f"{today} v1.0.0 4 0 0 0% 100% 0% 0% " in said
    assert f"{today} v1.1.0 shadow 1 100% 0% 0% 0%" in said
    assert "mlops/monitoring/predictions.db: 6 requests" in said
    assert "labels: 1 (feedback 1), of 1 requests" in said
    assert "lost, at least: 7 requests and scores" in said and "7, disk full" in said
    assert (NOW - timedelta(days=100)).date().isoformat() + " to " + today in said
    old = f"{(NOW - timedelta(days=100)).date().isoformat()} v1.0.0 2"
    assert old not in said and old in shown(capsys, "show", "--days", "103")


def test_show_as_json(place: Path, capsys: Any) -> None:
    capsys.readouterr()
    assert main(["log", "show", "--json", "true"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["requests"], record["lost"], record["labels"]) == (6, 7, {"feedback": 1})
    serving, shadow = record["days"]
    assert (serving["version"], serving["requests"], serving["fn"]) == ("v1.0.0", 4, 1)
    assert (shadow["variant"], shadow["items"]) == ("shadow", 1)
    assert serving["latency_p95_us"] == pytest.approx(40_000, rel=0.05)
    assert record["stale_minutes"] == 0 and record["bytes"] > 10_000


def test_a_table_fits_eighty_columns(
    place: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    capsys.readouterr()
    main(["log", "show"])
    table = capsys.readouterr().out.splitlines()[:3]
    assert all(len(line) <= 80 for line in table)
    assert "…" not in "".join(table) and "p95 ms" in table[0]


def test_export_writes_days(place: Path, capsys: Any) -> None:
    said = shown(capsys, "export", "--start", NOW.date().isoformat())
    assert "predictions.parquet: 4 requests" in said
    assert pq.read_table("predictions.parquet").num_rows == 5
    ago = (NOW - timedelta(days=99)).date().isoformat()
    assert "old.parquet: 2 requests" in shown(
        capsys, "export", "--out", "old.parquet", "--end", ago
    )
    assert "write it as 2026-01-31" in shown(capsys, "export", "--start", "May", code=2)


def test_prune_says_what_it_would_remove_and_needs_a_yes(place: Path, capsys: Any) -> None:
    said = shown(capsys, "prune", "--days", "90")
    assert "would remove 2 requests" in said and "(2 scores, 0 labels)" in said
    assert "log prune --days 90 --yes true" in said
    with PredictionLog(place) as log:
        assert log.count() == 6
    assert "removed 2 requests" in shown(capsys, "prune", "--days", "90", "--yes", "true")
    with PredictionLog(place) as log:
        assert log.count() == 4
    said = shown(capsys, "show", "--days", "103")  # their sums are kept
    assert f"{(NOW - timedelta(days=100)).date().isoformat()} v1.0.0 2" in said
    args = ("prune", "--days", "90", "--rollup_days", "95", "--yes", "true")
    assert "removed 2 sums" in shown(capsys, *args)


@pytest.mark.parametrize(
    "args",
    [("prune", "--days", "0"), ("show", "--days", "-1"),
     ("prune", "--days", "9", "--rollup_days", "8"), ("erase", "nobody")],
)  # fmt: skip
def test_what_cannot_be_done_says_what_can(place: Path, capsys: Any, args: tuple[str, ...]) -> None:
    assert "Next:" in shown(capsys, *args, code=2)


def test_erase_removes_one_request(place: Path, capsys: Any) -> None:
    assert "new1 is erased" in shown(capsys, "erase", "new1")
    with PredictionLog(place) as log:
        assert log.find("new1") is None and log.count() == 5
    assert "v1.0.0 3 0 0 0% 100%" in shown(capsys, "show")


def test_a_log_that_is_not_there_is_not_made(tmp_path: Path, capsys: Any) -> None:
    said = shown(capsys, "show", "--log", str(tmp_path / "none.db"), code=2)
    assert "there is no prediction log" in said
    assert list(tmp_path.iterdir()) == []
