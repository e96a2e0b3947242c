"""The writer: nothing is lost on a clean end, little on a kill, and what is lost is counted."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import OperationalError

from deepfake_lightning.monitoring.log import LoggedRequest, LogWriter, PredictionLog, address
from deepfake_lightning.monitoring.log.rollup_windows import merged, read_rollups
from deepfake_lightning.monitoring.log.tables import gaps, requests

NOON = 1_700_049_600_000_000
Rows = Callable[..., LoggedRequest]
KILLED = """
import sys, time
from deepfake_lightning.monitoring.log import LoggedRequest, LogWriter, PredictionLog
writer = LogWriter(PredictionLog(sys.argv[1]))
number = 0
while True:
    row = LoggedRequest(f"r{number}", 1, "v1.0.0", "ab", "predict", 200, 1, 1)
    assert writer.put(row)
    print(number, time.monotonic(), flush=True)
    number += 1
    time.sleep(0.002)
"""


def until(true: Callable[[], Any], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def gaps_of(log: PredictionLog) -> list[Any]:
    with log.reading() as connection:
        return list(connection.execute(select(gaps)).all())


@contextmanager
def locked(log: PredictionLog) -> Iterator[None]:
    connection = sqlite3.connect(log.name, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


def cut_commits(log: PredictionLog) -> list[int]:
    """Let the next commit be unheard, as of a server that is stopped before it has answered."""
    cuts = [1]

    @event.listens_for(log._engine, "commit")
    def cut(connection: Any) -> None:
        connection.connection.commit()
        if cuts and cuts.pop():
            raise OperationalError("COMMIT", {}, Exception("the line was cut"))

    return cuts


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PredictionLog]:
    """Return a log in a file that waits only briefly for a lock."""
    monkeypatch.setattr(address, "BUSY_MS", 50)
    with PredictionLog(tmp_path / "predictions.db") as opened:
        yield opened


def test_what_is_put_is_there_soon(log: PredictionLog, request_row: Rows) -> None:
    with LogWriter(log, rollup_seconds=None) as writer:
        assert writer.put(request_row(0))
        began = time.monotonic()
        until(lambda: log.find("r00000"))
        assert time.monotonic() - began < 1.5  # half a second, and a busy machine
        assert log.find("r00000") == request_row(0)


def test_a_flush_waits_for_what_was_put(log: PredictionLog, request_row: Rows) -> None:
    with LogWriter(log, flush_seconds=60, rollup_seconds=None) as writer:
        for number in range(50):
            writer.put(request_row(number))
        assert log.count() == 0
        assert writer.flush()
        assert log.count() == 50 and writer.waiting == 0
        assert writer.flush()


def test_a_clean_end_writes_all(log: PredictionLog, request_row: Rows) -> None:
    writer = LogWriter(log, flush_seconds=60)
    rows = [request_row(number) for number in range(3500)]
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(writer.put, rows))
    assert writer.close() == 0
    assert log.count() == 3500
    assert not writer.put(request_row(9999))
    assert (writer.dropped, gaps_of(log)) == (1, [])


def test_a_killed_process_loses_the_last_moments_at_most(place: str) -> None:
    """Half a second on a machine that is not busy; where others compute, a thread has to wait."""
    PredictionLog(place).close()
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, place], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(4)
    killed = time.monotonic()
    process.kill()
    lines = [first, *process.stdout.readlines()]
    process.wait()
    put = dict(line.split() for line in lines if line.endswith("\n"))
    with PredictionLog(place) as log, log.reading() as connection:
        there = set(connection.scalars(select(requests.c.id)))
    missing = [float(at) for number, at in put.items() if f"r{number}" not in there]
    assert len(there) > 100
    assert all(killed - at <= 2 for at in missing), killed - min(missing)


def test_a_locked_database_is_waited_for(quick: PredictionLog, request_row: Rows) -> None:
    told: list[str | None] = []
    with LogWriter(
        quick, flush_seconds=0.1, capacity=20, rollup_seconds=None, on_fault=told.append
    ) as writer:
        with locked(quick):
            began = time.monotonic()
            kept = [writer.put(request_row(number)) for number in range(25)]
            assert time.monotonic() - began < 0.5  # nobody who answers waits: 25 times 50 ms
            until(lambda: writer.fault)
            assert "locked" in str(writer.fault)
            kept += [writer.put(request_row(number)) for number in range(25, 30)]
        assert kept == [True] * 20 + [False] * 10
        assert writer.flush()
        until(lambda: gaps_of(quick))
        assert writer.fault is None
    assert len(told) == 2 and "locked" in str(told[0]) and told[1] is None
    assert quick.count() == 20 and writer.dropped == 10
    assert sum(gap.lost for gap in gaps_of(quick)) == 10


def test_a_gap_says_when_how_many_and_why(quick: PredictionLog, request_row: Rows) -> None:
    now = [NOON]
    writer = LogWriter(quick, capacity=1, rollup_seconds=None, clock=lambda: now[0])
    with locked(quick):
        writer.put(request_row(0))
        until(lambda: writer.fault)
        for later in (5, 9):
            now[0] = NOON + later
            assert not writer.put(request_row(later))
    writer.close()
    gap = gaps_of(quick)[0]
    assert (gap.from_us, gap.to_us, gap.lost) == (NOON + 5, NOON + 9, 2)
    assert "locked" in gap.reason


def test_a_full_disk_is_waited_for(quick: PredictionLog, request_row: Rows) -> None:
    most = ["100000"]

    @event.listens_for(quick._engine, "checkout")
    def bound(connection: Any, *_: Any) -> None:
        connection.execute(f"PRAGMA max_page_count={most[0]}")

    with LogWriter(quick, flush_seconds=0.1, rollup_seconds=None) as writer:
        most[0] = "1"  # the pages it has, and no more
        for number in range(2000):
            writer.put(request_row(number))
        until(lambda: writer.fault)
        assert "full" in str(writer.fault)
        most[0] = "100000"
        assert writer.flush()
    assert quick.count() == 2000 and writer.dropped == 0


def test_a_stopped_server_is_waited_for(own_postgresql: Any, request_row: Rows) -> None:
    with (
        PredictionLog(own_postgresql.database()) as log,
        LogWriter(log, flush_seconds=0.1, rollup_seconds=None) as writer,
    ):
        writer.put(request_row(0))
        assert writer.flush()
        own_postgresql.stop()
        for number in range(1, 100):
            assert writer.put(request_row(number))
        until(lambda: writer.fault)
        own_postgresql.start()
        assert writer.flush(20)
        until(lambda: writer.fault is None)  # said just after who waits for the rows is woken
        assert log.count() == 100


def test_a_batch_that_was_kept_unheard_is_neither_lost_nor_written_twice(
    log: PredictionLog, request_row: Rows
) -> None:
    cuts = cut_commits(log)
    score = replace(request_row(7).items[0], version="v1.1.0", variant="shadow")
    with LogWriter(log, flush_seconds=60, rollup_seconds=None) as writer:
        for number in range(3):
            writer.put(request_row(number))
        writer.put_shadow("r00001", score)
        writer.put_shadow("r00003", score)  # before its request
        assert writer.flush()
        assert cuts == []
        writer.put(request_row(3))
        assert writer.flush()
    assert (log.count(), writer.dropped, gaps_of(log)) == (4, 0, [])
    found = [log.find(f"r0000{number}") for number in range(4)]
    assert [len(row.items) for row in found if row] == [1, 2, 1, 2]


def test_shadow_scores_alone_are_not_written_twice_either(
    log: PredictionLog, request_row: Rows
) -> None:
    score = replace(request_row(7).items[0], version="v1.1.0", variant="shadow")
    with LogWriter(log, flush_seconds=60, rollup_seconds=None) as writer:
        writer.put_shadow("r00001", score)  # waits for its request, which another process writes
        assert writer.flush()
        log.append(request_row(0))
        log.append(request_row(1))
        cuts = cut_commits(log)
        writer.put_shadow("r00000", score)
        writer.put_shadow("r00002", score)  # before its request
        assert writer.flush()
        assert cuts == []
        writer.put(request_row(2))
        assert writer.flush()
    found = [log.find(f"r0000{number}") for number in range(3)]
    assert [len(row.items) for row in found if row] == [2, 2, 2]


def test_who_ends_while_the_database_is_away_is_told(
    quick: PredictionLog, request_row: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    writer = LogWriter(quick, rollup_seconds=None)
    with locked(quick):
        writer.put(request_row(0))
        assert writer.close(timeout=0.5) == 1
    assert "1 requests and scores could not be logged" in caplog.text


def test_a_row_that_is_refused_does_not_take_others_along(
    log: PredictionLog, request_row: Rows
) -> None:
    log.append(request_row(1))
    with LogWriter(log, flush_seconds=60, rollup_seconds=None) as writer:
        for number in range(4):
            writer.put(request_row(number))  # the second is there already
        writer.put(replace(request_row(4), bytes=1 << 70))  # and no column holds this
        writer.flush()
    assert log.count() == 4
    assert writer.dropped == 2
    assert "refused" in gaps_of(log)[0].reason


def test_shadow_scores_find_their_request(log: PredictionLog, request_row: Rows) -> None:
    score = replace(request_row(7).items[0], version="v1.1.0", variant="shadow")
    with LogWriter(log, flush_seconds=0.1, rollup_seconds=None) as writer:
        writer.put_shadow("r00000", score)  # before its request
        writer.flush()
        writer.put(request_row(0))
        writer.put_shadow("r00000", score)  # with it
        writer.flush()
        writer.put_shadow("r00000", score)  # after it
        writer.put_shadow("unknown", score)
        assert writer.flush()
        until(lambda: len(log.find("r00000").items) == 4)  # type: ignore[union-attr]
        assert log.erase("r00000")
        writer.put_shadow("r00000", score)
        writer.flush()
    with log.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM item_scores").scalar() == 0
    assert writer.dropped == 0


def test_rollups_are_made_by_the_way(log: PredictionLog, request_row: Rows) -> None:
    before = set(threading.enumerate())
    with LogWriter(log, flush_seconds=0.1, rollup_seconds=0.1) as writer:
        for number in range(10):
            writer.put(request_row(number))
        until(lambda: merged(read_rollups(log, NOON, NOON + 60_000_000)).count("requests") == 10)
    assert set(threading.enumerate()) <= before
