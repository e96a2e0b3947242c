"""``benchmark``: how fast is this detector here, and what does it cost?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deepfake_lightning.cli.paths import near
from deepfake_lightning.errors import UsageError
from deepfake_lightning.storage import Workspace, write_json

if TYPE_CHECKING:
    from deepfake_lightning.inference import EngineSource
    from deepfake_lightning.inference.benchmark import BenchmarkRecord


def benchmark(
    target: str,
    data: str | None = None,
    runtimes: str = "onnx,torch",
    batches: str = "1,8,32",
    sizes: str | None = None,
    threads: int = 1,
    seconds: float = 5.0,
    clips: int = 16,
    workers: int = 1,
    device: str = "cpu",
    precision: Literal["fp32", "bf16"] = "fp32",
    price: float | None = None,
    out: str | None = None,
    overwrite: bool = False,
    workspace: str | None = None,
    json: bool = False,
) -> None:
    """Time a detector on this machine.

    First its network alone, by runtime, batch and input size, all in turns; then clips and pictures
    from file to verdict, through the engine of `predict`, and where their time goes. Each is timed
    in a process of its own. Cost: price / 3600 / rate * 1000. Exit codes: 0 timed, 2 wrong use,
    1 the machine's fault, 130 interrupted.

    Args:
        target: a version, a bundle or a checkpoint.
        data: clips and pictures: a file, folder, manifest or pattern (default: clips are drawn).
        runtimes: onnx, torch, or both.
        batches: pictures in a call; 'none' leaves the network out.
        sizes: sides of the input, pixels (default: the detector's own; others are exported for
            this).
        threads: of one call on a CPU.
        seconds: how long each row is timed, at least.
        clips: how many clips, and how many pictures, of the data are timed at most, evenly spaced;
            0 leaves them out.
        workers: time media with so many processes at once, too.
        device: of PyTorch: cpu, cuda, cuda:1, ...
        precision: of PyTorch.
        price: of this machine, an hour, in any currency.
        out: JSON file to write.
        overwrite: replace a file that exists.
        workspace: where the workspace is (default: mlops).
        json: print the record as JSON, and nothing else.
    """
    from deepfake_lightning.inference.benchmark import Plan, measure
    from deepfake_lightning.inference.benchmark.measure import check_settings
    from deepfake_lightning.schemas.settings import from_settings

    plan = from_settings(
        Plan, {name: f"--{name}" for name in Plan.model_fields}, runtimes=_words(runtimes),
        batches=_words(batches), sizes=_words(sizes or ""), seconds=seconds, clips=clips,
        workers=workers, price=price,
    )  # fmt: skip
    source = _source(target, Workspace.find(workspace), device, precision, threads)
    check_settings(source, plan, data)
    if out is not None:
        _check_out(Path(out), overwrite)
    console = Console(stderr=json)
    with _told(console) as progress:
        found = measure(source, plan, data=data, progress=progress)
    _show(console, found, json)
    if out is not None:
        write_json(Path(out), found.to_dict())
    if not json:
        said = f"record: {near(Path(out))}" if out else "next: pass --out FILE.json to keep this"
        console.print(said, highlight=False, markup=False, soft_wrap=True)


def _show(console: Console, found: BenchmarkRecord, json: bool) -> None:
    if json:
        sys.stdout.write(dumps(found.to_dict(), allow_nan=False) + "\n")
        return
    from deepfake_lightning.cli.benchmark_tables import print_benchmark

    print_benchmark(console, found)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",")) if text not in ("", "none") else ()


def _source(
    target: str,
    workspace: Workspace,
    device: str,
    precision: Literal["fp32", "bf16"],
    threads: int,
) -> EngineSource:
    from deepfake_lightning.evaluation.subjects.targets import find_target
    from deepfake_lightning.inference import EngineSource

    found = find_target(target, workspace)
    if not found.is_scored:
        raise UsageError(
            f"{target} has scores already, and no network that could be timed",
            next_step="name a version, a bundle or a checkpoint",
        )
    is_bundle = found.kind == "bundle"
    return EngineSource(
        found.path if is_bundle else None, None if is_bundle else found.path, device=device,
        precision=precision, threads=threads,
    )  # fmt: skip


def _check_out(path: Path, overwrite: bool) -> None:
    """Find out before minutes of timing whether the record can be written."""
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if path.is_dir() or not above.is_dir():
        fault = "it is a folder" if path.is_dir() else f"{above} is a file"
        raise UsageError(
            f"--out {path} cannot be written: {fault}", next_step="name a file, benchmark.json"
        )
    if path.exists() and not overwrite:
        raise UsageError(
            f"{path} exists already", next_step="name another --out, or pass --overwrite true"
        )


@contextmanager
def _told(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Show what is being done, and the time left of each part; a bar on a terminal only."""
    part = ""
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=None)

        def tell(what: str, done: int, total: int) -> None:
            nonlocal part
            if (now := what.partition(" ")[0]) != part:  # the pace of another part says nothing
                part = now
                bar.reset(task)
            bar.update(task, description=what, completed=done, total=total or None)

        yield tell
