"""An open log: transactions, locks, and the tables of the newest revision."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout
from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from deepfake_lightning.errors import StorageError, UsageError
from deepfake_lightning.monitoring.log.address import WRITES, connect, log_url
from deepfake_lightning.monitoring.log.tables import SCHEMA, log_schema
from deepfake_lightning.storage import lock, make_private

logger = logging.getLogger(__name__)

_UPGRADE, _SOLE = 0x6466_6C01, 0x6466_6C02  # PostgreSQL's advisory locks are numbers
_LOCK_TIMEOUT = "55P03"  # of its error codes


class LogDatabase:
    """A log's database, with the tables of the newest revision.

    One object serves all threads. Processes open their own.

    Args:
        place: path of an SQLite file, which is made with its folder, or a database's URL.

    Raises:
        StorageError: it cannot be opened.
        UsageError: an address that cannot work, or a log of a newer version.
    """

    def __init__(self, place: str | Path) -> None:
        url = log_url(place)
        self.file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
        # Parameters are left out: drivers take passwords there, too.
        self.name = str(self.file or url.set(query={}).render_as_string(hide_password=True))
        self._engine = connect(url)
        self._writes = self._engine.execution_options(**{WRITES: True})
        self._reads = self._engine
        if self.file is None:  # several statements see one state, as in SQLite
            self._reads = self._engine.execution_options(isolation_level="REPEATABLE READ")
        with self._typed_errors("opened"):
            self._open()

    def _open(self) -> None:
        if self.file is None or self.file.is_file():
            with self._reads.begin() as connection:
                if self._known_schema(connection) == SCHEMA:
                    return
        # Two processes that make or change one log at a time would each find half of it.
        with lock(self.file) if self.file else nullcontext():
            if self.file is not None:
                make_private(self.file)  # who asked what, and what was said of it
            self._upgrade()

    def _upgrade(self) -> None:
        with self._writes.begin() as connection:
            if self.file is None:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE})
            found = self._known_schema(connection)
            if found != SCHEMA:
                from deepfake_lightning.monitoring.log.migrating import upgrade  # alembic is slow

                upgrade(connection, found)

    def _known_schema(self, connection: Connection) -> int | None:
        """Return the log's revision, None for no log; refuse a newer one."""
        if not inspect(connection).has_table(log_schema.name):
            return None
        found = connection.scalar(select(log_schema.c.version))
        if found is not None and found > SCHEMA:
            raise UsageError(
                f"the prediction log {self.name} was written by a newer version (schema {found}, "
                f"this one knows {SCHEMA})",
                next_step="update deepfake-lightning, or pass another log",
            )
        return found

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a transaction that sees one state of the log.

        Raises:
            StorageError: the log could not be read.
        """
        with self._typed_errors("read"), self._reads.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a transaction that keeps all or nothing.

        Raises:
            StorageError: the log could not be written.
        """
        with self._typed_errors("written"), self.transaction() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give a transaction as :meth:`writing` does, with the database's own errors."""
        with self._writes.begin() as connection:
            yield connection

    @contextmanager
    def sole(self, *, seconds: float = 0.0) -> Iterator[bool]:
        """Be the only one, of all processes, that makes roll-ups or prunes.

        Args:
            seconds: to wait for another to end.

        Yields:
            Whether that is so; where not, nothing may be done.

        Raises:
            StorageError: the lock cannot be had at all.
        """
        kind = self._sole_file if self.file else self._sole_session
        with kind(seconds) as held:
            yield held

    @contextmanager
    def _sole_file(self, seconds: float) -> Iterator[bool]:
        guard = FileLock(f"{self.file}.rollups.lock", timeout=seconds, mode=0o664)
        try:
            guard.acquire()
        except Timeout:
            yield False
            return
        except OSError as error:
            raise StorageError(
                f"{guard.lock_file} cannot be locked: {error.strerror or error}",
                next_step="fix permissions there",
            ) from error
        try:
            yield True
        finally:
            guard.release()

    @contextmanager
    def _sole_session(self, seconds: float) -> Iterator[bool]:
        # A transaction of its own, which lasts as long as the lock.
        with self._typed_errors("locked"), self._writes.begin() as connection:
            if seconds:
                wait = text("SELECT set_config('lock_timeout', :wait, true)")
                connection.execute(wait, {"wait": f"{round(1000 * seconds)}ms"})
            call = "pg_advisory_xact_lock" if seconds else "pg_try_advisory_xact_lock"
            try:
                with connection.begin_nested():
                    found = connection.scalar(text(f"SELECT {call}(:key)"), {"key": _SOLE})
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != _LOCK_TIMEOUT:
                    raise
                found = False
            yield found is not False

    def bytes_on_disk(self) -> int:
        """Return the size of the log: its files, or its database.

        Raises:
            StorageError: the log could not be read.
        """
        if self.file is not None:
            files = (Path(f"{self.file}{end}") for end in ("", "-wal", "-shm"))
            return sum(file.stat().st_size for file in files if file.is_file())
        with self.reading() as connection:
            query = text("SELECT pg_database_size(current_database())")
            return int(connection.scalar(query) or 0)

    def empty_wal(self) -> None:
        """Fold SQLite's write-ahead log in: it holds what was erased until it is written anew.

        Who reads for seconds keeps it from that; the log says so, and the next call does it.
        """
        if self.file is None:
            return
        try:
            with self._reads.connect() as connection:
                row = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
            fault = "others use it" if row[0] else None
        except SQLAlchemyError as error:
            fault = fault_of(error)
        if fault:
            logger.warning("%s-wal still holds what was erased: %s", self.name, fault)

    def close(self) -> None:
        """Close the connections; the last one to close folds SQLite's write-ahead log in."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    @contextmanager
    def _typed_errors(self, done: str) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise StorageError(
                f"the prediction log {self.name} could not be {done}: {fault_of(error)}",
                next_step="free space, fix permissions or start the database there, or pass "
                "another log",
            ) from error


def fault_of(error: Exception) -> str:
    """Return the driver's own words: SQLAlchemy adds the statement and what was to be written."""
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
