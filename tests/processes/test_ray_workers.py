"""Jobs on a real Ray cluster of this machine: they end as those of one machine do."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.errors import ClusterError, StorageError
from deepfake_lightning.processes import Cluster, Lost, open_cluster, run_jobs

pytestmark = [
    pytest.mark.slow,  # a cluster takes seconds to start
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed"),
]

PID = "__import__('os').getpid()"
DIES = "__import__('os').kill(__import__('os').getpid(), 9)"
# The actor, from itself or from the process apart that it has a server of forks start: as when
# memory is short.
ENDS_ACTOR = """(lambda os, is_actor: (os.kill(os.getpid() if is_actor else int(
    open(f'/proc/{os.getppid()}/stat').read().rpartition(')')[2].split()[1]), 9),
    __import__('time').sleep(20)))(
    __import__('os'), open('/proc/self/cmdline').read().startswith('ray::'))"""
HANGS = "__import__('time').sleep(600)"


def run(cluster: Cluster, jobs: Any, **options: Any) -> Any:
    settings = {"workers": 2, "timeout": 60, "prepare": gc.collect, "raised": (), **options}
    return run_jobs(eval, iter(enumerate(jobs)), cluster=cluster, **settings)


def test_it_leaves_nothing_behind() -> None:
    at_end = signal.getsignal(signal.SIGTERM)
    with open_cluster(cores=1) as opened:
        list(run(opened, [PID], workers=1))
    assert "RAY_AUTH_TOKEN" not in os.environ
    assert signal.getsignal(signal.SIGTERM) == at_end
    end = time.monotonic() + 20
    while left := _of_ray():
        assert time.monotonic() < end, left
        time.sleep(0.1)


def _of_ray() -> list[str]:
    """Return command lines of Ray that belong to this process."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = place.read_text().replace("\0", " ")
            parent = int((place.parent / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == os.getpid() and "ray" in line.split(" ")[0]:
            found.append(line)
    return found


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Return a cluster with room for two processes."""
    with open_cluster(cores=2) as opened:
        yield opened


def test_jobs_are_done_in_two_other_processes(cluster: Cluster) -> None:
    assert cluster.is_own and cluster.cores == 2
    jobs = [f"({PID}, {number}, __import__('time').sleep(0.05))[:2]" for number in range(40)]
    found = dict(run(cluster, jobs))
    assert [found[number][1] for number in range(40)] == list(range(40))
    pids = {pid for pid, _ in found.values()}
    assert len(pids) == 2 and os.getpid() not in pids


def test_no_more_are_taken_than_there_is_room_for(cluster: Cluster) -> None:
    taken = []

    def jobs() -> Iterator[str]:
        for number in range(1_000_000):
            taken.append(number)
            yield PID

    results = run(cluster, jobs())
    for _ in range(10):
        next(results)
    assert len(taken) <= 12
    results.close()


def test_a_killed_process_costs_no_job(cluster: Cluster) -> None:
    jobs = [f"(__import__('time').sleep(0.3), {PID})[1]" for _ in range(12)]
    results = run(cluster, jobs)
    first, pid = next(results)
    os.kill(pid, signal.SIGKILL)  # it has been given another by now, or is about to be
    found = {first: pid, **dict(results)}
    assert sorted(found) == list(range(12))
    assert all(isinstance(one, int) for one in found.values()), found


def test_a_job_that_crashes_or_hangs_is_lost_as_on_one_machine(cluster: Cluster) -> None:
    jobs = [PID, DIES, HANGS, "1 / 0", PID]
    there = dict(run(cluster, jobs, timeout=2))
    here = dict(
        run_jobs(eval, iter(enumerate(jobs)), workers=2, timeout=2, prepare=gc.collect, raised=())
    )
    assert isinstance(there.pop(0), int) and isinstance(there.pop(4), int)
    assert all(isinstance(found, Lost) for found in there.values())
    assert there == {number: here[number] for number in there}


def test_a_job_whose_actors_end_is_tried_again_and_not_lost(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match="lost each of 4 processes") as raised:
        list(run(cluster, [ENDS_ACTOR], workers=1))
    assert "memory" in str(raised.value)


def test_an_error_that_ends_everything_comes_back_as_it_was(cluster: Cluster) -> None:
    error = "__import__('deepfake_lightning.errors').errors.StorageError"
    jobs = [f"(_ for _ in ()).throw({error}('the disk is full', next_step='free space'))"]
    with pytest.raises(StorageError, match="the disk is full") as raised:
        list(run(cluster, jobs, raised=(StorageError,)))
    assert type(raised.value) is StorageError and raised.value.next_step == "free space"


def test_what_other_machines_do_not_see_is_an_error(cluster: Cluster) -> None:
    mine = Path(f"/proc/self/task/{threading.get_native_id()}")  # this process' own alone
    assert mine.exists()
    with pytest.raises(ClusterError, match=r"is not there on .*, a machine of the Ray cluster"):
        list(run(cluster, [PID], needs=lambda job: [mine]))


def test_what_is_there_nowhere_is_the_jobs_own(cluster: Cluster) -> None:
    found = dict(run(cluster, ["'unreadable'"], needs=lambda job: [Path("/nowhere")]))
    assert found == {0: "unreadable"}
