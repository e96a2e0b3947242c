"""From the log's rows to totals: one pass over the requests and their scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Select, func, select

from deepfake_lightning.monitoring.log.tables import COUNTS, KEYS, item_scores, labels, requests
from deepfake_lightning.monitoring.log.totals import (
    LATENCY_EDGES,
    QUALITY,
    SCORE_EDGES,
    STAGES,
    TotalsTable,
)
from deepfake_lightning.monitoring.log.writing import MINUTE_US

_ROWS_AT_A_TIME = 20_000
_VERDICTS = ("manipulation_indicated", "no_indication", "inconclusive", "not_assessable")
# Verdict and label -> what it counts as.
_OUTCOMES = {
    ("manipulation_indicated", 1): "tp", ("manipulation_indicated", 0): "fp",
    ("no_indication", 0): "tn", ("no_indication", 1): "fn",
}  # fmt: skip

Columns = dict[str, Sequence[Any]]


def add_rows(connection: Connection, table: TotalsTable, start_us: int, end_us: int) -> int:
    """Add all that the log holds of a time.

    Args:
        connection: to the log, in a transaction that sees one state of it.
        table: what is added to, by (start of the minute, ``KEYS``).
        start_us: from when, microseconds.
        end_us: up to when, without it.

    Returns:
        How many requests there were.
    """
    found = 0
    window = (requests.c.ts_us >= start_us) & (requests.c.ts_us < end_us)
    for columns in _parts(connection, _of_requests().where(window)):
        found += len(columns["http_status"])
        _add_requests(table, columns)
    for columns in _parts(connection, _of_items().where(window)):
        _add_items(table, columns)
    return found


def _key(version: ColumnElement[Any], variant: ColumnElement[Any]) -> tuple[Any, ...]:
    def known(column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.coalesce(column, "")

    return (
        (requests.c.ts_us - requests.c.ts_us % MINUTE_US).label("start_us"),
        known(requests.c.environment).label("environment"),
        version.label("version"),
        variant.label("variant"),
        known(requests.c.media_type).label("media_type"),
        requests.c.route.label("route"),
    )


def _of_requests() -> Select[Any]:
    return select(
        *_key(requests.c.version, func.coalesce(requests.c.variant, "serving")),
        requests.c.http_status,
        requests.c.latency_us,
        *(requests.c[f"{stage}_us"] for stage in STAGES),
    )


def _of_items() -> Select[Any]:
    latest = (
        select(labels.c.label)
        .where(labels.c.request_id == item_scores.c.request_id, labels.c.label.in_((0, 1)))
        .order_by(labels.c.ts_us.desc(), labels.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return select(
        *_key(item_scores.c.version, item_scores.c.variant),
        item_scores.c.status,
        item_scores.c.score,
        item_scores.c.verdict,
        item_scores.c.network_us,
        latest.label("label"),
        *(item_scores.c[name] for name in QUALITY),
    ).join_from(requests, item_scores)


def _parts(connection: Connection, query: Select[Any]) -> Iterator[Columns]:
    streamed = connection.execution_options(yield_per=_ROWS_AT_A_TIME).execute(query)
    names = tuple(streamed.keys())
    for part in streamed.partitions():
        yield dict(zip(names, zip(*part, strict=True), strict=True))


def _where(table: TotalsTable, columns: Columns) -> NDArray[np.intp]:
    return table.rows(list(zip(*(columns[name] for name in ("start_us", *KEYS)), strict=True)))


def _count(table: TotalsTable, where: NDArray[np.intp], name: str, amount: Any = 1) -> None:
    table.add("counts", where, (COUNTS.index(name),), amount)


def _numbers(values: Sequence[Any]) -> NDArray[np.float64]:
    return np.array(values, np.float64)  # None becomes NaN


def _add_requests(table: TotalsTable, columns: Columns) -> None:
    where = _where(table, columns)
    status = np.array(columns["http_status"], np.int64)
    latency = np.array(columns["latency_us"], np.int64)
    _count(table, where, "requests")
    _count(table, where, "latency_us", latency)
    shed = status == 503
    for hundreds in (2, 4, 5):
        _count(table, where[(status // 100 == hundreds) & ~shed], f"status_{hundreds}xx")
    _count(table, where[shed], "status_503")
    table.add("latency", where, (np.searchsorted(LATENCY_EDGES, latency, side="right"),))
    for stage, name in enumerate(STAGES):
        _add_stage(table, where, stage, _numbers(columns[f"{name}_us"]))


def _add_stage(
    table: TotalsTable, where: NDArray[np.intp], stage: int, took: NDArray[np.float64]
) -> None:
    known = ~np.isnan(took)
    table.add("stages", where[known], (stage, 0))
    table.add("stages", where[known], (stage, 1), took[known])


def _add_items(table: TotalsTable, columns: Columns) -> None:
    where = _where(table, columns)
    status, verdict, label = (
        np.array(columns[name], object) for name in ("status", "verdict", "label")
    )
    _count(table, where, "items")
    for name in ("no_face", "unreadable"):
        _count(table, where[status == name], name)
    for name in _VERDICTS:
        _count(table, where[verdict == name], name)
    labelled = ~np.isnan(_numbers(columns["label"]))
    _count(table, where[labelled], "labelled")
    for (said, true), name in _OUTCOMES.items():
        _count(table, where[(verdict == said) & (label == true)], name)
    _add_scores(table, where, _numbers(columns["score"]))
    for feature, name in enumerate(QUALITY):
        values = _numbers(columns[name])
        known = ~np.isnan(values)
        for power in range(3):
            table.add("quality", where[known], (feature, power), values[known] ** power)
    # Of the version that answered, the request's own row says it.
    shadow = np.array(columns["variant"], object) != "serving"
    network = np.where(shadow, _numbers(columns["network_us"]), np.nan)
    _add_stage(table, where, STAGES.index("network"), network)


def _add_scores(table: TotalsTable, where: NDArray[np.intp], score: NDArray[np.float64]) -> None:
    known = ~np.isnan(score)
    with np.errstate(divide="ignore"):
        log_odds = np.log(score[known]) - np.log1p(-score[known])
    bucket = np.searchsorted(SCORE_EDGES, log_odds, side="right") - 1
    table.add("scores", where[known], (np.clip(bucket, 0, len(SCORE_EDGES) - 2),))
