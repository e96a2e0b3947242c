"""Erased requests do not come back, whoever writes them and whenever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from deepfake_lightning.monitoring.log import (
    LoggedRequest,
    LogWriter,
    PredictionLog,
    new_request_id,
)
from deepfake_lightning.monitoring.log.erased import erased_among
from deepfake_lightning.monitoring.log.request_ids import time_of
from deepfake_lightning.monitoring.log.rollup_windows import merged, read_rollups
from deepfake_lightning.monitoring.log.rollups import make_rollups
from deepfake_lightning.monitoring.log.tables import erased

NOON = 1_700_049_600_000_000
HOUR = 3600 * 1_000_000
Rows = Callable[..., LoggedRequest]


def times_of(log: PredictionLog) -> list[int]:
    with log.reading() as connection:
        return sorted(connection.scalars(select(erased.c.ts_us)))


def test_a_row_that_comes_after_its_erasure_is_dropped(
    log: PredictionLog, place: str, request_row: Rows
) -> None:
    ids = [new_request_id(NOON + 1000 * number) for number in range(3)]
    with PredictionLog(place) as other, LogWriter(other, flush_seconds=60) as writer:
        for number, name in enumerate(ids):
            writer.put(request_row(number, id=name))
        assert not log.erase(ids[1])
        assert not log.erase(ids[1])
        assert writer.flush()
        assert writer.dropped == 0
    assert [log.find(name) is not None for name in ids] == [True, False, True]
    make_rollups(log)
    assert merged(read_rollups(log, NOON, NOON + 60_000_000)).count("requests") == 2


def test_a_shadow_score_that_comes_after_an_erasure_is_dropped(
    log: PredictionLog, request_row: Rows
) -> None:
    name, other = new_request_id(NOON), new_request_id(NOON)
    score = replace(request_row(7).items[0], version="v1.1.0", variant="shadow")
    with LogWriter(log, flush_seconds=60, rollup_seconds=None) as writer:
        writer.put(request_row(0, id=name))
        writer.flush()
        assert log.erase(name)
        writer.put_shadow(name, score)
        writer.put(request_row(0, id=name))  # with its request, which is late
        writer.put(request_row(1, id=other))
        writer.put_shadow(other, score)
        assert writer.flush()
    assert log.find(name) is None
    with log.reading() as connection:
        found = connection.exec_driver_sql("SELECT DISTINCT request_id FROM item_scores").all()
    assert found == [(other,)]


def test_erasing_while_others_write_leaves_nothing(place: str, request_row: Rows) -> None:
    with PredictionLog(place) as writing, PredictionLog(place) as erasing:
        ids = [new_request_id(NOON + 1000 * number) for number in range(60)]
        start = threading.Barrier(2)

        def write() -> None:
            start.wait()
            for number, name in enumerate(ids):
                writing.append(request_row(number, id=name))

        def erase() -> None:
            start.wait()
            for name in ids:
                erasing.erase(name)

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(write), pool.submit(erase)]:
                done.result()
        assert erasing.count() == 0


def test_what_no_server_named_may_be_written_again(log: PredictionLog, request_row: Rows) -> None:
    log.append(request_row(0))
    assert log.erase("r00000")
    assert times_of(log) == []
    log.append(request_row(0))
    assert log.find("r00000") is not None


def test_erasures_are_kept_for_good(log: PredictionLog, request_row: Rows) -> None:
    ids = [new_request_id(NOON + hours * HOUR) for hours in (0, 24, 9000)]
    for name in ids:
        log.erase(name)
    assert times_of(log) == [time_of(name) for name in ids]
    for number, name in enumerate(ids):
        log.append(request_row(number, id=name))
    assert log.count() == 0
    with log.reading() as connection:
        asked = [*ids, new_request_id(NOON + HOUR)]
        assert erased_among(connection, asked, hold=False) == set(ids)


def test_an_old_request_is_erased_as_well(log: PredictionLog, request_row: Rows) -> None:
    old = new_request_id(NOON - 720 * HOUR)
    log.append(request_row(0, id=old))
    log.erase(new_request_id(NOON))
    assert log.erase(old)
    assert log.find(old) is None
    assert not log.erase(new_request_id(NOON))
    assert time_of(old) in times_of(log)


def test_no_id_is_kept(log: PredictionLog) -> None:
    name = new_request_id(NOON)
    log.erase(name)
    with log.reading() as connection:
        (kept,) = connection.scalars(select(erased.c.id))
    assert len(kept) == 32 and kept != name


def files_of(log: PredictionLog) -> bytes:
    paths = [Path(f"{log.file}{end}") for end in ("", "-wal")]
    return b"".join(path.read_bytes() for path in paths if path.is_file())


def test_nothing_of_it_is_left_on_the_disk(tmp_path: Path, request_row: Rows) -> None:
    ids = [new_request_id(NOON) for _ in range(2)]
    with PredictionLog(tmp_path / "p.db") as log, PredictionLog(tmp_path / "p.db") as other:
        for number, name in enumerate(ids):
            other.append(request_row(number, id=name, client=f"client-number-{number}"))
        assert b"client-number-0" in files_of(log) and ids[0].encode() in files_of(log)
        assert log.erase(ids[0])
        kept = files_of(log)  # while both are open
        assert b"client-number-0" not in kept and ids[0].encode() not in kept
        assert b"client-number-1" in kept


def test_a_reader_in_the_way_is_told_of(
    tmp_path: Path, request_row: Rows, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("deepfake_lightning.monitoring.log.address.BUSY_MS", 50)
    name = new_request_id(NOON)
    with PredictionLog(tmp_path / "p.db") as log:
        log.append(request_row(0, id=name, client="a-client"))
        with log.reading() as connection:
            connection.exec_driver_sql("SELECT * FROM requests").all()
            assert log.erase(name)
        assert "still holds what was erased" in caplog.text
        assert b"a-client" in files_of(log)
        assert not log.erase(name)
        assert b"a-client" not in files_of(log)
