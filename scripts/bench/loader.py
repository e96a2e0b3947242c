"""How fast the training loader is, against a loop that decodes and augments on one core.

The loop reads each picture with OpenCV, brings it to the input's size and applies the same
albumentations operations, in this process and with no framework; ``loop, to batches`` also
stacks them. Both sides end with bytes: a training normalises whole batches, on its device. The
loader is the package's own, alone (nothing trains), with 1 and with 2 processes. All take turns in
every round, and a loader's first batches, which pay for the start of its processes, are not
counted. The goal is at least 0.8 of the loop's pictures a second (without batches, the harder one)
for each process of the loader. That needs as many idle cores as processes. CPU milliseconds a
picture are of the loop, or of the loader's processes together; on a busy machine they are the
steadier figure. Run::

    python scripts/bench/loader.py

Without ``--data`` the pictures are random textures in a temporary folder.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import statistics
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import albumentations as A
import cv2
import torch
from common import figures, print_json, print_table, restart_tuned, spread, verdict, write_pictures
from lightning.pytorch import seed_everything

from deepfake_lightning import DeepfakeDataModule
from deepfake_lightning.data.transforms import Augmentation, _operations

GOAL = 0.8
BATCH = 32
WORKERS = (1, 2)
Speed = tuple[float, float]  # pictures a second, CPU milliseconds a picture


def loop_speed(paths: list[Path], size: int, compose: A.Compose, *, batches: bool) -> Speed:
    """Return the speed of the loop; ``batches``: to tensors of a batch."""
    start, cpu = time.perf_counter(), time.process_time()
    for first in range(0, len(paths), BATCH):
        stack = []
        for path in paths[first : first + BATCH]:
            image: Any = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
            if image.shape[:2] != (size, size):
                image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
            image = compose(image=image)["image"]
            if batches:
                stack.append(torch.from_numpy(image))
        if batches:
            torch.stack(stack)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    return len(paths) / wall, 1000 * cpu / len(paths)


def loader_speed(data: DeepfakeDataModule, workers: int, batches: int) -> Speed:
    """Return the speed of the package's loader, once its processes are at work."""
    data.hparams["num_workers"] = workers
    stream = iter(data.train_dataloader())
    # A process starts with two batches of its own; with one more each, all are in their stride.
    for _ in islice(stream, 3 * workers):
        pass
    start, cpu = time.perf_counter(), children_cpu()
    count = sum(len(batch["label"]) for batch in islice(stream, batches))
    wall, cpu = time.perf_counter() - start, children_cpu() - cpu
    return count / wall, 1000 * cpu / count


def children_cpu() -> float:
    """Return the CPU seconds of this process's children so far; not a number outside Linux."""
    if sys.platform != "linux":
        return float("nan")
    # The kernel's number of the clock of another process (clock_getcpuclockid(3)).
    pids = [child.pid for child in multiprocessing.active_children() if child.pid]
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def main() -> None:
    """Measure, and print pictures a second and the ratio for each process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a data set of face crops to load")
    parser.add_argument("--size", type=int, default=224, help="side of the input (default: 224)")
    parser.add_argument("--batches", type=int, default=24, help="counted in a round (default: 24)")
    parser.add_argument("--rounds", type=int, default=7, help="of each (default: 7)")
    parser.add_argument("--json", action="store_true", help="print one JSON line as well")
    args = parser.parse_args()
    restart_tuned()
    cv2.setNumThreads(0)
    seed_everything(0, verbose=False)
    compose = A.Compose(_operations(Augmentation()), seed=0)
    names = ["loop", "loop, to batches", *(f"loader, num_workers={n}" for n in WORKERS)]
    speeds: dict[str, list[Speed]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as name:
        count = (args.batches + 3 * max(WORKERS)) * BATCH
        root = args.data or write_pictures(Path(name, "data"), count, 32, args.size)
        data = DeepfakeDataModule(str(root), batch_size=BATCH, image_size=args.size)
        dataset = data.dataset("train")
        if len(dataset) < count:
            raise SystemExit(f"{len(dataset)} training pictures, {count} are needed: --batches")
        paths = [dataset.path(index) for index in range(args.batches * BATCH)]
        loop_speed(paths, args.size, compose, batches=True)  # the files are read into memory once
        for _ in range(args.rounds):
            for row in names[:2]:
                speed = loop_speed(paths, args.size, compose, batches=row != names[0])
                speeds[row].append(speed)
            for row, workers in zip(names[2:], WORKERS, strict=True):
                speeds[row].append(loader_speed(data, workers, args.batches))
                gc.collect()  # ends the processes

    rows = [["", "pictures a second", "of the loop, per process", "CPU ms a picture"]]
    result: dict[str, Any] = {"rounds": args.rounds, "size": args.size}
    verdicts = []
    for row, workers in zip(names, (1, 1, *WORKERS), strict=True):
        rates, cpu = zip(*speeds[row], strict=True)
        floors = [rate for rate, _ in speeds["loop"]]
        ratios = [rate / floor / workers for rate, floor in zip(rates, floors, strict=True)]
        rows.append([row, spread(rates, 0), spread(ratios, 2), spread(cpu, 2)])
        result[row] = {"img_per_s": figures(rates), "ratio": figures(ratios),
                       "cpu_ms": figures(cpu)}  # fmt: skip
        if row in names[2:]:
            verdicts.append(f"{row}: {verdict(statistics.median(ratios), GOAL, at_least=True)}")
    print(f"median (lowest-highest) of {args.rounds} rounds of {args.batches} batches of {BATCH}")
    print_table(rows)
    print("\n".join(verdicts))
    if args.json:
        print_json("loader", result)


if __name__ == "__main__":
    main()
