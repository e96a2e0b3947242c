"""A log with requests that were drawn for review."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from deepfake_lightning.monitoring.log import PredictionLog, new_request_id
from deepfake_lightning.monitoring.review import ReviewPolicy, drawing

NOON = 1_700_049_600_000_000  # 2023-11-15 12:00 UTC


@pytest.fixture
def fill(request_row: Callable[..., Any]) -> Callable[..., list[str]]:
    """Return a function that writes requests, all of them drawn: ``fill(log, number)``.

    They come a minute apart from noon on; it returns their ids, the oldest first.
    """

    def filled(log: PredictionLog, number: int, rate: float = 1.0, **fields: Any) -> list[str]:
        rows = []
        for place in range(number):
            ts_us = NOON + 60_000_000 * place
            row = request_row(place, 60 * place, **{"environment": "production", **fields})
            rows.append(replace(row, id=new_request_id(ts_us)))
        log.append_many(rows, draw=drawing(ReviewPolicy(rate=rate)))
        return [row.id for row in rows]

    return filled


@pytest.fixture
def quick(tmp_path: Any) -> Any:
    """Return an SQLite log."""
    with PredictionLog(tmp_path / "predictions.db") as opened:
        yield opened
