"""Jobs in processes of this machine."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

from deepfake_lightning.errors import DeepfakeLightningError
from deepfake_lightning.processes.outcomes import Lost, surprise, too_slow

Job = TypeVar("Job")
Result = TypeVar("Result")
Label = TypeVar("Label")

_LOOK_SECONDS = 1.0  # after which it is asked whether anybody works on what is waited for


def run_in_pool(
    function: Callable[[Job], Result],
    jobs: Iterator[tuple[Label, Job]],
    *,
    workers: int,
    timeout: float,
    prepare: Callable[[], None],
    raised: tuple[type[DeepfakeLightningError], ...],
) -> Generator[tuple[Label, Result | Lost], None, None]:
    """Do jobs as :func:`~deepfake_lightning.processes.run_jobs` says.

    Pebble gives a pool up for good when a process ends of which it knows no task (the kernel may
    end one for want of memory). Jobs that were under way then are done once more, in a new pool.
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
            done, _ = wait(under_way, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
            if not done and not pool.active:  # given up as these came: nobody does them
                _end(pool)
                pool = opened()
                again.extend((label, job) for label, job, _ in under_way.values())
                under_way.clear()
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


def _result(
    future: Future[Any], timeout: float, raised: tuple[type[DeepfakeLightningError], ...]
) -> Any:
    try:
        return future.result()
    except TimeoutError:
        return too_slow(timeout)
    except ProcessExpired as error:
        return Lost(f"crashes its decoder (exit code {error.exitcode})")
    except raised:
        raise
    except Exception as error:
        return surprise(error)
