"""What was erased stays so: rows that come later, from other processes too, are not written.

A process writes its rows some moments after its answers, so a request may be erased before its row
is there. The hash of its id is kept for good, and rows of such an id are dropped: copies of media
lie elsewhere, in training loops, and only this record tells them that a request was erased, and not
pruned or never in this log (:mod:`deepfake_lightning.retraining.erasing`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sqlalchemy import Connection, select, text

from deepfake_lightning.monitoring.log.request_ids import time_of
from deepfake_lightning.monitoring.log.tables import erased


def remember_erased(connection: Connection, request_id: str) -> None:
    """Note in the caller's transaction that a request is erased, for good.

    On PostgreSQL it waits for those that write rows: the caller sees all of theirs afterwards.

    Args:
        connection: of a transaction that writes.
        request_id: of the request; one that holds no time is not noted, as no server gave it.
    """
    ts_us = time_of(request_id)
    if ts_us is None:
        return
    note = text("INSERT INTO erased (id, ts_us) VALUES (:id, :ts_us) ON CONFLICT DO NOTHING")
    connection.execute(note, {"id": _hash(request_id), "ts_us": ts_us})


def erased_among(
    connection: Connection, request_ids: Iterable[str], *, hold: bool = True
) -> set[str]:
    """Return those of some requests that are erased.

    Args:
        connection: of a transaction.
        request_ids: of the requests.
        hold: erase no more until the transaction, which writes, ends.
    """
    times = {name: ts_us for name in request_ids if (ts_us := time_of(name)) is not None}
    if not times:
        return set()
    if hold and connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        connection.execute(text("LOCK TABLE erased IN SHARE MODE"))
    # By their times: mostly there are none, and then no id has to be hashed.
    between = erased.c.ts_us.between(min(times.values()), max(times.values()))
    hashes = set(connection.scalars(select(erased.c.id).where(between)))
    return {name for name in times if _hash(name) in hashes} if hashes else set()


def _hash(request_id: str) -> str:
    return hashlib.sha256(request_id.encode()).hexdigest()[:32]
