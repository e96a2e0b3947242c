"""The network alone, by runtime, batch and size: all rows in turns, each in its own process."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import BundleError
from deepfake_lightning.inference.benchmark.figures import cost_per_1000, latency, spread
from deepfake_lightning.inference.benchmark.network_calls import (
    Calls,
    RowSetup,
    open_row,
    peaks,
    time_calls,
)
from deepfake_lightning.inference.benchmark.own_process import own_processes
from deepfake_lightning.inference.benchmark.plan import Plan
from deepfake_lightning.inference.benchmark.record import NetworkRow, SameNetwork
from deepfake_lightning.inference.benchmark.subject import Timed

ROUNDS = 5
LEAST_CALLS = 30
_LONGEST_SECONDS = 60.0
Progress = Callable[[str, int, int], None]


def time_network(
    subject: Timed, plan: Plan, threads: int, folder: Path, progress: Progress
) -> tuple[tuple[NetworkRow, ...], tuple[SameNetwork, ...]]:
    """Time the network alone.

    A row is timed in :data:`ROUNDS` rounds, in turns with all others, so that what else the
    machine does meets all of them alike; for the plan's seconds, and :data:`LEAST_CALLS` calls, at
    least, but for these calls no longer than a minute.

    Args:
        subject: the detector.
        plan: what is timed.
        threads: of one call, on a CPU.
        folder: for graphs that are exported.
        progress: told what is done, how much of it is, and how much there is.

    Returns:
        a row for each runtime, size and batch; and for each size how far its rows are apart.

    Raises:
        UsageError: a row cannot be run.
        BundleError: the network cannot be exported, or gives what is no number.
    """
    setups = _setups(subject, plan, threads, folder, progress)
    if not setups:
        return (), ()
    with own_processes([str(setup) for setup in setups]) as processes:
        pairs = list(zip(processes, setups, strict=True))
        waiting = [process.start(open_row, setup) for process, setup in pairs]
        opened = []
        for done, (wait, setup) in enumerate(zip(waiting, setups, strict=True)):
            progress(f"opening {setup}", done, len(setups))
            opened.append(wait())
        same = _compare(setups, opened)
        longest = max(_LONGEST_SECONDS, plan.seconds)
        rounds: list[list[Calls]] = [[] for _ in setups]
        for turn, (place, (process, setup)) in product(range(ROUNDS), enumerate(pairs)):
            progress(f"timing {setup}", turn * len(setups) + place, ROUNDS * len(setups))
            rounds[place].append(
                process.run(
                    time_calls, setup, plan.seconds / ROUNDS, math.ceil(LEAST_CALLS / ROUNDS),
                    longest / ROUNDS,
                )
            )  # fmt: skip
        memory = [process.run(peaks, setup) for process, setup in pairs]
    rows = map(_row, setups, rounds, memory, [plan.price] * len(setups))
    return tuple(rows), same


def _setups(
    subject: Timed, plan: Plan, threads: int, folder: Path, progress: Progress
) -> list[RowSetup]:
    """Return the rows, and write the graphs that they need."""
    source, sizes = subject.source, plan.sizes or (subject.size,)
    graphs: dict[int, Path] = {}
    if "onnx" in plan.runtimes and plan.batches:
        missing = [size for size in sizes if source.bundle is None or size != subject.size]
        graphs = {size: folder / f"{size}.onnx" for size in missing}
        _export(subject, graphs, progress)
    setups = []
    for runtime, size, batch in product(plan.runtimes, sizes, plan.batches):
        on_torch = runtime == "torch"
        setups.append(
            RowSetup(
                source, runtime, source.device if on_torch else "cpu",
                source.precision if on_torch else "fp32", threads, batch, size, subject.features,
                None if on_torch else graphs.get(size),
            )
        )  # fmt: skip
    return setups


def _export(subject: Timed, graphs: dict[int, Path], progress: Progress) -> None:
    if not graphs:
        return
    with own_processes(["exporting to ONNX"]) as (process,):
        for done, (size, path) in enumerate(graphs.items()):
            progress(f"exporting to ONNX, {size} px", done, len(graphs))
            process.run(_export_graph, subject, size, path)


def _export_graph(subject: Timed, size: int, path: Path) -> None:
    from deepfake_lightning.inference.benchmark.torch_side import export_graph

    export_graph(subject.source, size, path)


def _compare(
    setups: Sequence[RowSetup], opened: Sequence[NDArray[np.float32]]
) -> tuple[SameNetwork, ...]:
    """Return how far the rows of each size are apart on the same pictures."""
    found = []
    for size in dict.fromkeys(setup.size for setup in setups):
        rows = [one for setup, one in zip(setups, opened, strict=True) if setup.size == size]
        logits = np.stack(rows)
        if not np.isfinite(logits).all():
            raise BundleError(
                "the network gives scores that are not finite numbers",
                why="its weights are damaged, or its numbers overflow",
                next_step="use another version",
            )
        apart = float(np.ptp(logits, axis=0).max())
        found.append(SameNetwork(size=size, rows=len(rows), pictures=logits.shape[1], logit=apart))
    return tuple(found)


def _row(
    setup: RowSetup,
    rounds: Sequence[Calls],
    memory: tuple[float | None, float | None],
    price: float | None,
) -> NetworkRow:
    calls = [seconds for one in rounds for seconds in one.seconds]
    times, medians = latency(calls), [1000 * median(one.seconds) for one in rounds]
    rate = setup.batch * len(calls) / sum(calls)
    return NetworkRow(
        runtime=setup.runtime, device=setup.device, precision=setup.precision,
        threads=setup.threads, batch=setup.batch, size=setup.size,
        exported=setup.graph is not None, calls=len(calls), p50_ms=times.p50, p95_ms=times.p95,
        p99_ms=times.p99, pictures_per_second=rate, rounds_ms=tuple(medians),
        spread=spread(medians), cores_busy=sum(one.cpu_seconds for one in rounds) / sum(calls),
        peak_memory_mb=memory[0], peak_gpu_memory_mb=memory[1],
        cost_per_1000=cost_per_1000(price, rate),
    )  # fmt: skip
