"""Old requests go by themselves, and who removes them can be ended at any time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import pytest

from deepfake_lightning.errors import StorageError
from deepfake_lightning.monitoring.log import LoggedRequest, PredictionLog, pruning, retention
from deepfake_lightning.monitoring.log.overview import DAY_US
from deepfake_lightning.monitoring.log.retention import Retention

NOON = 1_700_049_600_000_000
Rows = Callable[..., LoggedRequest]


def wait_for(is_done: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_requests_go_when_they_are_old_enough(
    log: PredictionLog, request_row: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "EVERY_SECONDS", 0.05)
    log.append_many([request_row(number, 60 * number) for number in range(200)])
    now = NOON + 30 * DAY_US
    kept = Retention(log, 30, clock=lambda: now)
    time.sleep(0.3)
    assert log.count() == 200
    now += 7_200_000_000  # two hours later
    wait_for(lambda: log.count() == 80)
    kept.close()
    now += 7_200_000_000
    time.sleep(0.2)
    assert log.count() == 80  # it has ended


def test_it_ends_between_two_parts_of_its_work(
    log: PredictionLog, request_row: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_ROWS_AT_A_TIME", 1)
    log.append_many([request_row(number, number) for number in range(500)])
    kept = Retention(log, 1, clock=lambda: NOON + 10 * DAY_US)
    wait_for(lambda: log.count() < 500)
    kept.close()
    left = log.count()
    assert left > 0
    time.sleep(0.2)
    assert log.count() == left


def test_what_goes_wrong_is_said_and_tried_again(
    log: PredictionLog,
    request_row: Rows,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(retention, "EVERY_SECONDS", 0.05)
    log.append(request_row(0, 0))
    faults: list[Exception] = [StorageError("the disk is full"), RuntimeError("who knows")]

    def failing(*args: object, **kwargs: object) -> int:
        if faults:
            raise faults.pop(0)
        return pruning.prune(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(retention, "prune", failing)
    kept = Retention(log, 1, clock=lambda: NOON + 10 * DAY_US)
    wait_for(lambda: log.count() == 0)
    kept.close()
    assert "the disk is full" in caplog.text
    assert "who knows" in caplog.text
    assert "requests removed, older than 1 days: 1" in caplog.text


def test_where_another_process_is_at_it_nothing_is_said_and_the_end_is_soon(
    log: PredictionLog, request_row: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    log.append(request_row(0, 0))
    with log.sole() as alone:
        assert alone
        kept = Retention(log, 1, clock=lambda: NOON + 10 * DAY_US)
        began = time.monotonic()
        kept.close()
        assert time.monotonic() - began < 8
    assert log.count() == 1
    assert not caplog.records
