"""Jobs on disk, for who asks for them: accepted, looked up, cancelled, erased.

A job is a row in an SQLite database and a file beside it. Its state changes in one statement that
names the state it has to have before, so of two processes that want to change it one does.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Self

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update

from deepfake_lightning.errors import DeepfakeLightningError
from deepfake_lightning.serving.access.fairness import leaves_room
from deepfake_lightning.serving.jobs.files import JobFiles
from deepfake_lightning.serving.jobs.job import UNFINISHED, Job, Order
from deepfake_lightning.serving.jobs.tables import job_of, jobs, open_database, typed_errors

DATABASE = "jobs.db"
LIMIT_BYTES = 20 << 30
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ASSUMED_SECONDS, _LONGEST_WAIT = 60.0, 600.0
_WITHOUT_RESULT = [column for column in jobs.c if column is not jobs.c.result]


class QueueFull(DeepfakeLightningError):
    """As many jobs wait as may.

    Args:
        waiting: how many that are, or how much.
        retry_seconds: when there may be room again.
    """

    exit_code = 1

    def __init__(self, waiting: str, retry_seconds: int) -> None:
        super().__init__(
            f"{waiting} wait, which is the limit",
            next_step=f"try again in {retry_seconds} seconds",
        )
        self.retry_seconds = retry_seconds


class JobStore:
    """All jobs of a workspace. One object serves all threads; processes open their own.

    Args:
        folder: where they are kept; it is made.
        limit: jobs that may wait.
        limit_bytes: that their uploads may have, together.
        keep_seconds: how long a job is kept after its end.
        clock: the time in microseconds since 1970, UTC.

    Raises:
        StorageError: it cannot be opened.
        UsageError: it was written by a newer version.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limit: int = 100,
        limit_bytes: int = LIMIT_BYTES,
        keep_seconds: float = 24 * 3600.0,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self.folder = folder
        self.files = JobFiles(folder)
        self.file = folder / DATABASE
        self.limit = limit
        self.limit_bytes = limit_bytes
        self.keep_us = int(keep_seconds * 1e6)
        self.clock = clock
        self._database = open_database(self.file)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection; each statement sees what is there then."""
        with typed_errors(self.file, "read"), self._database.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose statements are kept together, or none of them."""
        with typed_errors(self.file, "written"), self._database.begin() as connection:
            yield connection

    def check_room(self, client: str | None = None) -> None:
        """Say before a body is read that its job could not be kept.

        Args:
            client: who asks; None for one of whom there are no others.

        Raises:
            QueueFull: as many jobs wait as may, or so many of this client that others would have
                no room (:func:`~deepfake_lightning.serving.access.fairness.leaves_room`).
        """
        with self.reading() as connection:
            self._check(connection, more=1)
            if client is None:
                return
            waiting = select(jobs.c.client).where(jobs.c.state == "queued")
            clients = list(connection.scalars(waiting))
        held = clients.count(client)
        if not leaves_room(held, self.limit - len(clients)):
            raise QueueFull(f"{held} jobs of {client}", self._retry_seconds())

    def submit(self, order: Order, upload: Path) -> Job:
        """Accept a job: when this returns it is on disk, and survives a kill and a power cut.

        Args:
            order: what is asked for.
            upload: its file, on the same file system. It is moved; where this fails, removed.

        Raises:
            QueueFull: others have come first.
            StorageError: it could not be kept.
            ValueError: the id cannot be a file's name.
        """
        if not _ID.fullmatch(order.id):
            raise ValueError(f"{order.id!r} cannot be the id of a job")
        now = self.clock()
        with self.files.taken_in(upload, order.id) as size:
            job = Job(**asdict(order), state="queued", bytes=size, created_us=now)
            with self.writing() as connection:
                row = {**asdict(job), "queued_us": now}
                connection.execute(insert(jobs).values(row))  # from here on no other one writes
                self._check(connection)
        return job

    def _check(self, connection: Connection, more: int = 0) -> None:
        """Raise where more jobs, or larger ones, wait than may; ``more`` is to come."""
        of = select(func.count(), func.coalesce(func.sum(jobs.c.bytes), 0))
        count, size = connection.execute(of.where(jobs.c.state == "queued")).one()
        if count + more > self.limit:
            raise QueueFull(f"{self.limit} jobs", self._retry_seconds())
        if size + more > self.limit_bytes:
            raise QueueFull(f"jobs with {self.limit_bytes:,} bytes", self._retry_seconds())

    def find(self, job_id: str) -> Job | None:
        """Return a job, None where it is not known or its time is over."""
        with self.reading() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == job_id, self._kept())).first()
        return None if row is None else job_of(row)

    def newest(self, client: str | None = None, count: int = 50) -> list[Job]:
        """Return the latest jobs without their results, the newest first.

        Args:
            client: whose; None: everyone's.
            count: how many, at most.
        """
        query = select(*_WITHOUT_RESULT).where(self._kept()).order_by(jobs.c.seq.desc())
        if client is not None:
            query = query.where(jobs.c.client == client)
        with self.reading() as connection:
            return [job_of(row) for row in connection.execute(query.limit(count))]

    def ahead(self, job_id: str) -> int:
        """Return how many jobs will be begun before one that waits."""
        own = select(jobs.c.queued_us, jobs.c.seq).where(jobs.c.id == job_id).subquery()
        earlier = or_(
            jobs.c.queued_us < own.c.queued_us,
            and_(jobs.c.queued_us == own.c.queued_us, jobs.c.seq < own.c.seq),
        )
        query = select(func.count(jobs.c.seq)).where(jobs.c.state == "queued", earlier)
        with self.reading() as connection:
            return connection.scalar(query) or 0

    def count(self) -> dict[str, int]:
        """Return how many jobs there are in each state that occurs."""
        query = select(jobs.c.state, func.count()).group_by(jobs.c.state)
        with self.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def cancel(self, job_id: str) -> bool:
        """End a job that waits or runs; return whether it did either.

        Its upload is removed at once; who runs it stops its process within half a second.
        """
        ended = {"state": "cancelled", "finished_us": self.clock()}
        change = update(jobs).where(jobs.c.id == job_id, jobs.c.state.in_(UNFINISHED))
        with self.writing() as connection:
            changed = connection.execute(change.values(ended)).rowcount > 0
        if changed:
            self.files.remove(job_id, overlay=True)
        return changed

    def erase(self, job_id: str) -> bool:
        """Remove all that is kept of a job, whatever its state; return whether there was any.

        What was written of it is overwritten: in the database, and in its write-ahead log. One
        that runs is stopped within half a second.
        """
        with self.writing() as connection:
            gone = connection.execute(delete(jobs).where(jobs.c.id == job_id)).rowcount > 0
        if gone:
            self.files.remove(job_id, overlay=True)
            with self.reading() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    def close(self) -> None:
        """Close the connections; the last one to close folds SQLite's write-ahead log in."""
        self._database.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def _kept(self) -> ColumnElement[bool]:
        """Return the condition that a job's time is not over, though it may be there yet."""
        return or_(jobs.c.finished_us.is_(None), jobs.c.finished_us > self.clock() - self.keep_us)

    def _retry_seconds(self) -> int:
        """Return how long a job took of late: then there is room for another one."""
        latest = (
            select((jobs.c.finished_us - jobs.c.started_us).label("took"))
            .where(jobs.c.state == "done")
            .order_by(jobs.c.finished_us.desc())
            .limit(10)
            .subquery()
        )
        with self.reading() as connection:
            mean = connection.scalar(select(func.avg(latest.c.took)))
        seconds = _ASSUMED_SECONDS if mean is None else float(mean) / 1e6
        return round(min(max(seconds, 1.0), _LONGEST_WAIT))
