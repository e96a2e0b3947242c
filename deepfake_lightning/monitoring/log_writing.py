"""Rows into the log's tables, and the minutes whose roll-ups they change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, insert, select

from deepfake_lightning.monitoring.log_tables import dirty_minutes, item_scores, requests
from deepfake_lightning.monitoring.records import ItemScore, LoggedRequest

MINUTE_US = 60_000_000
_AT_A_TIME = 500  # SQLite allows a statement 999 parameters, or more
_REQUEST = tuple(field.name for field in fields(LoggedRequest) if field.name != "items")
_ITEM = tuple(field.name for field in fields(ItemScore))

Shadow = tuple[str, ItemScore]


def minute_of(ts_us: int) -> int:
    """Return when the minute of a time began, microseconds."""
    return ts_us - ts_us % MINUTE_US


def write_rows(
    connection: Connection, rows: Sequence[LoggedRequest], shadows: Sequence[Shadow] = ()
) -> list[Shadow]:
    """Write requests with their items, and scores of shadow versions for requests in the log.

    Args:
        connection: of a transaction that the caller ends.
        rows: requests that are not in the log yet.
        shadows: request ids, and what a shadow version found out.

    Returns:
        The shadows' scores whose request is not in the log: not yet, or erased. They are not
        written.
    """
    items = [(row.id, item) for row in rows for item in row.items]
    times = {row.id: row.ts_us for row in rows}
    if shadows:
        times |= _times(connection, {request for request, _ in shadows} - times.keys())
    items += [shadow for shadow in shadows if shadow[0] in times]
    if rows:
        connection.execute(insert(requests), _as_dicts(_REQUEST, rows))
    if items:
        scores = _as_dicts(_ITEM, [item for _, item in items])
        for score, (request, _) in zip(scores, items, strict=True):
            score["request_id"] = request
        connection.execute(insert(item_scores), scores)
    changed = [row.ts_us for row in rows] + [times[request] for request, _ in items]
    mark_dirty(connection, changed)
    return [shadow for shadow in shadows if shadow[0] not in times]


def mark_dirty(connection: Connection, times_us: Iterable[int]) -> None:
    """Note that the roll-ups of these times are to be made again."""
    starts = sorted({minute_of(ts_us) for ts_us in times_us})
    if starts:
        connection.execute(insert(dirty_minutes), [{"start_us": start} for start in starts])


def _times(connection: Connection, ids: Iterable[str]) -> dict[str, int]:
    known, wanted = {}, sorted(ids)
    for start in range(0, len(wanted), _AT_A_TIME):
        query = select(requests.c.id, requests.c.ts_us).where(
            requests.c.id.in_(wanted[start : start + _AT_A_TIME])
        )
        known.update({row.id: row.ts_us for row in connection.execute(query)})
    return known


def _as_dicts(names: tuple[str, ...], rows: Sequence[object]) -> list[dict[str, Any]]:
    # ``dataclasses.asdict`` copies deeply, and takes longer than the database.
    values: Callable[[object], tuple[Any, ...]] = attrgetter(*names)
    return [dict(zip(names, values(row), strict=True)) for row in rows]
