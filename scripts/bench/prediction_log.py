"""How fast the prediction log is written, added up, read and exported, in a real SQLite file.

Writing through ``LogWriter`` is timed in turns with the floor, the driver's own ``executemany`` of
the same rows into the same tables, at the same size of transaction. Windows are read off the
roll-ups and, for comparison, counted from the rows (with the median and 99th percentile of the
latency, as a dashboard shows them). Rows are spread over 30 days, two versions and two kinds of
media; each has a score with six features and a projection::

    python scripts/bench/prediction_log.py --rows 10000000
"""

from __future__ import annotations

import argparse
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from common import print_json, print_table, verdict

from deepfake_lightning.monitoring.log import (
    ItemScore,
    LoggedRequest,
    LogWriter,
    PredictionLog,
    new_request_id,
)
from deepfake_lightning.monitoring.log.exporting import export
from deepfake_lightning.monitoring.log.rollup_windows import merged, read_rollups
from deepfake_lightning.monitoring.log.rollups import make_rollups
from deepfake_lightning.monitoring.log.writing import Draw
from deepfake_lightning.monitoring.review import ReviewPolicy, drawing

END_US = 1_767_225_600_000_000
WINDOWS_S = {"5 min": 300, "1 h": 3600, "24 h": 86_400, "30 days": 30 * 86_400}
BATCH, PART = 1000, 100_000
GOAL_WINDOW_MS, GOAL_SHARE = 200, 0.5


