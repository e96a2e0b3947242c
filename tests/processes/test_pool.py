"""Processes of this machine: what ends one of them costs no other file."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Generator
from typing import Any

import pytest
from pebble.pool.process import PoolManager

from deepfake_lightning.processes import Lost, run_jobs

# A job is an expression: children of the tests' process can import no test's functions.
PID = "__import__('os').getpid()"
DIES = "__import__('os').kill(__import__('os').getpid(), 9)"
# An error that takes more to be made than it says of itself, so that it cannot be made anew here.
UNREADABLE = "(_ for _ in ()).throw(__import__('httpx').HTTPStatusError('', request=0, response=0))"


def run(*jobs: str, workers: int = 2) -> Generator[tuple[int, int | Lost], None, None]:
    numbered = iter(list(enumerate(jobs)))
    return run_jobs(eval, numbered, workers=workers, timeout=60, prepare=gc.collect, raised=())


def test_a_file_that_kills_its_process_is_lost_and_no_other() -> None:
    found = dict(run(PID, DIES, PID, PID))
    lost = found.pop(1)
    assert isinstance(lost, Lost) and "exit code -9" in lost.reason
    assert all(isinstance(one, int) for one in found.values()) and len(found) == 3


@pytest.mark.parametrize("pause", [0.0, 0.5])
def test_processes_that_are_killed_while_they_are_idle_cost_no_file(pause: float) -> None:
    """As the kernel may, for want of memory, while who reads the results does something else."""
    results = run(*[PID] * 8)
    first, pid = next(results)
    time.sleep(0.5)  # what was given out is done
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    time.sleep(pause)  # it may be seen before more is given out, or afterwards
    found = {first: pid, **dict(results)}
    assert sorted(found) == list(range(8))
    assert all(isinstance(one, int) for one in found.values()), found


def test_jobs_that_come_as_their_pool_is_given_up_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pebble gives up what it has noted; what its queue holds then is never answered."""
    noted = PoolManager.schedule

    def slowly(manager: PoolManager, task: Any) -> None:
        time.sleep(0.5)
        noted(manager, task)

    results = run(*[PID] * 8)
    first, pid = next(results)
    time.sleep(0.5)  # what was given out is done
    assert isinstance(pid, int)
    with monkeypatch.context() as slow:
        slow.setattr(PoolManager, "schedule", slowly)
        os.kill(pid, signal.SIGKILL)
        found = {first: pid, **dict(results)}
    assert sorted(found) == list(range(8))
    assert all(isinstance(one, int) for one in found.values()), found


def test_jobs_that_wait_behind_a_large_one_as_their_pool_is_given_up_are_done() -> None:
    """Such a job fills the pipe: it is noted, and those behind it are not."""
    large = f"{PID} # {'x' * 300_000}"
    results = run(*[large] * 8, workers=1)
    first, pid = next(results)
    time.sleep(0.5)
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    found = {first: pid, **dict(results)}
    assert sorted(found) == list(range(8))
    assert all(isinstance(one, int) for one in found.values()), found


def test_a_job_that_stops_its_pool_each_time_is_lost_and_no_other() -> None:
    found = dict(run(PID, UNREADABLE, PID, PID, UNREADABLE, PID, PID))
    lost = {number: one for number, one in found.items() if not isinstance(one, int)}
    assert sorted(found) == list(range(7)) and sorted(lost) == [1, 4]
    assert all("stops the processes that work on it" in str(one) for one in lost.values())
