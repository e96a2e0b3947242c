"""Many files with several processes: one that crashes or hangs costs that file, and no other."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

from deepfake_lightning.errors import DeepfakeLightningError, UsageError

Job = TypeVar("Job")
Result = TypeVar("Result")
Label = TypeVar("Label")


@dataclass(frozen=True)
class Lost:
    """A job that came to nothing.

    Attributes:
        reason: what happened to it, to follow the name of its file.
    """

    reason: str


def run_jobs(
    function: Callable[[Job], Result],
    jobs: Iterator[tuple[Label, Job]],
    *,
    workers: int,
    timeout: float,
    prepare: Callable[[], None],
    raised: tuple[type[DeepfakeLightningError], ...],
) -> Generator[tuple[Label, Result | Lost], None, None]:
    """Yield each job's label with its result as it is done; few are under way at a time.

    Pebble gives a pool up for good when a process ends of which it knows no task (the kernel may
    end one for want of memory). Jobs that were under way then are done once more, in a new pool.

    Args:
        function: of a module; it is imported once, and its processes are forked from there.
        jobs: labels stay here, jobs are sent.
        workers: processes.
        timeout: seconds that one job may take.
        prepare: called in each process when it starts.
        raised: errors of a job that end everything; any other is the job's own.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([function.__module__])
    opened = partial(ProcessPool, workers, context=context, initializer=prepare)
    pool, again = opened(), deque[tuple[Label, Job]]()
    under_way: dict[Future[Result], tuple[Label, Job, bool]] = {}
    try:
        while True:
            while len(under_way) < 2 * workers:
                is_last = bool(again)
                if (task := again.popleft() if again else next(jobs, None)) is None:
                    break
                try:
                    future = pool.schedule(function, [task[1]], timeout=timeout)
                except RuntimeError:  # it has been given up
                    _end(pool)
                    pool = opened()
                    future = pool.schedule(function, [task[1]], timeout=timeout)
                under_way[future] = (*task, is_last)
            if not under_way:
                return
            done, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for ended in done:
                label, job, is_last = under_way.pop(ended)
                if _is_no_fault_of_its(ended) and not is_last:
                    again.append((label, job))
                else:
                    yield label, _result(ended, timeout, raised)
    finally:
        _end(pool)  # interrupted: what is under way is done again another time


def _is_no_fault_of_its(future: Future[Any]) -> bool:
    """Return whether a job came to nothing as its pool was given up, for another's sake."""
    return isinstance(future.exception(), BrokenProcessPool)


def _end(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


def run_here(
    function: Callable[[Job], Result], job: Job, *, raised: tuple[type[DeepfakeLightningError], ...]
) -> Result | Lost:
    """Return the result of a job in this process: without a timeout, and a crash ends all."""
    try:
        return function(job)
    except raised:
        raise
    except Exception as error:
        return _surprise(error)


def _result(
    future: Future[Any], timeout: float, raised: tuple[type[DeepfakeLightningError], ...]
) -> Any:
    try:
        return future.result()
    except TimeoutError:
        return Lost(f"takes longer than {timeout:g} s (--timeout)")
    except ProcessExpired as error:
        return Lost(f"crashes its decoder (exit code {error.exitcode})")
    except raised:
        raise
    except Exception as error:
        return _surprise(error)


def _surprise(error: Exception) -> Lost:
    """Return what is said where a library met something that nobody has seen before."""
    return Lost(f"cannot be worked on: {type(error).__name__}: {error}")


def count_workers(workers: int | None, timeout: float) -> int:
    """Return the number of processes; None: as many as there are cores.

    Raises:
        UsageError: it, or the timeout, is not above 0.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"workers is {workers}", next_step="give a number from 1 on")
    if not timeout > 0:
        raise UsageError(f"timeout is {timeout:g}", next_step="give seconds, more than 0")
    return workers or os.cpu_count() or 1


def prepare_process() -> None:
    """Set up a process for jobs on media: one thread, and an end when its parent ends."""
    import cv2

    cv2.setNumThreads(0)  # the processes are the parallelism
    gc.freeze()  # what is loaded by now is never garbage: looking there takes 30 ms a file
    end_with_parent()


def end_with_parent() -> None:
    """End this process when its parent ends, or has ended already.

    A parent that is killed cannot stop its processes; left alone they would go on for the rest of
    a long video, or of a sweep.
    """
    parent, number = multiprocessing.parent_process(), os.getppid()

    def watch() -> None:
        if parent is not None:
            parent.join()  # a pipe tells, so that there is no moment at which it is missed
        while parent is None and os.getppid() == number:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
