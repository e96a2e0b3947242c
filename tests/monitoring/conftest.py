"""Logs in real databases: SQLite files, and databases of a PostgreSQL server."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.monitoring.log import ItemScore, LoggedRequest, PredictionLog

NOON = 1_700_049_600_000_000  # 2023-11-15 12:00 UTC


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: Any, tmp_path: Path) -> str:
    """Return where a log can be made."""
    if request.param == "sqlite":
        return str(tmp_path / "monitoring" / "predictions.db")
    return str(request.getfixturevalue("postgresql").database())


@pytest.fixture
def log(place: str) -> Iterator[PredictionLog]:
    with PredictionLog(place) as opened:
        yield opened


@pytest.fixture
def request_row() -> Callable[..., LoggedRequest]:
    """Return a function that makes a request: its number, seconds after noon, other fields."""

    def make(number: int, seconds: float = 0.0, **fields: Any) -> LoggedRequest:
        generator = random.Random(number)
        verdict = generator.choice(["manipulation_indicated", "no_indication", "inconclusive"])
        item = ItemScore(
            0, "ok", generator.gauss(0, 3), generator.random(), True, 1, 1, "v1.0.0", "ab" * 32,
            verdict=verdict, network_us=7000, brightness=generator.uniform(50, 200),
        )  # fmt: skip
        row: dict[str, Any] = {
            "id": f"r{number:05d}", "ts_us": NOON + round(seconds * 1e6), "version": "v1.0.0",
            "bundle": "ab" * 32, "route": "/v1/predict", "http_status": 200, "bytes": 1234,
            "latency_us": round(generator.lognormvariate(10, 1)), "media_type": "image",
            "verdict": verdict, "items": (item,), **fields,
        }  # fmt: skip
        return LoggedRequest(**row)

    return make
