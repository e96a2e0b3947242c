"""An hour of traffic: two versions, one of them in a shadow, errors, and a command's rows."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from deepfake_lightning.monitoring.log import ItemScore, LoggedRequest, PredictionLog
from deepfake_lightning.monitoring.log.rollups import make_rollups

START = 1_700_049_600_000_000  # 2023-11-15 12:00 UTC
HOUR_US = 3_600_000_000


def traffic_rows(number: int = 240, seed: int = 0) -> list[LoggedRequest]:
    """Return requests, evenly over an hour."""
    generator = random.Random(seed)
    rows = []
    for place in range(number):
        score = generator.random()
        said = "manipulation_indicated" if score > 0.7 else "no_indication"
        if 0.5 < score <= 0.7:
            said = "inconclusive"
        version = ("v1.0.0", "v1.1.0")[place % 3 == 0]
        item = ItemScore(0, "ok", 1.0, score, True, 1, 1, version, "ab", verdict=said,
                         network_us=9000, brightness=generator.gauss(120, 9))  # fmt: skip
        beside = replace(item, version="v2.0.0", variant="shadow", score=1 - score,
                         verdict="no_indication")  # fmt: skip
        at = START + place * HOUR_US // number
        row = LoggedRequest(
            f"{place:032x}", at, version, "ab", "/v1/predict", 200, 9,
            round(generator.lognormvariate(11, 0.5)), media_type=("image", "video")[place % 4 == 0],
            verdict=said, items=(item, beside) if place % 2 else (item,),
            environment="production", variant="serving", network_us=9000,
        )  # fmt: skip
        if place % 20 == 0:
            row = replace(row, http_status=(500, 503, 422)[place // 20 % 3], verdict=None,
                          media_type=None, items=(), error="unreadable")  # fmt: skip
        rows.append(row)
    rows.append(replace(rows[1], id="f" * 32, route="predict", environment=None))
    rows.append(replace(rows[1], id="e" * 32, environment="staging", version="v3.0.0"))
    return rows


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def watched(request, tmp_path_factory):
    """Return a log with that traffic, and its roll-ups; to be read."""
    place = tmp_path_factory.mktemp("watched") / "predictions.db"
    if request.param == "postgresql":
        place = request.getfixturevalue("postgresql").database()
    with PredictionLog(place) as log:
        log.append_many(traffic_rows())
        make_rollups(log)
        yield log


@pytest.fixture(scope="session")
def traffic():
    """Return the rows that are in it."""
    return traffic_rows()
