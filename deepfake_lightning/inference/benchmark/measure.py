"""A benchmark: what a detector costs in time, memory and money on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from deepfake_lightning.errors import UsageError
from deepfake_lightning.inference.benchmark.device import GpuRecord, device_record
from deepfake_lightning.inference.benchmark.media import time_media
from deepfake_lightning.inference.benchmark.network import LEAST_CALLS, ROUNDS, time_network
from deepfake_lightning.inference.benchmark.own_process import own_processes
from deepfake_lightning.inference.benchmark.plan import Plan
from deepfake_lightning.inference.benchmark.record import BenchmarkRecord, MediaRow, NetworkRow
from deepfake_lightning.inference.benchmark.subject import Timed, timed
from deepfake_lightning.inference.opening import EngineSource

_MOST_ROWS = 24
_BUSY = 0.95  # CPU seconds over wall-clock seconds of one thread on an idle machine: 0.99


def measure(
    source: EngineSource,
    plan: Plan | None = None,
    *,
    data: str | None = None,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> BenchmarkRecord:
    """Time a detector on this machine: its network alone, and media from file to verdict.

    Everything is timed in processes of its own, with as many threads as ``source.threads`` says
    (None: one). Nothing is printed.

    Args:
        source: the detector; its device and precision are PyTorch's, and its ``runtime`` is the
            plan's to say.
        plan: what is timed; None: as :class:`Plan` has it.
        data: clips and pictures, a path as `predict` takes them; None: clips are drawn.
        progress: told what is done, how much of it is, and how much there is (0: unknown).
        clock: gives the time, with its zone.

    Raises:
        UsageError: a row cannot be run, or a setting would have no part in anything.
        BundleError, CheckpointError: the detector is damaged, changed or foreign.
        DataError: the media are missing or cannot be read.
    """
    plan = plan or Plan()
    threads = source.threads or 1
    check_settings(source, plan, data)
    progress("opening the detector", 0, 0)
    subject, before = timed(replace(source, threads=threads)), _load()
    with TemporaryDirectory(prefix="benchmark-") as folder:
        network, same = time_network(subject, plan, threads, Path(folder), progress)
        media = time_media(_engine(subject.source, plan), data, plan, Path(folder), progress)
    load = None if before is None else (before, _load() or 0.0)
    return BenchmarkRecord(
        created=clock().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        kind="checkpoint" if source.bundle is None else "bundle",
        version=subject.version, digest=subject.digest, backbone=subject.backbone,
        demo=subject.demo, size=subject.size, size_mb=subject.size_mb,
        device=device_record(_gpu(source.device)), load=load, price_per_hour=plan.price,
        network=network, same_network=same, media=media,
        notes=tuple(_notes(subject, plan, network, media)),
    )  # fmt: skip


def check_settings(source: EngineSource, plan: Plan, data: str | None) -> None:
    """Refuse what cannot work, or would have no part in anything.

    Raises:
        UsageError: says what.
    """
    if source.threads is not None and source.threads < 1:
        raise UsageError(f"threads is {source.threads}", next_step="give a number from 1 on")
    if plan.rows > _MOST_ROWS:
        raise UsageError(
            f"{plan.rows} rows are asked for, more than {_MOST_ROWS}",
            why="each has a process of its own, with the network in it, until all are timed",
            next_step="take fewer runtimes, batches or sizes at a time",
        )
    if not plan.rows and not plan.clips:
        raise UsageError(
            "neither the network nor media are to be timed",
            next_step="name batches, or time 1 clip or more",
        )
    for_torch = source.device != "cpu" or source.precision != "fp32"
    if for_torch and "torch" not in plan.runtimes:
        raise UsageError(
            f"device {source.device} and precision {source.precision} would have no part in this",
            why="ONNX runs on the CPU, in fp32",
            next_step="leave them out, or name torch among the runtimes",
        )
    if not plan.clips and (data is not None or plan.workers > 1):
        raise UsageError(
            "data and workers would have no part in this: no clips are to be timed",
            next_step="leave them out, or time 1 clip or more",
        )


def _engine(source: EngineSource, plan: Plan) -> EngineSource:
    """Return how media are scored: as `predict` would, unless one runtime alone is named."""
    alone = plan.runtimes[0] if len(plan.runtimes) == 1 and source.bundle is not None else "auto"
    return replace(source, runtime=alone)


def _gpu(device: str) -> GpuRecord | None:
    if not device.startswith("cuda"):
        return None
    with own_processes([device]) as (process,):
        return process.run(_gpu_of, device)


def _gpu_of(device: str) -> GpuRecord:
    from deepfake_lightning.inference.benchmark.torch_side import gpu_record

    return gpu_record(device)


def _load() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


def _notes(
    subject: Timed, plan: Plan, network: tuple[NetworkRow, ...], media: tuple[MediaRow, ...]
) -> list[str]:
    notes = []
    if network:
        notes.append(
            f"network: each row in {ROUNDS} rounds, in turns with the others, in a process of "
            f"its own; {plan.seconds:g} s and, within a minute, {LEAST_CALLS} calls at least. "
            "spread: how far the medians of the rounds are apart; rows that differ by less do not "
            "differ"
        )
    waited = [row.cores_busy for row in network if row.device == "cpu" and row.threads == 1]
    if waited and min(waited) < _BUSY:
        notes.append(
            f"others had the cores: a row was given as little as {min(waited):.0%} of one core "
            "while it was timed. Compare rows with each other, and time again on an idle machine"
        )
    if any(row.calls < 100 for row in network):
        notes.append("p99 of fewer than 100 calls is close to the slowest of them")
    if any(row.exported for row in network):
        notes.append(
            "exported: a graph made for this measurement; the detector is made for "
            f"{subject.size} px, and is neither trained nor measured at other sizes"
        )
    if any(row.drawn for row in media):
        notes.append(
            "the clips were drawn by this package, and are small and short: real ones take longer "
            "to decode. Pass data of your own"
        )
    if media:
        notes.append("media are read from memory: what a disk or a network takes comes on top")
    if plan.price is not None:
        notes.append(
            "cost: price / 3600 / rate * 1000, at the rate that is shown; a machine that does not "
            "work all the time costs more an item"
        )
    return notes
