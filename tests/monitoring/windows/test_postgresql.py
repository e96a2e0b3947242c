"""The same traffic in SQLite and in PostgreSQL: the same queries give the same figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from typing import Any

import pyarrow.parquet as pq
import pytest

from deepfake_lightning.monitoring.log import Label, PredictionLog
from deepfake_lightning.monitoring.log.exporting import export
from deepfake_lightning.monitoring.log.overview import overview, to_record
from deepfake_lightning.monitoring.log.rollup_windows import read_rollups
from deepfake_lightning.monitoring.log.rollups import make_rollups
from deepfake_lightning.monitoring.log.tables import COUNTS
from deepfake_lightning.monitoring.review import (
    ReviewPolicy,
    drawing,
    queue_counts,
    review_queue,
)
from deepfake_lightning.monitoring.windows import (
    Period,
    Scope,
    audited_quality,
    read_series,
    read_window,
    recent_predictions,
)

START = 1_700_049_600_000_000
HOUR = Period(START, START + 3_600_000_000)
BOTH = Scope("production", variant=None)
REVIEW = ReviewPolicy(rate=0.5)


@pytest.fixture(scope="module")
def both(traffic: Any, postgresql: Any, tmp_path_factory: Any) -> Any:
    """Return the two logs, with an hour of traffic, labels, and an erased request."""
    place = tmp_path_factory.mktemp("both") / "predictions.db"
    with PredictionLog(place) as one, PredictionLog(postgresql.database()) as other:
        for log in (one, other):
            log.append_many(traffic, draw=drawing(REVIEW))
            for number, row in enumerate(traffic[:90]):
                source = ("review", "feedback")[number % 5 == 0]
                at = row.ts_us + 60_000_000 * number
                log.label(Label(row.id, at, number % 3 - 1, by="ada", source=source, note="é"))
            log.erase(traffic[8].id)
            make_rollups(log)
        yield one, other


def exported(log: PredictionLog, folder: Any) -> Any:
    path = folder / f"{'one' if log.file else 'other'}.parquet"
    export(log, path)
    return pq.read_table(path).to_pylist()


def rolled_up(log: PredictionLog, folder: Any) -> Any:
    found = read_rollups(log, *(HOUR.start_us, HOUR.end_us), by=["environment", "media_type"],
                         step_s=600)  # fmt: skip
    return [(one.start_us, one.key, {name: one.totals.count(name) for name in COUNTS},
             one.totals.latency_quantile(0.99)) for one in found]  # fmt: skip


def seen(log: PredictionLog, folder: Any) -> Any:
    record = to_record(overview(log, 0, 2 * START))
    return {name: value for name, value in record.items() if name != "bytes"}


READS: dict[str, Callable[[PredictionLog, Any], Any]] = {
    "roll-ups": rolled_up,
    "overview": seen,
    "window": lambda log, _: read_window(log, HOUR, BOTH),
    "series": lambda log, _: read_series(log, HOUR, BOTH),
    "recent": lambda log, _: recent_predictions(log, Scope("production"), number=300),
    "quality": lambda log, _: audited_quality(log, HOUR, BOTH),
    "queue": lambda log, _: review_queue(log, policy=REVIEW, limit=300),
    "waiting": lambda log, _: queue_counts(log, policy=REVIEW),
    "export": exported,
}


@pytest.mark.parametrize("what", READS)
def test_it_is_the_same_in_both(both: Any, what: str, tmp_path: Any) -> None:
    one, other = (READS[what](log, tmp_path) for log in both)
    assert one
    assert_same(one, other)


def assert_same(one: Any, other: Any, way: str = "") -> None:
    """Compare what was read; sums of floats are added up in another order."""
    assert type(one) is type(other), way
    if is_dataclass(one) and not isinstance(one, type):
        assert_same(asdict(one), asdict(other), way)  # type: ignore[arg-type]
    elif isinstance(one, dict):
        assert list(one) == list(other), way
        for key in one:
            assert_same(one[key], other[key], f"{way}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), way
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{way}[{number}]")
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-9, nan_ok=True), way
    else:
        assert one == other, way
