"""Totals into the ``rollups`` table and back. Arrays are stored as little-endian bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select

from deepfake_lightning.monitoring.log.tables import COUNTS, KEYS, rollups
from deepfake_lightning.monitoring.log.totals import SHAPES, TotalsTable

Fields = dict[str, NDArray[Any]]
_BLOBS = tuple(name for name in SHAPES if name != "counts")


def insert_rows(connection: Connection, span_s: int, table: TotalsTable) -> None:
    """Write totals.

    Args:
        connection: of a transaction that the caller ends.
        span_s: seconds of each.
        table: by (start, microseconds, and ``KEYS``).
    """
    rows = []
    for key, totals in table.items():
        row: dict[str, Any] = {"span_s": span_s, "start_us": key[0]}
        row |= zip(KEYS, key[1:], strict=True)
        row |= zip(COUNTS, totals.counts.tolist(), strict=True)
        for name in _BLOBS:
            row[name] = getattr(totals, name).astype(SHAPES[name][2]).tobytes()
        rows.append(row)
    if rows:
        connection.execute(insert(rollups), rows)


def delete_rows(connection: Connection, span_s: int, starts: Sequence[int]) -> None:
    """Remove the totals of spans."""
    if starts:
        of_start = (rollups.c.span_s == span_s) & (rollups.c.start_us == bindparam("start"))
        connection.execute(delete(rollups).where(of_start), [{"start": start} for start in starts])


def read_rows(
    connection: Connection, chosen: ColumnElement[bool]
) -> tuple[list[dict[str, Any]], Fields]:
    """Return totals as they lie in the table.

    Args:
        connection: to the log.
        chosen: which rows.

    Returns:
        Their ``start_us`` and ``KEYS``, and the fields of ``Totals`` as arrays [N, ...].
    """
    named = ("start_us", *KEYS)
    columns = [rollups.c[name] for name in (*named, *COUNTS, *_BLOBS)]
    found = connection.execute(select(*columns).where(chosen)).all()
    rows = [dict(zip(named, row[: len(named)], strict=True)) for row in found]
    end = len(named) + len(COUNTS)
    counts = np.array([row[len(named) : end] for row in found], np.int64)
    fields: Fields = {"counts": counts.reshape(len(found), len(COUNTS))}
    for place, name in enumerate(_BLOBS, end):
        shape, dtype, stored = SHAPES[name]
        joined = b"".join(row[place] for row in found)
        fields[name] = np.frombuffer(joined, stored).astype(dtype).reshape(len(found), *shape)
    return rows, fields
