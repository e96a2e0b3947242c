"""The prediction log, in real SQLite files and on a real PostgreSQL server."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from deepfake_lightning.errors import StorageError, UsageError
from deepfake_lightning.monitoring.log import ItemScore, Label, LoggedRequest, PredictionLog
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
    milliseconds={"media": 12.3456, "network": 7.0, "total": 19.5, "queue": 0.5},
    quality={"brightness": 100.5, "noise": 2.0},
    bundle="cd" * 32,
)
SCORE = ItemScore(
    0, "ok", 0.1 + 0.2, 0.57, True, 2, 1, "v1.0.0", "cd" * 32, "serving", "inconclusive", 7000,
    brightness=100.5, noise=2.0,
)  # fmt: skip
WRITER = """
import sys
from dataclasses import replace
from deepfake_lightning.monitoring.log import PredictionLog, LoggedRequest
row = LoggedRequest("", 1, "v1.0.0", "ab", "predict", 200, 1, 1)
with PredictionLog(sys.argv[1]) as log:
    for number in range(100):
        log.append(replace(row, id=f"{sys.argv[2]}-{number}"))
"""


def test_who_asked_what_is_its_owners_to_read_alone(file_log):
    file_log.append(REQUEST)
    kept = [path for path in file_log.file.parent.glob("predictions.db*")
            if path.suffix != ".lock"]  # fmt: skip
    assert {path.name for path in kept} == {
        "predictions.db", "predictions.db-wal", "predictions.db-shm"
    }  # fmt: skip
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


def test_a_log_that_was_opened_to_a_group_stays_so(tmp_path):
    path = tmp_path / "predictions.db"
    with PredictionLog(path) as log:
        log.append(REQUEST)
    path.chmod(0o660)
    with PredictionLog(path) as log:
        log.append(replace(REQUEST, id="r1"))
    assert path.stat().st_mode & 0o777 == 0o660


@pytest.fixture
def file_log(tmp_path):
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
        queue_us=500,
        media_us=12346,
        network_us=7000,
        items=(SCORE,),
    )
    assert log.find("r1") is None


def test_a_request_without_a_result(log):
    row = replace(REQUEST, http_status=422, error="unreadable")
    log.append(row)
    assert log.find("r0") == row
    log.append(replace(row, id="r1"), Assessment("x", "unreadable", "v1.0.0", reason="is empty"))
    assert log.find("r1").items == (ItemScore(0, "unreadable", None, None, False, 0, 0, "v1.0.0"),)
    assert log.count() == 2


def test_no_names_and_reasons_are_kept(file_log):
    file_log.append(REQUEST, replace(ASSESSMENT, name="/home/someone/secret.jpg", reason="private"))
    file_log.close()
    data = Path(file_log.name).read_bytes()
    assert b"r0" in data and b"secret" not in data and b"private" not in data


def test_erasing_a_request_takes_all_of_it_along(log):
    for name in ("r0", "r1"):
        log.append(replace(REQUEST, id=name), ASSESSMENT)
        assert log.label(Label(name, 5, 1, by="ada"))
    assert log.erase("r0")
    assert not log.erase("r0")
    assert log.find("r0") is None and log.labels("r0") == []
    with log.reading() as connection:
        for table in ("item_scores", "labels"):
            found = connection.exec_driver_sql(f"SELECT DISTINCT request_id FROM {table}").all()
            assert found == [("r1",)]


def test_what_is_erased_is_not_left_in_the_file(file_log):
    client = "a-client-with-a-name-of-its-own"
    for number in range(3):
        file_log.append(replace(REQUEST, id=f"r{number}", client=f"{client}{number}"))
    assert file_log.erase("r1")
    file_log.close()
    data = Path(file_log.name).read_bytes()
    assert f"{client}2".encode() in data and f"{client}1".encode() not in data
    assert not Path(f"{file_log.name}-wal").exists()


def test_all_labels_are_kept_and_the_latest_is_last(log):
    assert not log.label(Label("r0", 1, 1, by="ada"))
    log.append(REQUEST)
    log.label(Label("r0", 20, 0, by="grace", source="review", note="seen twice"))
    log.label(Label("r0", 10, 1, by="ada", client="app"))
    found = log.labels("r0")
    assert [(one.ts_us, one.label, one.by, one.source, one.note, one.client) for one in found] == [
        (10, 1, "ada", "feedback", None, "app"), (20, 0, "grace", "review", "seen twice", None),
    ]  # fmt: skip


def test_every_field_comes_back(log):
    score = replace(SCORE, variant="shadow", version="v1.1.0", projection=b"\0\1\2\xff")
    row = replace(
        REQUEST, items=(SCORE, score), environment="production", experiment="e1", client="app",
        variant="serving", queue_us=1, decode_us=2, faces_us=3, media_us=4, network_us=5,
        error="late", media_type="video", verdict="inconclusive",
    )  # fmt: skip
    log.append(row)
    assert log.find("r0") == row


def test_a_row_that_fails_leaves_nothing(log):
    log.append(REQUEST)
    with pytest.raises(StorageError, match="could not be written") as caught:
        log.append(REQUEST, ASSESSMENT)
    assert "INSERT" not in str(caught.value) and "Traceback" not in str(caught.value)
    assert log.find("r0") == REQUEST


def test_sqlite_is_set_up_for_many_writers(file_log):
    assert sql(file_log, "PRAGMA journal_mode") == [("wal",)]
    with file_log._engine.connect() as connection:  # these are the connection's own
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("foreign_keys", "synchronous", "busy_timeout")
        ]
    assert found == [1, 1, 5000]


def test_a_window_of_time_is_found_by_its_index(file_log):
    window = "WHERE ts_us >= 5 AND ts_us < 9"
    for query in ("SELECT count(*)", "SELECT version, count(*)"):
        group = " GROUP BY version" if "version" in query else ""
        plan = sql(file_log, f"EXPLAIN QUERY PLAN {query} FROM requests {window}{group}")
        assert "requests_ts_us (ts_us>? AND ts_us<?)" in plan[0][-1]
    plan = sql(file_log, "EXPLAIN QUERY PLAN SELECT * FROM item_scores WHERE request_id = 'r0'")
    assert "item_scores_request_id" in plan[0][-1]


def test_threads_and_processes_write_side_by_side(place):
    command = [sys.executable, "-c", WRITER, place]
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


def test_a_log_is_opened_again(file_log):
    file_log.append(REQUEST, ASSESSMENT)
    file_log.close()
    with PredictionLog(f"sqlite:///{file_log.name}") as again:
        assert again.count() == 1


def test_a_newer_log_is_refused_and_left_alone(file_log):
    sql(file_log, "UPDATE log_schema SET version = 99")
    sql(file_log, "DROP TABLE item_scores")
    with pytest.raises(UsageError, match="newer version") as caught:
        PredictionLog(file_log.name)
    assert caught.value.next_step
    assert ("item_scores",) not in sql(file_log, "SELECT name FROM sqlite_master")


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
     "postgresql://user:p@hunter2@localhost/log",
     "sqlite://", "sqlite:///:memory:", "mysql://user:hunter2@localhost/log"],
)  # fmt: skip
def test_an_address_that_cannot_work_is_refused_without_its_password(address):
    with pytest.raises(UsageError) as caught:
        PredictionLog(address)
    assert "hunter2" not in str(caught.value)
    assert caught.value.next_step
