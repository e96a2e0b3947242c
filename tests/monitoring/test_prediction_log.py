"""The prediction log, in real SQLite files."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from deepfake_lightning.errors import StorageError, UsageError
from deepfake_lightning.monitoring import ItemScore, LoggedRequest, PredictionLog
from deepfake_lightning.schemas.assessment import Assessment, ScoredFace, ScoredTrack

REQUEST = LoggedRequest(
    id="r0",
    ts_us=1_700_000_000_000_000,
    version="v1.0.0",
    bundle="ab" * 32,
    route="/v1/predict",
    http_status=200,
    bytes=1234,
    latency_us=56_000,
)
ASSESSMENT = Assessment(
    name="face.jpg",
    status="ok",
    version="v1.0.0",
    media_type="image",
    logit=0.1 + 0.2,
    score=0.57,
    calibrated=True,
    verdict="inconclusive",
    tracks=(ScoredTrack(0, 0.3, 2),),
    faces=(ScoredFace(0.3), ScoredFace(0.2)),
    milliseconds={"media": 12.3456, "network": 7.0, "total": 19.5},
)
WRITER = """
import sys
from dataclasses import replace
from deepfake_lightning.monitoring import PredictionLog, LoggedRequest
row = LoggedRequest("", 1, "v1.0.0", "ab", "predict", 200, 1, 1)
with PredictionLog(sys.argv[1]) as log:
    for number in range(100):
        log.append(replace(row, id=f"{sys.argv[2]}-{number}"))
"""


@pytest.fixture
def log(tmp_path):
    with PredictionLog(tmp_path / "monitoring" / "predictions.db") as opened:
        yield opened


def sql(log, statement):
    connection = sqlite3.connect(log.name)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.commit()
        connection.close()


def test_what_is_written_is_found(log):
    log.append(REQUEST, ASSESSMENT)
    assert log.find("r0") == replace(
        REQUEST,
        media_type="image",
        verdict="inconclusive",
        media_us=12346,
        network_us=7000,
        items=(ItemScore(0, "ok", 0.1 + 0.2, 0.57, True, 2, 1),),
    )
    assert log.find("r1") is None


def test_a_request_without_a_result(log):
    row = replace(REQUEST, http_status=422, error="unreadable")
    log.append(row)
    assert log.find("r0") == row
    log.append(replace(row, id="r1"), Assessment("x", "unreadable", "v1.0.0", reason="is empty"))
    assert log.find("r1").items == (ItemScore(0, "unreadable", None, None, False, 0, 0),)
    assert log.count() == 2


def test_no_names_and_reasons_are_kept(log):
    log.append(REQUEST, replace(ASSESSMENT, name="/home/someone/secret.jpg", reason="private"))
    log.close()
    data = Path(log.name).read_bytes()
    assert b"r0" in data and b"secret" not in data and b"private" not in data


def test_erasing_a_request_takes_its_scores_along(log):
    for name in ("r0", "r1"):
        log.append(replace(REQUEST, id=name), ASSESSMENT)
    assert log.erase("r0")
    assert not log.erase("r0")
    assert sql(log, "SELECT request_id FROM item_scores") == [("r1",)]


def test_a_row_that_fails_leaves_nothing(log):
    log.append(REQUEST)
    with pytest.raises(StorageError, match="could not be written") as caught:
        log.append(REQUEST, ASSESSMENT)
    assert "INSERT" not in str(caught.value) and "Traceback" not in str(caught.value)
    assert log.find("r0") == REQUEST


def test_sqlite_is_set_up_for_many_writers(log):
    assert sql(log, "PRAGMA journal_mode") == [("wal",)]
    with log._engine.connect() as connection:  # these are the connection's own
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("foreign_keys", "synchronous", "busy_timeout")
        ]
    assert found == [1, 1, 5000]


def test_a_window_of_time_is_found_by_its_index(log):
    window = "WHERE ts_us >= 5 AND ts_us < 9"
    for query in ("SELECT count(*)", "SELECT version, count(*)"):
        group = " GROUP BY version" if "version" in query else ""
        plan = sql(log, f"EXPLAIN QUERY PLAN {query} FROM requests {window}{group}")
        assert "requests_ts_us (ts_us>? AND ts_us<?)" in plan[0][-1]
    plan = sql(log, "EXPLAIN QUERY PLAN SELECT * FROM item_scores WHERE request_id = 'r0'")
    assert "item_scores_request_id" in plan[0][-1]


def test_threads_and_processes_write_side_by_side(tmp_path):
    place = tmp_path / "predictions.db"
    command = [sys.executable, "-c", WRITER, str(place)]
    processes = [
        subprocess.Popen([*command, name], stderr=subprocess.PIPE, text=True) for name in "ab"
    ]

    def write(thread):  # all of them open it at once, too
        with PredictionLog(place) as log:
            for number in range(100):
                log.append(replace(REQUEST, id=f"{thread}-{number}"), ASSESSMENT)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    for process in processes:
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
    with PredictionLog(place) as log:
        assert log.count() == 600


def test_threads_share_one_log(log):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: log.append(replace(REQUEST, id=f"r{n}"), ASSESSMENT), range(200)))
    assert log.count() == 200


def test_a_log_is_opened_again(log):
    log.append(REQUEST, ASSESSMENT)
    log.close()
    with PredictionLog(f"sqlite:///{log.name}") as again:
        assert again.count() == 1


def test_a_newer_log_is_refused_and_left_alone(log):
    sql(log, "UPDATE log_schema SET version = 2")
    sql(log, "DROP TABLE item_scores")
    with pytest.raises(UsageError, match="newer version") as caught:
        PredictionLog(log.name)
    assert caught.value.next_step
    assert ("item_scores",) not in sql(log, "SELECT name FROM sqlite_master")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(StorageError, match=r"file/predictions\.db") as caught:
        PredictionLog(tmp_path / "file" / "predictions.db")
    assert caught.value.next_step


@pytest.mark.parametrize("make", ["folder", "text"])
def test_what_is_no_log_is_named(tmp_path, make):
    place = tmp_path / "predictions.db"
    if make == "folder":
        place.mkdir()
    else:
        place.write_text("not a database at all, but longer than a header " * 9, encoding="utf-8")
    with pytest.raises(StorageError, match=r"predictions\.db could not be opened"):
        PredictionLog(place)


@pytest.mark.parametrize(
    "address",
    ["postgresql+nothing://user:hunter2@localhost/log", "no-such-base://user:hunter2@localhost/log",
     "postgresql://user:hunter2@localhost:port/log", "postgresql+psycopg://u:hunter2@[::1/log",
     "sqlite://", "sqlite:///:memory:"],
)  # fmt: skip
def test_an_address_that_cannot_work_is_refused_without_its_password(address):
    with pytest.raises(UsageError) as caught:
        PredictionLog(address)
    assert "hunter2" not in str(caught.value)
    assert caught.value.next_step
