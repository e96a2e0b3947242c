"""The prediction log: one row for each request, with the scores of its items.

It holds no pictures and no file names, and of who asked the name of the token alone; what it holds
of a request goes with :meth:`PredictionLog.erase`. What is left then are sums over minutes
(:mod:`~deepfake_lightning.monitoring.log.rollups`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.erased import remember_erased
from deepfake_lightning.monitoring.log.records import ItemScore, Label, LoggedRequest, with_result
from deepfake_lightning.monitoring.log.tables import item_scores, labels, requests
from deepfake_lightning.monitoring.log.writing import Draw, mark_dirty, write_rows
from deepfake_lightning.schemas.assessment import Assessment


class PredictionLog(LogDatabase):
    """A log in an SQLite file, or in a PostgreSQL database.

    One object serves all threads. Processes open their own: SQLite's write-ahead log lets them
    write side by side. A log of an earlier version is brought to this one's when it is opened.

    Args:
        place: path of an SQLite file, which is made with its folder, or a database's URL.

    Raises:
        StorageError: it cannot be opened.
        UsageError: an address that cannot work, or a log of a newer version.
    """

    def append(self, request: LoggedRequest, assessment: Assessment | None = None) -> None:
        """Write a request and its result, both or neither.

        Args:
            request: what was asked, and how it went.
            assessment: the result, which replaces that of ``request``; None where there is none.

        Raises:
            StorageError: it could not be written.
        """
        self.append_many([with_result(request, assessment) if assessment else request])

    def append_many(self, rows: Sequence[LoggedRequest], *, draw: Draw | None = None) -> None:
        """Write requests with their results, all or none.

        Args:
            rows: the requests.
            draw: says which of them are to be reviewed; None: none of them.

        Raises:
            StorageError: they could not be written.
        """
        with self.writing() as connection:
            write_rows(connection, rows, draw=draw)

    def find(self, request_id: str) -> LoggedRequest | None:
        """Return a request with all scores of its items, those of shadow versions last.

        Returns:
            None where it is not known.

        Raises:
            StorageError: the log could not be read.
        """
        columns = [item_scores.c[field.name] for field in fields(ItemScore)]
        of_request = select(*columns).where(item_scores.c.request_id == request_id)
        of_request = of_request.order_by(
            item_scores.c.variant != "serving", item_scores.c.item, item_scores.c.id
        )
        with self.reading() as connection:
            row = connection.execute(select(requests).where(requests.c.id == request_id)).first()
            items = connection.execute(of_request).all()
        if row is None:
            return None
        found: dict[str, Any] = dict(row._mapping)
        return LoggedRequest(**found, items=tuple(ItemScore(**item._mapping) for item in items))

    def label(self, label: Label) -> bool:
        """Keep what somebody says a request really was, beside what was said before.

        Returns:
            Whether the request is known; nothing is kept where it is not. It is not known until
            its server has written it (:class:`LogWriter`: ``flush_seconds`` at most).

        Raises:
            StorageError: it could not be written.
        """
        row = asdict(label)
        del row["id"]
        with self.writing() as connection:
            ts_us = _lock_request(connection, label.request_id)
            if ts_us is None:
                return False
            connection.execute(insert(labels).values(row))
            mark_dirty(connection, [ts_us])
        return True

    def labels(self, request_id: str) -> list[Label]:
        """Return the labels of a request, the latest last.

        Raises:
            StorageError: the log could not be read.
        """
        query = select(labels).where(labels.c.request_id == request_id)
        with self.reading() as connection:
            rows = connection.execute(query.order_by(labels.c.ts_us, labels.c.id)).all()
        return [Label(**row._mapping) for row in rows]

    def erase(self, request_id: str) -> bool:
        """Remove all that is kept of a request, from the files of SQLite, too.

        A row of it that is written later, by any process, is dropped.

        Returns:
            Whether there was anything.

        Raises:
            StorageError: it could not be removed.
        """
        with self.writing() as connection:
            remember_erased(connection, request_id)  # before all else: it waits for who writes
            ts_us = _lock_request(connection, request_id)
            if ts_us is not None:
                connection.execute(delete(requests).where(requests.c.id == request_id))
                mark_dirty(connection, [ts_us])
        self.empty_wal()
        return ts_us is not None

    def count(self) -> int:
        """Return how many requests are kept.

        Raises:
            StorageError: the log could not be read.
        """
        with self.reading() as connection:
            return connection.scalar(select(func.count()).select_from(requests)) or 0


def _lock_request(connection: Connection, request_id: str) -> int | None:
    """Return when a request came, None for an unknown one, and keep others from erasing it."""
    query = select(requests.c.ts_us).where(requests.c.id == request_id)
    found: int | None = connection.scalar(query.with_for_update())
    return found
