"""Does jobs, one at a time: of all processes on a workspace, the one that holds the lock."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Iterator, MutableSequence
from concurrent.futures import CancelledError, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pebble import ProcessExpired, ProcessPool

from deepfake_lightning.errors import BundleError, UsageError
from deepfake_lightning.inference.opening import EngineSource
from deepfake_lightning.media import Limits
from deepfake_lightning.media.images import MAX_PIXELS
from deepfake_lightning.schemas import Assessment
from deepfake_lightning.serving.jobs import worker
from deepfake_lightning.serving.jobs.desk import JobDesk
from deepfake_lightning.serving.jobs.job import Job, JobError
from deepfake_lightning.serving.jobs.store import JobStore
from deepfake_lightning.serving.results import result_of

logger = logging.getLogger(__name__)

JOB_LIMITS = Limits(bytes=2 << 30, pixels=8192 * 4352, seconds=4 * 3600.0, frames=20_000)
"""What one video may cost: 2 GiB, 8K cinema frames, four hours, and so many frames looked at."""

OnDone = Callable[[Job, worker.Found | None], None]
Ending = Literal["ended", "unwanted", "stopped"]
_LOOK_SECONDS = 0.25  # at what is asked of a job that runs, and for new ones
_NOTE_SECONDS = 1.0
_LOCK_SECONDS = 1.0  # between tries to become the one that does jobs
_TIDY_SECONDS = 60.0
_AFTER_FAULT_SECONDS = 5.0


@dataclass(frozen=True)
class JobSettings:
    """How jobs are done.

    Attributes:
        limits: of one video.
        max_pixels: of one picture.
        seconds: that one job may take.
        niceness: added to that of its process.
        device: of the engine.
        threads: that one run of the network uses on a CPU.
    """

    limits: Limits = JOB_LIMITS
    max_pixels: int = MAX_PIXELS
    seconds: float = 30 * 60.0
    niceness: int = 10
    device: str = "cpu"
    threads: int = 1


class JobRunner:
    """A thread that does the jobs of a store, each in a process of its own.

    Any number of processes may have one on the same store: one of them does jobs, and another
    takes over within seconds of its end.

    Args:
        store: the jobs.
        settings: how they are done.
        on_done: told of each job that is done or has failed, in the runner's thread: with what
            came of it, None where nothing did. Where the machine is killed right between the
            two, a job is done and this was not told. Not told of cancelled ones: who cancels knows.

    Attributes:
        leads: whether this is the one that does jobs.
    """

    def __init__(
        self, store: JobStore, settings: JobSettings | None = None, on_done: OnDone | None = None
    ) -> None:
        self._store = store
        self._settings = settings or JobSettings()
        self._on_done = on_done
        self._desk = JobDesk(store)
        self._stopping, self._look = threading.Event(), threading.Event()
        self._deadline = 0.0
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._reported: set[str] = set()
        self._told = ""  # the job whose process was told to end, and which was put back
        self.leads = False

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def nudge(self) -> None:
        """Say that there is a new job, which is begun at once where this one does jobs."""
        self._look.set()

    def stop(self, grace: float = 20.0) -> None:
        """End, and return when it has.

        Args:
            grace: seconds in which a job that runs may come to its end. Else it is put back to
                wait, as if it had not been begun.
        """
        self._deadline = time.monotonic() + grace
        self._stopping.set()
        self._look.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            pause = _LOCK_SECONDS
            try:
                with self._leading() as self.leads:
                    if self.leads:
                        self._lead()
            except Exception as error:  # a full disk, for one: jobs wait until it is over
                pause = _AFTER_FAULT_SECONDS
                self._report(error)
            finally:
                self.leads = False
            self._stopping.wait(pause)

    @contextmanager
    def _leading(self) -> Iterator[bool]:
        """Hold the lock of the one that does jobs; the kernel gives it back however it ends."""
        guard = FileLock(self._store.folder / "runner.lock", timeout=0, mode=0o664)
        try:
            guard.acquire()
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            guard.release()

    def _lead(self) -> None:
        for job in self._desk.take_up_lost():
            self._tell(job, None)
        tidied = float("-inf")
        while not self._stopping.is_set():
            if time.monotonic() - tidied > _TIDY_SECONDS:
                for job in self._desk.tidy():
                    self._tell(job, None)
                tidied = time.monotonic()
            self._look.clear()
            job_or_none = self._desk.claim()
            if job_or_none is None:
                self._look.wait(_LOOK_SECONDS)
            else:
                self._do(job_or_none)

    def _do(self, job: Job) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([worker.__name__])
        counts = context.RawArray("q", 2)
        settings = self._settings
        # A pool for each job: what it leaves in memory ends with it, and so does its process.
        with ProcessPool(
            1, context=context, initializer=worker.prepare,
            initargs=(counts, settings.niceness, settings.device),
        ) as pool:  # fmt: skip
            future: Future[worker.Found] = pool.schedule(
                worker.assess_upload, [self._work(job)], timeout=settings.seconds
            )
            try:
                ending = self._watch(job, pool, future, counts)
            finally:
                future.cancel()
                pool.stop()  # type: ignore[no-untyped-call]
        if ending == "ended":
            self._desk.note(job, counts[0], counts[1])
            self._settle(job, future)
        elif ending == "stopped":
            self._desk.put_back(job)
        else:
            self._store.files.remove(job.id, overlay=True)  # it may just have been written

    def _work(self, job: Job) -> worker.Work:
        settings, files = self._settings, self._store.files
        source = EngineSource(
            bundle=Path(job.bundle), device=settings.device, threads=settings.threads,
            digest=job.digest,
        )  # fmt: skip
        return worker.Work(
            source, files.upload(job.id), job.media_type, job.already_cropped,
            files.overlay(job.id) if job.overlay else None, settings.limits,
            settings.max_pixels,
        )  # fmt: skip

    def _watch(
        self,
        job: Job,
        pool: ProcessPool,
        future: Future[worker.Found],
        counts: MutableSequence[int],
    ) -> Ending:
        """Wait for the end of a job, and note how far it is; return how it ended."""
        noted, noted_at = (0, 0), float("-inf")
        while not wait([future], timeout=_LOOK_SECONDS).done:
            if not self._desk.is_wanted(job):
                return "unwanted"
            if self._stopping.is_set() and time.monotonic() >= self._deadline:
                return "stopped"
            if not pool.active:  # its process died before it was known to work: nobody does
                future.cancel()
                return "ended"
            now, at = time.monotonic(), (counts[0], counts[1])
            if at != noted and now - noted_at >= _NOTE_SECONDS:
                self._desk.note(job, *at)
                noted, noted_at = at, now
        return "ended"

    def _settle(self, job: Job, future: Future[worker.Found]) -> None:
        """Keep what came of a job that ran to its end, and tell of it."""
        scored: worker.Found | None = None
        try:
            scored = future.result()
        except ProcessExpired as error:
            ended = self._after_death(job, error.exitcode)
        except (BrokenProcessPool, CancelledError) as error:
            logger.warning("the pool of job %s was given up", job.id, exc_info=error)
            ended = self._after_death(job, None)
        except Exception as error:
            ended = self._desk.fail(job, self._fault(job, error))
        else:
            found = scored.assessment
            if found.status == "unreadable":
                ended = self._desk.fail(job, _unreadable(found))
            else:
                result = result_of(job.id, found, scored.calibration, job.environment)
                ended = self._desk.finish(job, result)
        if ended is not None:
            self._tell(ended, scored)

    def _after_death(self, job: Job, exit_code: int | None) -> Job | None:
        # A service that is stopped may send the signal to all of its processes at once; but who
        # watches over the memory sends it, again and again, to the one that takes too much.
        is_told = abs(exit_code or 0) == signal.SIGTERM and job.id != self._told
        if self._stopping.is_set() or is_told:
            self._told = job.id
            self._desk.put_back(job)
            return None
        code = "not known" if exit_code is None else exit_code
        logger.warning("the process of job %s died (exit code %s)", job.id, code)
        return self._desk.crashed(job)

    def _fault(self, job: Job, error: Exception) -> JobError:
        if isinstance(error, TimeoutError):
            limit = f"it takes longer than a job may, which is {self._settings.seconds:g} seconds"
            return JobError("timeout", limit, "send a shorter video")
        if isinstance(error, BundleError | UsageError):
            logger.error("the detector of job %s cannot be used: %s", job.id, error)
            gone = f"the detector {job.version} cannot be used any more"
            return JobError("version", gone, "send it again, to the one that serves now")
        logger.error("job %s failed", job.id, exc_info=error)
        return JobError("internal", "the server failed on this job", "see the server's log")

    def _tell(self, job: Job, found: worker.Found | None) -> None:
        if self._on_done is None:
            return
        try:
            self._on_done(job, found)
        except Exception:  # the job is done, whoever cannot hear of it
            logger.exception("job %s has come to its end, and telling of it failed", job.id)

    def _report(self, error: Exception) -> None:
        fault = str(error)
        if fault not in self._reported:
            self._reported.add(fault)
            logger.error("jobs wait: %s", fault, exc_info=error)


def _unreadable(found: Assessment) -> JobError:
    reason = found.reason or "the upload cannot be decoded"
    return JobError("unreadable", reason, "send it again, or another one")
