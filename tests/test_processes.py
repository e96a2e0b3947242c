"""Many files with several processes: what ends one of them costs no other file."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Generator

import pytest

from deepfake_lightning.processes import Lost, run_jobs


def nothing() -> None:
    """Prepare nothing."""


def work(job: str) -> int:
    """Return the process that worked on a job."""
    if job == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def run(*jobs: str) -> Generator[tuple[int, int | Lost], None, None]:
    numbered = iter(list(enumerate(jobs)))
    return run_jobs(work, numbered, workers=2, timeout=60, prepare=nothing, raised=())


def test_a_file_that_kills_its_process_is_lost_and_no_other() -> None:
    found = dict(run("a", "dies", "b", "c"))
    lost = found.pop(1)
    assert isinstance(lost, Lost) and "exit code -9" in lost.reason
    assert all(isinstance(one, int) for one in found.values()) and len(found) == 3


@pytest.mark.parametrize("pause", [0.0, 0.5])
def test_processes_that_are_killed_while_they_are_idle_cost_no_file(pause: float) -> None:
    """As the kernel may, for want of memory, while who reads the results does something else."""
    results = run(*"abcdefgh")
    first, pid = next(results)
    time.sleep(0.5)  # what was given out is done
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    time.sleep(pause)  # it may be seen before more is given out, or afterwards
    found = {first: pid, **dict(results)}
    assert sorted(found) == list(range(8))
    assert all(isinstance(one, int) for one in found.values()), found
