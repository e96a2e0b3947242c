"""Old rows go, and their roll-ups stay as they were."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.log import Label, LoggedRequest, PredictionLog, pruning
from deepfake_lightning.monitoring.log.pruning import Prunable, prunable, prune, prune_rollups
from deepfake_lightning.monitoring.log.rollup_windows import merged, read_rollups
from deepfake_lightning.monitoring.log.rollups import make_rollups

NOON = 1_700_049_600_000_000
MINUTE = 60_000_000
Rows = Callable[..., LoggedRequest]


def seen(log: PredictionLog, minutes: int = 600) -> int:
    return merged(read_rollups(log, NOON, NOON + minutes * MINUTE)).count("requests")


def test_old_rows_go_and_their_sums_stay(log: PredictionLog, request_row: Rows) -> None:
    log.append_many([request_row(number, 60 * number) for number in range(200)])
    log.label(Label("r00000", 1, 1, by="ada"))
    before = NOON + 150 * MINUTE  # half past two: the whole hour is kept
    assert prunable(log, before) == Prunable(NOON + 120 * MINUTE, 120, 120, 1)
    assert prune(log, before) == 120  # none of them was added up before
    assert (log.count(), seen(log)) == (80, 120)
    make_rollups(log)
    assert (log.count(), seen(log)) == (80, 200)
    found = merged(read_rollups(log, NOON, NOON + 60 * MINUTE))
    assert found.count("labelled") == 1
    assert prune(log, before) == 0


def test_a_pruned_minute_is_never_made_again(log: PredictionLog, request_row: Rows) -> None:
    log.append_many([request_row(number, number) for number in range(10)])
    prune(log, NOON + 60 * MINUTE)
    log.append(request_row(10, 11))  # late by hours
    assert make_rollups(log) == 0
    assert (log.count(), seen(log)) == (1, 10)
    assert prune(log, NOON + 60 * MINUTE) == 1
    assert prune(log, NOON) == 0  # an earlier time changes nothing
    log.append(request_row(11, 12))
    make_rollups(log)
    assert seen(log) == 10


def test_what_comes_while_pruning_is_added_up(
    log: PredictionLog, request_row: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_ROWS_AT_A_TIME", 7)
    log.append_many([request_row(number, 18 * number) for number in range(400)])
    generator = random.Random(0)

    def write() -> None:
        for number in range(100):
            log.append(request_row(1000 + number, 7200 + generator.uniform(0, 3600)))
            log.erase(f"r{1000 + generator.randrange(number + 1):05d}")

    thread = threading.Thread(target=write)
    thread.start()
    assert prune(log, NOON + 120 * MINUTE) == 400
    thread.join()
    make_rollups(log)
    assert seen(log) == 400 + log.count()


def test_sums_go_after_the_rows(log: PredictionLog, request_row: Rows) -> None:
    log.append_many([request_row(number, 60 * number) for number in range(120)])
    make_rollups(log)
    with pytest.raises(UsageError, match="cannot go before"):
        prune_rollups(log, NOON + 60 * MINUTE)
    prune(log, NOON + 60 * MINUTE)
    assert prune_rollups(log, NOON + 60 * MINUTE) > 0
    assert seen(log) == 60
    assert prune_rollups(log, NOON + 60 * MINUTE) == 0


def test_progress_is_told(log: PredictionLog, request_row: Rows) -> None:
    log.append_many([request_row(number) for number in range(10)])
    told: list[Any] = []
    prune(log, NOON + 60 * MINUTE, progress=lambda *what: told.append(what))
    assert told[-1] == ("removing old requests", 10, 10)
