"""Jobs on disk, for who does them: taken, noted, and brought to an end."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, select, update

from deepfake_lightning.serving.jobs.job import UNFINISHED, Job, JobError, State
from deepfake_lightning.serving.jobs.store import JobStore
from deepfake_lightning.serving.jobs.tables import job_of, jobs

ATTEMPTS = 3
_CRASHED = JobError(
    "crashed",
    f"the process that worked on it died {ATTEMPTS} times",
    "re-encode the video, or send a shorter one",
)
_LOST = JobError("lost", "the upload is no longer on the disk", "send it again")
_AT_START: dict[str, Any] = {"frames": 0, "frames_to_do": 0, "progress_us": None}


class JobDesk:
    """Where one runner at a time takes jobs from.

    A job that was cancelled or erased meanwhile is left so: what comes too late changes nothing.

    Args:
        store: the jobs.
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def claim(self) -> Job | None:
        """Begin the job that has waited longest; None where none waits."""
        first = (
            select(jobs.c.seq)
            .where(jobs.c.state == "queued")
            .order_by(jobs.c.queued_us, jobs.c.seq)
            .limit(1)
            .scalar_subquery()
        )
        begun = (
            update(jobs)
            .where(jobs.c.seq == first)
            .values(state="running", started_us=self._store.clock(),
                    attempts=jobs.c.attempts + 1, **_AT_START)
            .returning(*jobs.c)
        )  # fmt: skip
        with self._store.writing() as connection:
            row = connection.execute(begun).first()
        return None if row is None else job_of(row)

    def is_wanted(self, job: Job) -> bool:
        """Return whether a job that runs is neither cancelled nor erased."""
        return self._state(job.id) == "running"

    def note(self, job: Job, frames: int, frames_to_do: int) -> None:
        """Note how far a job is."""
        values = {"frames": frames, "frames_to_do": frames_to_do}
        self._change(job, {**values, "progress_us": self._store.clock()})

    def finish(self, job: Job, result: dict[str, Any]) -> Job | None:
        """Keep a job's result, and remove its upload; return the job, None if it is unwanted."""
        return self._end(job.id, "done", {"result": result})

    def fail(self, job: Job, error: JobError) -> Job | None:
        """Keep why a job has no result, and remove its upload; return as :meth:`finish`."""
        return self._end(job.id, "failed", {"error": asdict(error)})

    def put_back(self, job: Job) -> None:
        """Let a job wait again, at its old place, as if it had not been begun."""
        back = {"state": "queued", "attempts": jobs.c.attempts - 1, "started_us": None}
        self._change(job, {**back, **_AT_START})

    def crashed(self, job: Job) -> Job | None:
        """Let a job whose process died wait again, behind all others.

        Returns:
            the job where that was its last attempt, and it has failed; else None.
        """
        if job.attempts >= ATTEMPTS:
            return self.fail(job, _CRASHED)
        back = {"state": "queued", "started_us": None, "queued_us": self._store.clock()}
        self._change(job, {**back, **_AT_START})
        return None

    def take_up_lost(self) -> list[Job]:
        """Let jobs wait again that a killed runner had begun; return those that have failed.

        Only who holds the runners' lock may call this: else it is another one that does them.
        """
        with self._store.reading() as connection:
            query = select(*jobs.c).where(jobs.c.state == "running")
            begun = [job_of(row) for row in connection.execute(query)]
        ended = [self.crashed(job) for job in begun]
        return [job for job in ended if job is not None]

    def tidy(self) -> list[Job]:
        """Remove what is over its time and what killed processes left.

        Returns:
            jobs that fail as their upload is gone.
        """
        store = self._store
        over = jobs.c.finished_us <= store.clock() - store.keep_us
        with self._store.writing() as connection:
            connection.execute(delete(jobs).where(over))
        store.files.sweep(lambda name: self._state(name) in UNFINISHED, self._may_have_overlay)
        with store.reading() as connection:
            query = select(jobs.c.id).where(jobs.c.state.in_(UNFINISHED))
            waiting = [str(name) for name in connection.scalars(query)]
        lost = [name for name in waiting if not store.files.upload(name).exists()]
        ended = [self._end(name, "failed", {"error": asdict(_LOST)}) for name in lost]
        return [job for job in ended if job is not None]

    def _may_have_overlay(self, job_id: str) -> bool:
        return self._state(job_id) in ("running", "done")

    def _state(self, job_id: str) -> State | None:
        query = select(jobs.c.state).where(jobs.c.id == job_id)
        with self._store.reading() as connection:
            state: State | None = connection.scalar(query)
        return state

    def _change(self, job: Job, values: dict[str, Any]) -> None:
        change = update(jobs).where(jobs.c.id == job.id, jobs.c.state == "running")
        with self._store.writing() as connection:
            connection.execute(change.values(values))

    def _end(self, job_id: str, state: State, values: dict[str, Any]) -> Job | None:
        change = update(jobs).where(jobs.c.id == job_id, jobs.c.state.in_(UNFINISHED))
        values = {**values, "state": state, "finished_us": self._store.clock()}
        with self._store.writing() as connection:
            row = connection.execute(change.values(values).returning(*jobs.c)).first()
        # Of one that is unwanted, the overlay may have been made after it was cancelled.
        self._store.files.remove(job_id, overlay=row is None or state != "done")
        return None if row is None else job_of(row)
