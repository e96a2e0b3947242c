"""The table of jobs, and how its database is opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    create_engine,
    event,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from deepfake_lightning.errors import StorageError, UsageError
from deepfake_lightning.serving.jobs.job import Job, JobError
from deepfake_lightning.storage import lock, make_private

SCHEMA = 1
_BUSY_MS = 5000  # a writer waits this long for another one's lock

_tables = MetaData()

jobs = Table(
    "jobs",
    _tables,
    Column("seq", Integer, primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("client", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("environment", Text),
    Column("experiment", Text),
    Column("variant", Text),
    Column("media_type", Text),
    Column("already_cropped", Boolean),
    Column("overlay", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    # Its place in the line: one whose process died goes to the end of it.
    Column("queued_us", BigInteger, nullable=False),
    Column("started_us", BigInteger),
    Column("finished_us", BigInteger),
    Column("attempts", Integer, nullable=False, default=0),
    Column("frames", BigInteger, nullable=False, default=0),
    Column("frames_to_do", BigInteger, nullable=False, default=0),
    Column("progress_us", BigInteger),
    Column("result", JSON(none_as_null=True)),
    Column("error", JSON(none_as_null=True)),
    Index("jobs_state", "state", "queued_us", "seq"),
    Index("jobs_client", "client", "seq"),
)


def open_database(file: Path) -> Engine:
    """Return an engine for the jobs in an SQLite file, which is made with its folder.

    Raises:
        StorageError: it cannot be opened.
        UsageError: it was written by a newer version.
    """
    engine = create_engine(URL.create("sqlite", database=str(file)))
    event.listen(engine, "connect", _set_up)
    with lock(file):  # two processes that make the file at a time would each find half of it
        make_private(file)  # who sent what, and what was said of it
        with typed_errors(file, "opened"), engine.begin() as connection:
            _make_tables(connection, file)
    return engine


def _make_tables(connection: Connection, file: Path) -> None:
    found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    if found > SCHEMA:
        raise UsageError(
            f"the jobs in {file} were written by a newer version (schema {found}, this one "
            f"knows {SCHEMA})",
            next_step="update deepfake-lightning, or pass another --workspace",
        )
    _tables.create_all(connection)
    connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA}")


def _set_up(connection: Any, record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")  # first: the next one may have to wait
    cursor.execute("PRAGMA journal_mode=WAL")  # readers and a writer do not block each other
    cursor.execute("PRAGMA synchronous=FULL")  # what is accepted survives a power cut
    cursor.execute("PRAGMA secure_delete=ON")  # what is erased is overwritten
    cursor.close()


@contextmanager
def typed_errors(file: Path, done: str) -> Iterator[None]:
    """Turn a database's errors into :class:`StorageError`."""
    try:
        yield
    except SQLAlchemyError as error:
        # The driver's own words: SQLAlchemy adds the statement and what was to be written.
        fault = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        raise StorageError(
            f"the jobs in {file} could not be {done}: {fault}",
            next_step="free space or fix permissions there",
        ) from error


def job_of(row: Row[Any]) -> Job:
    """Return a row as a job; columns that were not read have their defaults."""
    known = {
        name: value for name, value in row._mapping.items() if name in Job.__dataclass_fields__
    }
    if known.get("error") is not None:
        known["error"] = JobError(**known["error"])
    return Job(**known)
