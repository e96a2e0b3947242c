"""What ``benchmark`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deepfake_lightning.cli.printable import printable

if TYPE_CHECKING:
    from deepfake_lightning.inference.benchmark.device import DeviceRecord
    from deepfake_lightning.inference.benchmark.record import (
        BenchmarkRecord,
        HowRun,
        MediaRow,
        NetworkRow,
    )

_NOUNS = {"video": ("clip", "clips"), "image": ("picture", "pictures")}


def print_benchmark(console: Console, found: BenchmarkRecord) -> None:
    """Print tables of at most 100 columns, and what has to be known of them."""
    _say(console, *_about(found))
    if found.network:
        _say(console, "", f"the network alone, {_title(found.network[0])}")
        console.print(_network(found))
        _say(console, *_same(found))
    for row in found.media:
        many = _NOUNS[row.media_type][1]
        how = f"{row.runtime} on {row.device}, {_title(row)}"
        _say(console, "", f"{many} from file to verdict, {how}")
        console.print(_parts(row))
        _say(console, *_media(row))
    _say(console, "", *(f"note: {note}" for note in found.notes))


def _say(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(Text(printable(line)), highlight=False, soft_wrap=True)


def _about(found: BenchmarkRecord) -> list[str]:
    machine = found.device
    load = f"load {found.load[0]:g} before, {found.load[1]:g} after" if found.load else "load ?"
    return [
        f"{found.version}, {found.backbone}, {found.size} px; {found.kind} of "
        f"{found.size_mb:,.1f} MB, sha256 {found.digest[:16]}",
        f"{machine.cpu}, {_cores(machine)}, {_gigabytes(machine)}, {machine.os}; {load}",
        *_gpu(machine),
    ]


def _title(row: HowRun) -> str:
    return f"one process, {_many(row.threads, 'thread')} a call"


def _cores(machine: DeviceRecord) -> str:
    quota = f", quota {machine.cpu_quota:g}" if machine.cpu_quota is not None else ""
    kind = ", virtual" if machine.virtual else ""
    return f"{machine.cores} of {machine.cores_in_machine} cores{quota}{kind}"


def _gigabytes(machine: DeviceRecord) -> str:
    return f"{machine.memory_gb:g} GB" if machine.memory_gb is not None else "memory unknown"


def _gpu(machine: DeviceRecord) -> list[str]:
    gpu = machine.gpu
    if gpu is None:
        return []
    return [f"{gpu.name}, {gpu.memory_gb:g} GB, driver {gpu.driver or 'unknown'}, CUDA {gpu.cuda}"]


def _network(found: BenchmarkRecord) -> Table:
    priced = found.price_per_hour is not None
    on_gpu = any(row.peak_gpu_memory_mb is not None for row in found.network)
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    table.add_column("runtime")
    heads = ["batch", "px", "p50 ms", "p95 ms", "p99 ms", "pictures /s", "spread", "peak MB"]
    heads += ["GPU MB"] * on_gpu + ["cost of 1,000"] * priced
    for head in heads:
        table.add_column(head, justify="right")
    for row in found.network:
        table.add_row(*_cells(row, on_gpu, priced))
    return table


def _cells(row: NetworkRow, on_gpu: bool, priced: bool) -> list[str]:
    how = [row.device] * (row.device != "cpu") + [row.precision] * (row.precision != "fp32")
    cells = [
        " ".join([row.runtime, *how]), str(row.batch), f"{row.size}{'*' * row.exported}",
        *map(_number, (row.p50_ms, row.p95_ms, row.p99_ms, row.pictures_per_second)),
        f"{row.spread:.0%}", _memory(row.peak_memory_mb),
    ]  # fmt: skip
    cells += [_memory(row.peak_gpu_memory_mb)] * on_gpu
    return cells + [_cost(row.cost_per_1000)] * priced


def _same(found: BenchmarkRecord) -> list[str]:
    lines = [
        f"{one.size} px: on the same {_many(one.pictures, 'picture')} the logits of these "
        f"{one.rows} rows are {one.logit:.1e} apart at most"
        for one in found.same_network
        if one.rows > 1
    ]
    return lines + ["* exported for this"] * any(row.exported for row in found.network)


def _parts(row: MediaRow) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("part", no_wrap=True)
    table.add_column(f"ms a {_NOUNS[row.media_type][0]}", justify="right")
    table.add_column("share", justify="right")
    for name in ("decode", "faces", "model", "other"):
        seconds = getattr(row.parts, name)
        table.add_row(name, _number(1000 * seconds), f"{seconds / row.seconds:.0%}")
    table.add_row("whole", _number(1000 * row.seconds), "100%")
    return table


def _media(row: MediaRow) -> list[str]:
    one, many = _NOUNS[row.media_type]
    rate = f"{_number(row.per_second)} {many}/s with one process"
    if row.per_second_with_workers is not None:
        rate += f", {_number(row.per_second_with_workers)} with {row.workers}"
    lines = [
        f"{rate}; a {one}: p50 {_number(row.p50_ms)}, p95 {_number(row.p95_ms)}, "
        f"p99 {_number(row.p99_ms)} ms ({row.timed} timed); peak {_memory(row.peak_memory_mb)} MB",
        _source(row),
    ]
    if row.cost_per_1000 is not None:
        lines.append(f"cost of 1,000 {many}: {_cost(row.cost_per_1000)}")
    return lines


def _source(row: MediaRow) -> str:
    one = _NOUNS[row.media_type][0]
    parts = [
        f"{_many(row.items, one)} ({row.source})",
        f"{_range(row.width)} x {_range(row.height)} px",
    ]
    if row.length_seconds is not None:
        low, high = (round(value, 1) for value in row.length_seconds)
        parts.append(f"{_range((low, high))} s long")
        parts.append(f"{row.frames:.1f} frames looked at")
    parts.append(f"{row.faces:.1f} faces scored")
    if row.without_face:
        parts.append(f"{row.without_face} without a face")
    if row.unreadable:
        parts.append(f"{row.unreadable} unreadable, left out")
    return ", ".join(parts)


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _range(values: tuple[float, float]) -> str:
    low, high = values
    return f"{low:g}" if low == high else f"{low:g}-{high:g}"


def _cost(cost: float | None) -> str:
    return "unknown" if cost is None else f"{cost:.4g}"


def _memory(megabytes: float | None) -> str:
    return "unknown" if megabytes is None else f"{megabytes:,.0f}"


def _number(value: float) -> str:
    """Return three digits, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
