"""Where a log lies, and how its database is reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from deepfake_lightning.errors import UsageError

BUSY_MS = 5000  # a writer waits this long for another one's lock
WRITES = "log_writes"  # option of an engine
CONNECT_SECONDS = 10  # else a server that hangs keeps who asks it waiting for minutes
_KINDS = ("sqlite", "postgresql")


def log_url(place: str | Path) -> URL:
    """Return the address of a log: a path is an SQLite file.

    Raises:
        UsageError: an address that cannot be parsed, or a database in memory, which each thread
            would have one of. The text given is not repeated: it may hold a password.
    """
    if isinstance(place, Path) or "://" not in place:
        return URL.create("sqlite", database=str(place))
    advice = "pass a path, or an address such as postgresql+psycopg://USER@HOST/DATABASE"
    try:
        url = make_url(place)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise UsageError(
            "the prediction log's address cannot be parsed", next_step=advice
        ) from None
    if "@" in (url.host or ""):  # else a driver's error would show a part of it
        raise UsageError(
            "the prediction log's address has an @ in its password", next_step="write it as %40"
        )
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise UsageError("the prediction log cannot be kept in memory", next_step=advice)
    if url.drivername == "postgresql":
        return url.set(drivername="postgresql+psycopg")  # the one that the extra installs
    return url


def connect(url: URL) -> Engine:
    """Return an engine for ``url``; nothing is opened yet.

    Raises:
        UsageError: this kind of database is not known, or there is no driver for it.
    """
    try:
        told = url.get_backend_name() == "sqlite" or "connect_timeout" in url.query
        waits = {} if told else {"connect_timeout": CONNECT_SECONDS}
        engine = create_engine(url, pool_pre_ping=True, connect_args=waits)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise UsageError(
            f"there is no driver for the prediction log's database ({url.drivername})",
            next_step="install one (`pip install 'psycopg[binary]'` for PostgreSQL), or pass the "
            "path of an SQLite file",
        ) from error
    if url.get_backend_name() not in _KINDS:
        raise UsageError(
            f"the prediction log cannot be kept in {url.get_backend_name()}",
            why="it relies on how SQLite and PostgreSQL lock and take snapshots",
            next_step="pass a path, or the address of a PostgreSQL database",
        )
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # transactions begin below, not where the driver thinks
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MS}")  # first: the next one may have to wait
    cursor.execute("PRAGMA journal_mode=WAL")  # readers and a writer do not block each other
    cursor.execute("PRAGMA synchronous=NORMAL")  # a power cut may lose the last rows, no more
    # Folding the write-ahead log in writes each page once for many changes to it.
    cursor.execute("PRAGMA wal_autocheckpoint=10000")  # pages of 4 KiB
    cursor.execute("PRAGMA cache_size=-16000")  # KiB
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")  # what is erased is not left in free pages
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later fails where another wrote in between.
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
