"""Jobs, wherever they are done."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from deepfake_lightning.errors import DeepfakeLightningError, UsageError
from deepfake_lightning.processes.cores import available_cores
from deepfake_lightning.processes.outcomes import Lost
from deepfake_lightning.processes.pool import run_in_pool
from deepfake_lightning.processes.ray_cluster import Cluster

Job = TypeVar("Job")
Result = TypeVar("Result")
Label = TypeVar("Label")


def run_jobs(
    function: Callable[[Job], Result],
    jobs: Iterator[tuple[Label, Job]],
    *,
    workers: int,
    timeout: float,
    prepare: Callable[[], None],
    raised: tuple[type[DeepfakeLightningError], ...],
    cluster: Cluster | None = None,
    needs: Callable[[Job], Iterable[Path]] = lambda job: (),
) -> Generator[tuple[Label, Result | Lost], None, None]:
    """Yield each job's label with its result as it is done; few are under way at a time.

    A job that crashes or that is too slow is lost, and no other. One whose process was ended for
    another reason is done once more.

    Args:
        function: of a module; it is imported once in each process, or in the one they are forked
            from.
        jobs: labels stay here, jobs are sent. They are taken as there is room for them.
        workers: processes.
        timeout: seconds that one job may take.
        prepare: called in each process when it starts.
        raised: errors of a job that end everything; any other is the job's own.
        cluster: does the jobs; None: processes of this machine do.
        needs: files and folders of a job, which each machine of a cluster has to see where they
            are here.

    Raises:
        ClusterError: the cluster does not do the work.
    """
    if cluster is None:
        return run_in_pool(
            function, jobs, workers=workers, timeout=timeout, prepare=prepare, raised=raised
        )
    from deepfake_lightning.processes.ray_workers import run_on_ray

    return run_on_ray(
        function, jobs, workers=workers, timeout=timeout, prepare=prepare, raised=raised,
        needs=needs,
    )  # fmt: skip


def count_workers(workers: int | None, timeout: float, cluster: Cluster | None = None) -> int:
    """Return the number of processes; None: as many as there are cores, here or in the cluster.

    Raises:
        UsageError: it, or the timeout, is not above 0.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"workers is {workers}", next_step="give a number from 1 on")
    if not timeout > 0:
        raise UsageError(f"timeout is {timeout:g}", next_step="give seconds, more than 0")
    return workers or (available_cores() if cluster is None else cluster.cores)
