"""Where a command works: on this machine, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from deepfake_lightning.errors import UsageError

if TYPE_CHECKING:
    from deepfake_lightning.processes import Cluster


@contextmanager
def chosen_cluster(
    engine: Literal["local", "ray"],
    address: str | None,
    workers: int | None,
    console: Console,
    device: str = "cpu",
) -> Iterator[Cluster | None]:
    """Open the cluster that flags name; None: this machine works.

    Args:
        engine: of the flag ``--engine``.
        address: of ``--ray_address``.
        workers: of ``--workers``; a cluster of this machine has room for them.
        console: where it is shown that it takes a while.
        device: of the network.

    Raises:
        UsageError: the flags contradict each other.
        ClusterError: Ray is not installed, or the cluster cannot be reached.
    """
    if engine == "local":
        if address is not None:
            raise UsageError(
                f"--ray_address {address} is given, and this machine alone works",
                next_step="pass --engine ray, too, or leave --ray_address out",
            )
        yield None
        return
    if device != "cpu":
        raise UsageError(
            f"--engine ray scores on CPUs, and --device is {device}",
            next_step="leave --device out, or --engine",
        )
    from deepfake_lightning.processes import count_workers, open_cluster

    count_workers(workers, timeout=1.0)  # a wrong number is said before Ray starts
    with ExitStack() as stack:
        with console.status("connecting to Ray"):
            cluster = stack.enter_context(open_cluster(address, cores=workers))
        yield cluster
