"""Rows into the log's tables, and the minutes whose roll-ups they change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from deepfake_lightning.monitoring.log.erased import erased_among
from deepfake_lightning.monitoring.log.records import ItemScore, LoggedRequest
from deepfake_lightning.monitoring.log.tables import (
    dirty_minutes,
    item_scores,
    requests,
    review_queue,
)

MINUTE_US = 60_000_000
_AT_A_TIME = 500  # SQLite allows a statement 999 parameters, or more
_REQUEST = tuple(field.name for field in fields(LoggedRequest) if field.name != "items")
_ITEM = tuple(field.name for field in fields(ItemScore))
# ``dataclasses.asdict`` copies deeply, and takes longer than the database.
_of_request: Callable[[LoggedRequest], tuple[Any, ...]] = attrgetter(*_REQUEST)
_of_item: Callable[[ItemScore], tuple[Any, ...]] = attrgetter(*_ITEM)

_OF_DRAWN = ("id", "ts_us", "environment", "media_type", "version")
_DRAWN = ("request_id", *_OF_DRAWN[1:], "probability", "stratum")
_of_drawn: Callable[[LoggedRequest], tuple[Any, ...]] = attrgetter(*_OF_DRAWN)

Shadow = tuple[str, ItemScore]
Draw = Callable[[LoggedRequest], tuple[float, str] | None]
"""Says of a request whether it is drawn for review: the chance that it had, and its stratum."""


def minute_of(ts_us: int) -> int:
    """Return when the minute of a time began, microseconds."""
    return ts_us - ts_us % MINUTE_US


def write_rows(
    connection: Connection,
    rows: Sequence[LoggedRequest],
    shadows: Sequence[Shadow] = (),
    *,
    draw: Draw | None = None,
) -> list[Shadow]:
    """Write requests with their items, and scores of shadow versions for requests in the log.

    What is of an erased request is dropped.

    Args:
        connection: of a transaction that the caller ends.
        rows: requests that are not in the log yet.
        shadows: request ids, and what a shadow version found out.
        draw: says which of the requests are to be reviewed; None: none of them.

    Returns:
        The shadows' scores whose request is not in the log, or not yet. They are not written.
    """
    ids = [row.id for row in rows] + [request for request, _ in shadows]
    if gone := erased_among(connection, ids):
        rows = [row for row in rows if row.id not in gone]
        shadows = [shadow for shadow in shadows if shadow[0] not in gone]
    items = [(row.id, item) for row in rows for item in row.items]
    times = {row.id: row.ts_us for row in rows}
    if shadows:
        times |= _times(connection, {request for request, _ in shadows} - times.keys())
    items += [shadow for shadow in shadows if shadow[0] in times]
    _insert(connection, requests, _REQUEST, [_of_request(row) for row in rows])
    scores = [(request, *_of_item(item)) for request, item in items]
    _insert(connection, item_scores, ("request_id", *_ITEM), scores)
    if draw is not None:
        _insert(connection, review_queue, _DRAWN, [
            (*_of_drawn(row), *found)
            for row in rows if (found := draw(row)) is not None
        ])  # fmt: skip
    changed = [row.ts_us for row in rows] + [times[request] for request, _ in items]
    mark_dirty(connection, changed)
    return [shadow for shadow in shadows if shadow[0] not in times]


def mark_dirty(connection: Connection, times_us: Iterable[int]) -> None:
    """Note that the roll-ups of these times are to be made again."""
    starts = sorted({minute_of(ts_us) for ts_us in times_us})
    if starts:
        connection.execute(insert(dirty_minutes), [{"start_us": start} for start in starts])


def known_among(connection: Connection, request_ids: Iterable[str]) -> set[str]:
    """Return those of some requests that are in the log."""
    return set(_times(connection, request_ids))


ScoreKey = tuple[str, int, str, str]


def score_key(request_id: str, item: ItemScore) -> ScoreKey:
    """Return what tells a score from others: request, item, version and variant."""
    return request_id, item.item, item.version, item.variant


def scored_among(connection: Connection, request_ids: Iterable[str]) -> set[ScoreKey]:
    """Return the keys of the scores in the log that some requests have."""
    found: set[ScoreKey] = set()
    columns, wanted = item_scores.c, sorted(request_ids)
    for start in range(0, len(wanted), _AT_A_TIME):
        query = select(columns.request_id, columns.item, columns.version, columns.variant).where(
            columns.request_id.in_(wanted[start : start + _AT_A_TIME])
        )
        found.update((*row,) for row in connection.execute(query))
    return found


def _times(connection: Connection, ids: Iterable[str]) -> dict[str, int]:
    known, wanted = {}, sorted(ids)
    for start in range(0, len(wanted), _AT_A_TIME):
        query = select(requests.c.id, requests.c.ts_us).where(
            requests.c.id.in_(wanted[start : start + _AT_A_TIME])
        )
        known.update({row.id: row.ts_us for row in connection.execute(query)})
    return known


def _insert(
    connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Hand rows to the driver as they are: SQLAlchemy's way there takes as long as the database."""
    if not rows:
        return
    compiled = insert(table).compile(dialect=connection.dialect, column_keys=list(names))
    if compiled.positional:
        place = [names.index(name) for name in compiled.positiontup or ()]
        if place != list(range(len(names))):
            rows = [tuple(row[at] for at in place) for row in rows]
        connection.exec_driver_sql(str(compiled), list(rows))
    else:
        connection.exec_driver_sql(str(compiled), [dict(zip(names, r, strict=True)) for r in rows])
