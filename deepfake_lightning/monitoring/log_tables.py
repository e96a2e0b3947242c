"""The tables of the prediction log, and how a database is opened and given them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Engine,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    insert,
    inspect,
    select,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.schema import CreateIndex, CreateTable

from deepfake_lightning.errors import UsageError

SCHEMA = 1
BUSY_MS = 5000  # a writer waits this long for another one's lock

_tables = MetaData()

log_schema = Table("log_schema", _tables, Column("version", Integer, primary_key=True))

requests = Table(
    "requests",
    _tables,
    Column("id", String(64), primary_key=True),
    Column("ts_us", BigInteger, nullable=False),
    Column("version", Text, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("http_status", Integer, nullable=False),
    Column("media_type", Text),
    Column("verdict", Text),
    Column("error", Text),
    Column("bytes", BigInteger, nullable=False),
    Column("latency_us", BigInteger, nullable=False),
    Column("media_us", BigInteger),
    Column("network_us", BigInteger),
    # The time alone: with (version, ts_us) SQLite reads the whole index to group by version.
    Index("requests_ts_us", "ts_us"),
)

item_scores = Table(
    "item_scores",
    _tables,
    # SQLite numbers rows by itself only where the type is called INTEGER.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("request_id", ForeignKey(requests.c.id, ondelete="CASCADE"), nullable=False),
    Column("item", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("logit", Double),
    Column("score", Double),
    Column("calibrated", Boolean, nullable=False),
    Column("faces", Integer, nullable=False),
    Column("tracks", Integer, nullable=False),
    Index("item_scores_request_id", "request_id"),
)


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
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise UsageError("the prediction log cannot be kept in memory", next_step=advice)
    return url


def connect(url: URL) -> Engine:
    """Return an engine for ``url``; nothing is opened yet.

    Raises:
        UsageError: there is no driver for this kind of database.
    """
    try:
        engine = create_engine(url, pool_pre_ping=True)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise UsageError(
            f"there is no driver for the prediction log's database ({url.drivername})",
            next_step="install one (`pip install 'psycopg[binary]'` for PostgreSQL), or pass the "
            "path of an SQLite file",
        ) from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection: Any, record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MS}")  # first: the next one may have to wait
    cursor.execute("PRAGMA journal_mode=WAL")  # readers and a writer do not block each other
    cursor.execute("PRAGMA synchronous=NORMAL")  # a power cut may lose the last rows, no more
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def create_tables(engine: Engine, name: str) -> None:
    """Make the tables that are missing.

    Args:
        engine: of the database.
        name: what the log is called in messages.

    Raises:
        UsageError: the log was written by a newer version; nothing is changed.
    """
    with engine.begin() as connection:
        found = None
        if inspect(connection).has_table(log_schema.name):
            found = connection.scalar(select(log_schema.c.version))
        if found is not None and found > SCHEMA:
            raise UsageError(
                f"the prediction log {name} was written by a newer version (schema {found}, "
                f"this one knows {SCHEMA})",
                next_step="update deepfake-lightning, or pass another log",
            )
        for table in _tables.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))
        if found is None:
            connection.execute(insert(log_schema).values(version=SCHEMA))
