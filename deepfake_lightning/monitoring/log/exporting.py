"""The log as a Parquet file: a row for each score of a request, with the latest label."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.tables import item_scores, labels, requests
from deepfake_lightning.storage import atomic_write

_REQUESTS_AT_A_TIME = 20_000
_LAST_US = (1 << 63) - 1
_SCHEMA = {b"deepfake_lightning.prediction_log": b"1"}
_ARROW = {"INTEGER": pa.int64(), "BIGINT": pa.int64(), "DOUBLE": pa.float64(),
          "BOOLEAN": pa.bool_(), "BLOB": pa.binary()}  # fmt: skip
_OF_ITEM = [column for column in item_scores.c if column.name not in ("id", "request_id")]
_OF_LABEL = [labels.c[name] for name in ("label", "by", "source", "ts_us")]


def export(
    log: LogDatabase,
    path: Path,
    start_us: int = 0,
    end_us: int = _LAST_US,
    *,
    progress: Callable[[str, int, int], None] | None = None,
) -> int:
    """Write requests of a time to a Parquet file, in order of time; atomically.

    A row is a score: of the version that answered, or of a shadow version. A request without
    scores has a row with its own columns alone. Columns of scores begin with ``item_``, those of
    the latest label with ``label``. The file's metadata has ``deepfake_lightning.prediction_log``,
    the version of this format. Memory does not grow with the number of rows; what is written to
    the log meanwhile may be in it.

    Args:
        log: of which.
        path: the file, ``.parquet``.
        start_us: from when, microseconds since 1970, UTC.
        end_us: up to when, without it.
        progress: told what is done, requests done, and requests to do.

    Returns:
        How many requests were written.

    Raises:
        UsageError: the name ends otherwise.
        StorageError: the log could not be read, or the file not be written.
    """
    if path.suffix.lower() != ".parquet":
        raise UsageError(f"{path} is no Parquet file", next_step="let its name end in .parquet")
    window = and_(requests.c.ts_us >= start_us, requests.c.ts_us < end_us)
    with log.reading() as connection:
        todo = connection.scalar(select(func.count()).select_from(requests).where(window)) or 0
    schema = _schema()
    done = 0
    with atomic_write(path) as file, pq.ParquetWriter(file, schema) as writer:
        for found, rows in _pages(log, start_us, end_us):
            columns = zip(*rows, strict=True)
            arrays = [pa.array(c, field.type) for c, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            done += found
            if progress is not None:
                progress("exporting", done, max(todo, done))
    return done


def _schema() -> Any:
    named = [(column.name, column) for column in requests.c]
    named += [(_item_name(column.name), column) for column in _OF_ITEM]
    named += [(_label_name(column.name), column) for column in _OF_LABEL]
    fields = [(name, _ARROW.get(str(column.type), pa.string())) for name, column in named]
    return pa.schema(fields, metadata=_SCHEMA)


def _item_name(name: str) -> str:
    return name if name.startswith("item") else f"item_{name}"


def _label_name(name: str) -> str:
    return name if name == "label" else f"label_{name}"


def _pages(
    log: LogDatabase, start_us: int, end_us: int
) -> Iterator[tuple[int, Sequence[Sequence[Any]]]]:
    """Yield requests with their scores, some thousands at a time, and how many requests they are.

    Each page is a transaction of its own: one over all of them would keep SQLite from folding its
    write-ahead log in.
    """
    after = (start_us, "")
    while True:
        with log.reading() as connection:
            page = _page(connection, after, end_us)
            if not page:
                return
            rows = connection.execute(_joined(after, page[-1], end_us)).all()
        yield len(page), rows
        after = page[-1]


def _page(connection: Connection, after: tuple[int, str], end_us: int) -> list[tuple[int, str]]:
    query = select(requests.c.ts_us, requests.c.id).where(_beyond(after, end_us))
    query = query.order_by(requests.c.ts_us, requests.c.id).limit(_REQUESTS_AT_A_TIME)
    return [(row.ts_us, row.id) for row in connection.execute(query)]


def _joined(after: tuple[int, str], last: tuple[int, str], end_us: int) -> Select[Any]:
    ts_us, request_id = last
    up_to = or_(
        requests.c.ts_us < ts_us, and_(requests.c.ts_us == ts_us, requests.c.id <= request_id)
    )
    of_request = labels.alias()
    latest = (
        select(of_request.c.id)
        .where(of_request.c.request_id == requests.c.id, of_request.c.label.in_((0, 1)))
        .order_by(of_request.c.ts_us.desc(), of_request.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    joined = requests.outerjoin(item_scores).outerjoin(labels, labels.c.id == latest)
    return (
        select(*requests.c, *_OF_ITEM, *_OF_LABEL)
        .select_from(joined)
        .where(_beyond(after, end_us), requests.c.ts_us <= ts_us, up_to)
        .order_by(requests.c.ts_us, requests.c.id, item_scores.c.id)
    )


def _beyond(after: tuple[int, str], end_us: int) -> ColumnElement[bool]:
    ts_us, request_id = after
    return and_(
        requests.c.ts_us >= ts_us,
        requests.c.ts_us < end_us,
        or_(requests.c.ts_us > ts_us, requests.c.id > request_id),
    )
