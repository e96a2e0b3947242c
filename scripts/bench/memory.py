"""Whether a training's memory stays flat: peak resident memory after each epoch.

Trains a small network on 224 px pictures with the command line's Trainer, its callbacks,
StepTime and TensorBoardPictures, and two loader processes for each split. After each epoch, with
validation, checkpoint and logs done, it notes the peak so far of the main process and the sum of
its children's. What is compared is the last epoch with the second: by then everything that is
made once has been made. The goal is a growth below 2 % of the main process and of the children,
each for itself (children count the pages they share with their parent, so that their sum would
hide the main process). Linux only (it reads ``/proc``). Run::

    python scripts/bench/memory.py --epochs 8
    python scripts/bench/memory.py --epochs 30 --no-pictures    # without TensorBoardPictures

Without ``--data`` the pictures are random textures in a temporary folder.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common import print_json, print_table, restart_tuned, verdict, write_pictures
from fit_run import run_fit
from lightning.pytorch import Callback

GOAL = 0.02  # growth from the second epoch to the last


@dataclass(frozen=True)
class Memory:
    """Resident memory at the end of an epoch, MB.

    Attributes:
        main, children: peak so far of the main process, and the sum of its children's peaks.
        main_now, children_now: what they hold at this moment.
        processes: number of children.
    """

    main: float
    children: float
    main_now: float
    children_now: float
    processes: int

    @property
    def peak(self) -> float:
        """Peak of all processes."""
        return self.main + self.children


def resident(pid: int) -> tuple[float, float]:
    """Return a process's peak and present resident memory, MB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    peak, now = (int(fields[name].split()[0]) / 1024 for name in ("VmHWM", "VmRSS"))
    return peak, now


class MemoryWatch(Callback):
    """Notes the memory at the end of every epoch."""

    def __init__(self) -> None:
        self.epochs: list[Memory] = []

    def on_train_epoch_end(self, *args: Any, **kwargs: Any) -> None:
        """Look at this process and its children."""
        main, main_now = resident(os.getpid())
        children = [resident(child.pid) for child in multiprocessing.active_children() if child.pid]
        peaks, now = (sum(values) for values in zip(*children, strict=True))
        self.epochs.append(Memory(main, peaks, main_now, now, len(children)))


def settings_of(data: Path, workspace: Path, epochs: int, pictures: bool) -> dict[str, Any]:
    """Return the configuration of the training."""
    package = "deepfake_lightning.callbacks"
    shown = {"class_path": f"{package}.TensorBoardPictures", "init_args": {"faces": True}}
    return {
        "workspace": str(workspace),
        "model": {"backbone": "test_resnet", "pretrained": False, "optimizer": "adamw", "lr": 1e-4},
        "data": {"root": str(data), "image_size": 224, "batch_size": 16, "num_workers": 2},
        "early_stopping": {"patience": epochs},
        "checkpoint": {"monitor": "val/loss", "mode": "min"},
        "trainer": {
            "max_epochs": epochs,
            "callbacks": [{"class_path": f"{package}.StepTime"}, *([shown] if pictures else [])],
        },
    }


def main() -> None:
    """Train, and print the memory of each epoch and its growth."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a data set of face crops to train on")
    parser.add_argument("--epochs", type=int, default=8, help="3 or more (default: 8)")
    parser.add_argument("--no-pictures", action="store_true", help="no TensorBoardPictures")
    parser.add_argument("--json", action="store_true", help="print one JSON line as well")
    args = parser.parse_args()
    if args.epochs < 3:
        parser.error("--epochs: the second and the last are compared, so 3 or more are needed")
    restart_tuned()
    watch = MemoryWatch()
    with tempfile.TemporaryDirectory() as name:
        data = args.data or write_pictures(Path(name, "data"), 192, 64, 224)
        config = settings_of(data, Path(name, "mlops"), args.epochs, not args.no_pictures)
        run_fit(config, watch)

    rows = [["epoch", "peak MB", "main", "children", "now MB", "main", "children"]]
    for number, epoch in enumerate(watch.epochs, start=1):
        now = epoch.main_now + epoch.children_now
        shown = (epoch.peak, epoch.main, epoch.children, now, epoch.main_now, epoch.children_now)
        rows.append([str(number), *(f"{value:,.0f}" for value in shown)])
    print_table(rows)
    second, last = watch.epochs[1], watch.epochs[-1]
    growth = {"main": last.main / second.main - 1, "children": last.children / second.children - 1}
    worst = max(growth.values())
    texts = ", ".join(f"{name} {value:+.2%}" for name, value in growth.items())
    print(f"peak from epoch 2 to {len(watch.epochs)}: {texts}")
    print(f"{last.processes} children; {verdict(worst, GOAL, at_least=False)}")
    if args.json:
        epochs = [{key: round(v, 1) for key, v in asdict(one).items()} for one in watch.epochs]
        rounded = {name: round(value, 4) for name, value in growth.items()}
        print_json("memory", {"growth": rounded, "epochs": epochs})


if __name__ == "__main__":
    main()
