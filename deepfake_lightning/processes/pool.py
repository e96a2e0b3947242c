"""Jobs in processes of this machine."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
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
    end one for want of memory), or when it cannot read what one sends. Jobs that were under way
    then are done once more, each alone: so it is known whose fault it is.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([function.__module__])
    opened = partial(ProcessPool, workers, context=context, initializer=prepare)
    pool, again = opened(), deque[tuple[Label, Job]]()
    under_way: dict[Future[Result], tuple[Label, Job, bool]] = {}

    def give_out(task: tuple[Label, Job], *, is_last: bool) -> None:
        try:
            future = pool.schedule(function, [task[1]], timeout=timeout)
        except RuntimeError:  # the pool has just been given up
            again.append(task)
        else:
            under_way[future] = (*task, is_last)

    try:
        while True:
            if again and not under_way:
                give_out(again.popleft(), is_last=True)
            while not again and len(under_way) < 2 * workers and (task := next(jobs, None)):
                give_out(task, is_last=False)
            if not (under_way or again):
                return
            done, _ = wait(under_way, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
            if not pool.active:
                _give_up(pool, under_way)
                pool, done = opened(), set(under_way)
            for ended in done:
                label, job, is_last = under_way.pop(ended)
                if _is_no_fault_of_its(ended) and not is_last:
                    again.append((label, job))
                else:
                    yield label, _result(ended, timeout, raised)
    finally:
        _end(pool)  # interrupted: what is under way is done again another time


def _give_up(pool: ProcessPool, under_way: Iterable[Future[Any]]) -> None:
    """End a pool that has been given up, and what it had not noted by then: nobody does that."""
    _end(pool)
    for future in under_way:
        if not future.done():
            future.set_exception(BrokenProcessPool("its pool was given up"))


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
    except BrokenProcessPool as error:  # also alone
        return Lost(f"stops the processes that work on it ({error})")
    except raised:
        raise
    except Exception as error:
        return surprise(error)
