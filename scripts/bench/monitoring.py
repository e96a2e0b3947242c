"""How long what ``monitor`` and the dashboard ask for takes in a log of 10,000,000 requests.

Each question is asked 11 times in a process that has the log open, as a dashboard has it; windows
are counted from the rows as well, for comparison. The log is that of ``prediction_log.py``: 30
days, two versions, two kinds of media; about 2 % of its requests are drawn for review here, 3,000
of these are labelled by reviewers, and 20,000 requests have feedback that must not get in the way::

    python scripts/bench/monitoring.py --rows 10000000
    python scripts/bench/monitoring.py --log predictions.db  # made before; it is added to
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import print_json, print_table, verdict
from prediction_log import END_US, PART, raw_window, rows, through_writer
from sqlalchemy import text

from deepfake_lightning.monitoring.drift import read_drift
from deepfake_lightning.monitoring.log import PredictionLog
from deepfake_lightning.monitoring.log.rollups import make_rollups
from deepfake_lightning.monitoring.review import queue_counts, review_queue
from deepfake_lightning.monitoring.windows import (
    Period,
    Scope,
    audited_quality,
    read_series,
    read_window,
    recent_predictions,
)

PERIODS_S = {"5 min": 300, "1 h": 3600, "24 h": 86_400, "7 days": 604_800, "30 days": 2_592_000}
TIMES, GOAL_MS = 11, 200
PRODUCTION = Scope("production")

# Which requests are drawn, and labelled, follows from their row numbers: the same each time.
_DRAW = """
INSERT INTO review_queue (request_id, ts_us, environment, media_type, version, probability,
stratum) SELECT id, ts_us, environment, media_type, version, 0.02, CASE rowid % 3 WHEN 0 THEN
'0-0.1' WHEN 1 THEN '0.1-0.3' ELSE '0.3-0.7' END FROM requests WHERE rowid % 50 = 0"""
_REVIEW = """
INSERT INTO labels (request_id, ts_us, label, by, source)
SELECT request_id, ts_us + 7200000000, rowid % 2, 'reviewer', 'review'
FROM review_queue WHERE rowid % :every = 0"""
_FEEDBACK = """
INSERT INTO labels (request_id, ts_us, label, by, source)
SELECT id, ts_us + 3600000000, rowid % 2, 'reader', 'feedback' FROM requests
WHERE rowid % :every = 7"""


def draw(log: PredictionLog, total: int) -> None:
    """Queue requests for review, and label some of them, where that is not done yet."""
    with log.writing() as connection:
        if connection.scalar(text("SELECT count(*) FROM review_queue")):
            return
        connection.execute(text(_DRAW))
        connection.execute(text(_REVIEW), {"every": max(1, total // 50 // 3000)})
        connection.execute(text(_FEEDBACK), {"every": max(1, total // 20_000)})


def asked(log: PredictionLog) -> dict[str, Callable[[], Any]]:
    """Return the questions, by name."""
    found: dict[str, Callable[[], Any]] = {}
    for name, seconds in PERIODS_S.items():
        period = Period(END_US - seconds * 1_000_000, END_US)
        found[f"window, {name}"] = lambda p=period: read_window(log, p, PRODUCTION)
        found[f"series, {name}"] = lambda p=period: read_series(log, p, PRODUCTION)
        found[f"audited, {name}"] = lambda p=period: audited_quality(log, p, PRODUCTION)
    month = Period(END_US - PERIODS_S["30 days"] * 1_000_000, END_US)
    image = Scope("production", media_type="image")
    both = Scope("production", variant=None)
    absent = Scope("staging")
    found |= {
        "audited, 30 days, shadows too": lambda: audited_quality(log, month, both),
        "audited, 30 days, one media type": lambda: audited_quality(log, month, image),
        "latest 50": lambda: recent_predictions(log, PRODUCTION),
        "latest 50 of a version": lambda: recent_predictions(log, Scope(version="v1.1.0")),
        "latest 50, none of the scope": lambda: recent_predictions(log, absent),
        "window, 24 h, none of the scope": lambda: read_window(
            log, Period(END_US - 86_400_000_000, END_US), absent
        ),
        "review queue, counted": lambda: queue_counts(log, month, "production"),
        "review queue, first 50": lambda: review_queue(log, environment="production"),
        "drift, last 500 windows": lambda: read_drift(log, environment="production", last=500),
    }
    return found


def timed(ask: Callable[[], Any], times: int = TIMES) -> dict[str, float]:
    """Return how many milliseconds an answer takes: by the clock, and of the processor's time.

    SQLite works in this process: on a machine that does other things as well, the processor's time
    is what an idle one would take, with the file in memory.
    """
    ask()
    wall, cpu = [], []
    for _ in range(times):
        began, busy = time.perf_counter(), time.process_time()
        ask()
        cpu.append(1000 * (time.process_time() - busy))
        wall.append(1000 * (time.perf_counter() - began))
    found = {"ms": statistics.median(wall), "worst_ms": max(wall), "cpu_ms": statistics.median(cpu)}
    return {name: round(value, 1) for name, value in found.items()}


def measure(place: Path, total: int) -> dict[str, Any]:
    """Measure it all, and return figures by name."""
    with PredictionLog(place) as log:
        make_rollups(log)
        draw(log, total)
        took = {name: timed(ask) for name, ask in asked(log).items()}
    counting = {name: round(raw_window(place, s), 1) for name, s in PERIODS_S.items()}
    return {"rows": total, "asked": took, "rows_ms": counting}


def main() -> None:
    """Measure, and print a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--log", help="one that prediction_log.py has made (default: a new one)")
    parser.add_argument("--folder", help="where a new one goes (default: the system's own)")
    given = parser.parse_args()
    if given.log:
        with PredictionLog(given.log) as log:
            total = log.count()
        found = measure(Path(given.log), total)
    else:
        with tempfile.TemporaryDirectory(prefix="monitoring-", dir=given.folder) as folder:
            place = Path(folder) / "predictions.db"
            for seed in range(max(1, given.rows // PART)):
                part = min(PART, given.rows)
                through_writer(place, list(rows(part, given.rows, seed)))
            found = measure(place, given.rows)
    table = [["asked", "median ms", "slowest ms", "CPU ms", "counting rows, ms"]]
    for name, took in found["asked"].items():
        counted = found["rows_ms"].get(name.removeprefix("window, "))
        shown = f"{counted:,}" if counted and name.startswith("window") else ""
        table.append([name, *(f"{value:,}" for value in took.values()), shown])
    print_table(table)
    for name in ("ms", "cpu_ms"):
        slowest = max(took[name] for took in found["asked"].values())
        print(f"{found['rows']:,} requests, {name}: slowest median {slowest}; "
              f"{verdict(slowest, GOAL_MS, at_least=False)}")  # fmt: skip
    print_json("monitoring", found)


if __name__ == "__main__":
    main()
