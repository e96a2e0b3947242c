"""A process that works for one row alone: its memory is that row's, and it waits in between."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool

from deepfake_lightning.errors import UsageError
from deepfake_lightning.processes import prepare_process

Result = TypeVar("Result")
Given = ParamSpec("Given")
_LOOK_SECONDS = 1.0
_LOADED = ["deepfake_lightning.inference.benchmark.network_calls",
           "deepfake_lightning.inference.benchmark.media_calls"]  # fmt: skip


class OwnProcess:
    """A process.

    Args:
        what: it is for, for messages.
        pool: of one process.
    """

    def __init__(self, what: str, pool: ProcessPool) -> None:
        self._what = what
        self._pool = pool

    def start(
        self, function: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Callable[[], Result]:
        """Have a function of a module called there; return what waits for its result.

        The result's function raises what the function raises, and UsageError where the process
        came to an end.
        """
        try:
            future: Future[Result] = self._pool.schedule(function, list(args), dict(kwargs))
        except RuntimeError as error:  # while it had nothing to do
            raise self._ended() from error

        def result() -> Result:
            try:
                while not wait([future], timeout=_LOOK_SECONDS).done:
                    if not self._pool.active:  # what came as it ended is never answered
                        raise self._ended()
                return future.result()
            except ProcessExpired as error:
                raise self._ended(f", exit code {error.exitcode}") from error
            except BrokenProcessPool as error:
                raise self._ended() from error

        return result

    def _ended(self, how: str = "") -> UsageError:
        return UsageError(
            f"{self._what}: its process ended{how}",
            why="most often there is too little memory",
            next_step="take smaller batches or sizes, or fewer rows at a time",
        )

    def run(
        self, function: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """Have a function called there, and return its result."""
        return self.start(function, *args, **kwargs)()


@contextmanager
def own_processes(names: list[str]) -> Iterator[list[OwnProcess]]:
    """Give processes, one for each thing that is named; at the end they are stopped.

    They are prepared as those of ``predict`` are: OpenCV with one thread, and an end when their
    parent ends.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LOADED)  # imported once; of no effect where it runs already
    pools = [ProcessPool(1, context=context, initializer=prepare_process) for _ in names]
    try:
        yield [OwnProcess(name, pool) for name, pool in zip(names, pools, strict=True)]
    except BaseException:
        for pool in pools:
            pool.stop()  # type: ignore[no-untyped-call]
        raise
    finally:
        for pool in pools:
            pool.close()  # type: ignore[no-untyped-call]
        for pool in pools:
            pool.join()


def peak_memory_mb() -> float | None:
    """Return the peak of this process's resident memory, 10^6 bytes; None outside of Linux.

    Not ``ru_maxrss``, which begins with the peak of the program that started this one.
    """
    try:
        status: Any = Path("/proc/self/status").read_text("ascii", errors="replace")
    except OSError:
        return None
    peak = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return round(int(peak[1]) * 1024 / 1e6, 1) if peak else None