def rows(number: int, total: int, seed: int) -> Iterator[LoggedRequest]:
    """Yield requests whose times are spread over 30 days."""
    generator = np.random.default_rng(seed)
    step = WINDOWS_S["30 days"] * 1_000_000 / total
    verdicts = ("manipulation_indicated", "no_indication", "inconclusive")
    logits = generator.normal(0, 3, number).tolist()
    latency = generator.lognormal(10, 1, number).astype(int).tolist()
    kinds = generator.integers(0, 4, number).tolist()
    quality = generator.normal(50, 10, (number, 6)).tolist()
    projection = generator.bytes(128)
    for place in range(number):
        ts_us = END_US - WINDOWS_S["30 days"] * 1_000_000 + int((seed * PART + place) * step)
        version = ("v1.0.0", "v1.1.0")[kinds[place] % 2]
        said = verdicts[place % 3]
        score = 1 / (1 + np.exp(-logits[place]))
        item = ItemScore(
            0, "ok", logits[place], float(score), True, 1, 1, version, "ab" * 32, "serving", said,
            7000, *quality[place], projection,
        )  # fmt: skip
        yield LoggedRequest(
            new_request_id(ts_us), ts_us, version, "ab" * 32, "/v1/predict", 200, 50_000,
            latency[place], None, ("image", "video")[kinds[place] // 2], said, 12_000, 7000,
            (item,), "production", None, "app", "serving", 100, 5000, 7000,
        )  # fmt: skip


def through_writer(place: Path, given: list[LoggedRequest], draw: Draw | None = None) -> float:
    """Return the seconds that the writer takes."""
    with PredictionLog(place) as log:
        began = time.perf_counter()
        with LogWriter(log, capacity=len(given), rollup_seconds=None, draw=draw) as writer:
            for row in given:
                writer.put(row)
        return time.perf_counter() - began


def drawing_reviews(place: Path, given: list[LoggedRequest]) -> float:
    """Return the seconds that the writer takes when it draws requests for review, too."""
    return through_writer(place, given, drawing(ReviewPolicy()))


def plain(place: Path, given: list[LoggedRequest]) -> float:
    """Return the seconds that ``executemany`` takes, without making tuples of the rows."""
    names = [field.name for field in fields(LoggedRequest) if field.name != "items"]
    of_item = [field.name for field in fields(ItemScore)]
    first = [tuple(getattr(row, name) for name in names) for row in given]
    second = [
        (row.id, *(getattr(item, name) for name in of_item)) for row in given for item in row.items
    ]
    with PredictionLog(place) as log:  # its settings are a connection's own
        connection = log._engine.raw_connection()
        cursor = connection.cursor()
        into = f"INSERT INTO requests ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        score = f"INSERT INTO item_scores (request_id, {', '.join(of_item)}) "
        score += f"VALUES ({', '.join('?' * (len(of_item) + 1))})"
        began = time.perf_counter()
        for start in range(0, len(given), BATCH):
            cursor.execute("BEGIN IMMEDIATE")
            cursor.executemany(into, first[start : start + BATCH])
            cursor.executemany(score, second[start : start + BATCH])
            cursor.execute("COMMIT")
        seconds = time.perf_counter() - began
        connection.close()
    return seconds


def raw_window(place: Path, seconds: int) -> float:
    """Return the milliseconds that counting the rows of a window takes, with its percentiles."""
    connection = sqlite3.connect(place)
    began = time.perf_counter()
    found = connection.execute(
        "SELECT version, verdict, latency_us FROM requests WHERE ts_us >= ? AND ts_us < ?",
        (END_US - 1_000_000 * seconds, END_US),
    )
    counts: dict[Any, int] = {}
    latency = []
    for version, said, took in found:
        counts[version, said] = counts.get((version, said), 0) + 1
        latency.append(took)
    np.quantile(latency, (0.5, 0.99))
    connection.close()
    return 1000 * (time.perf_counter() - began)


def of_rollups(log: PredictionLog, seconds: int) -> float:
    """Return the milliseconds that the same takes with roll-ups."""
    began = time.perf_counter()
    found = read_rollups(log, END_US - 1_000_000 * seconds, END_US)
    total = merged(found)
    total.latency_quantile(0.5), total.latency_quantile(0.99)
    return 1000 * (time.perf_counter() - began)


def timed(action: Callable[[], Any]) -> float:
    """Return the seconds that something takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def measure(folder: Path, total: int, rounds: int) -> dict[str, Any]:
    """Measure it all, and return figures by name."""
    found: dict[str, Any] = {"rows": total}
    part, file = min(PART, total), folder / "predictions.db"
    ways = [
        ("writer", through_writer), ("with_reviews", drawing_reviews), ("executemany", plain)
    ]  # fmt: skip
    rates: dict[str, list[float]] = {name: [] for name, _ in ways}
    cpu: dict[str, list[float]] = {name: [] for name, _ in ways}
    for turn in range(rounds):
        given = list(rows(part, total, turn))
        for name, write in ways if turn % 2 else ways[::-1]:
            place = folder / f"{name}-{turn}.db"
            PredictionLog(place).close()
            began = time.process_time()
            rates[name].append(part / write(place, given))
            cpu[name].append(part / (time.process_time() - began))
            place.unlink()
    found["write_per_s"] = {name: round(statistics.median(rate)) for name, rate in rates.items()}
    found["write_per_cpu_s"] = {name: round(statistics.median(rate)) for name, rate in cpu.items()}
    seconds = 0.0
    for seed in range(0, total // part):
        given = list(rows(part, total, seed))
        seconds += through_writer(file, given)
    found["fill_per_s"] = round(total / seconds)
    found["bytes_per_row"] = round(file.stat().st_size / total)
    with PredictionLog(file) as log:
        found["rollup_per_s"] = round(total / timed(lambda: make_rollups(log)))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found["export_per_s"] = round(total / timed(lambda: export(log, folder / "log.parquet")))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
        found["export_grew_mb"] = round(grown / 1024)
        found["window_ms"] = {
            name: {
                "rollups": round(statistics.median(of_rollups(log, s) for _ in range(11)), 1),
                "rows": round(statistics.median(raw_window(file, s) for _ in range(3)), 1),
            }
            for name, s in WINDOWS_S.items()
        }
    return found


def main() -> None:
    """Measure, and print a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="where the files go (default: the system's own)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="prediction-log-", dir=given.folder) as folder:
        found = measure(Path(folder), given.rows, given.rounds)
    write = found["write_per_s"]
    table = [
        ["of a log of", f"{given.rows:,} requests, {found['bytes_per_row']} bytes each"],
        ["written through LogWriter, requests/s", f"{write['writer']:,}"],
        ["the same, and drawn for review, requests/s", f"{write['with_reviews']:,}"],
        ["floor: executemany, requests/s", f"{write['executemany']:,}"],
        ["written as the log fills, requests/s", f"{found['fill_per_s']:,}"],
        ["added up, requests/s", f"{found['rollup_per_s']:,}"],
        ["exported, requests/s", f"{found['export_per_s']:,}"],
        ["memory grew while exporting, MB", f"{found['export_grew_mb']:,}"],
    ]
    for name, took in found["window_ms"].items():
        table.append([f"window of {name}, ms", f"{took['rollups']:,} (rows: {took['rows']:,})"])
    print_table([["figure", "value"], *table])
    share = write["writer"] / write["executemany"]
    print(
        f"LogWriter reaches {share:.2f} of the floor; {verdict(share, GOAL_SHARE, at_least=True)}"
    )
    slowest = max(took["rollups"] for took in found["window_ms"].values())
    print(f"slowest window {slowest} ms; {verdict(slowest, GOAL_WINDOW_MS, at_least=False)}")
    print_json("prediction_log", found)


if __name__ == "__main__":
    main()
