"""What each ingredient of a training configuration brings: one is changed at a time.

Every variant is trained with ``deepfake-lightning fit`` and the same seeds, to its last epoch; the
checkpoint that is best on ``val`` is scored there: the pictures as they are, the mean with their
mirror images, and the pictures as a platform hands them on (half the side, JPEG of quality 40).
Choose on ``val``; ``--test`` also scores the test split, for the table that is published when the
choice is made::

    python scripts/bench/ingredients.py --data FOLDER --config configs/lite0.yaml --seeds 3

The data folder holds ``index.csv`` (``path``, ``label``, ``split``). Each result is a line of
``ingredients.csv`` under ``--out`` as soon as it is known, and is not measured again: a run that
was cut off goes on where it stopped. ``--only "averaged weights,whole pictures + twice as long"``
measures those, the second of two together, beside the configuration as it is. ``--jobs 8`` trains
that many at a time, on a GPU that one small network does not fill; their output is under ``logs``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from common import print_json, print_table
from numpy.typing import NDArray

from deepfake_lightning.data.transforms import Augmentation
from deepfake_lightning.media import read_image, resize, to_input
from deepfake_lightning.media.degrading import downscale, jpeg
from deepfake_lightning.metrics import auroc, log_loss
from deepfake_lightning.models.checkpoints import TrainedDetector, load_detector
from deepfake_lightning.schemas import Preprocess

BASE = "as configured"
_USUAL = asdict(Augmentation())
_SELDOM = dict.fromkeys(("jpeg", "blur", "downscale", "noise"), 0.05)
_MILDER = {**_USUAL, **_SELDOM, "shift": 0.5, "cutout": 0}
_FLIPS = {**dict.fromkeys(_USUAL, 0), "flip": 0.5}
_CALLBACKS = "--trainer.callbacks"
INGREDIENTS: dict[str, tuple[str, ...]] = {
    BASE: (),
    "whole pictures": ("--data.crop_size=null",),
    "smaller squares": ("--data.crop_size=160",),
    "flips alone": (f"--data.augmentation={_FLIPS}",),
    "milder augmentation": (f"--data.augmentation={_MILDER}",),
    "no label smoothing": ("--model.label_smoothing=0",),
    "no weight decay": ("--model.weight_decay=0",),
    "half the rate": ("--model.lr=0.0005",),
    "double the rate": ("--model.lr=0.002",),
    "layer-wise rates": ("--model.layer_decay=0.9",),
    "stochastic depth": ("--model.drop_path_rate=0.2",),
    "averaged weights": (
        f"{_CALLBACKS}+=lightning.pytorch.callbacks.EMAWeightAveraging", f"{_CALLBACKS}.decay=0.998"
    ),
    "sharpness-aware": (f"{_CALLBACKS}+=sharpness_aware.SharpnessAware",),
    "self-blended beside": ("--data.blending.share=0.5", "--data.blending.ratio=1"),
    "from scratch": ("--model.pretrained=false", "--model.weights=null"),
    "B0 from scratch": (
        "--model.pretrained=false", "--model.weights=null", "--model.backbone=efficientnet_b0"
    ),
    "twice as long": (),
    "four times as long": (),
}  # fmt: skip
_LONGER = {"twice as long": 2, "four times as long": 4}
_BATCH = 64


@dataclass(frozen=True)
class Result:
    """One training, measured on one split.

    Attributes:
        name: of the ingredient, or of several with `` + `` between.
        seed: of the training.
        split: that was scored.
        auroc, mirrored: of the pictures, and of the mean log-odds with their mirror images.
        degraded: AUROC of the pictures as a platform hands them on.
        loss: natural log loss of the pictures.
        minutes: that the training took.
    """

    name: str
    seed: int
    split: str
    auroc: float
    mirrored: float
    degraded: float
    loss: float
    minutes: float


def train(args: argparse.Namespace, name: str, seed: int) -> tuple[Path, float]:
    """Return the best checkpoint of a training, and the minutes it took."""
    parts = name.split(" + ")
    epochs = args.epochs * max(_LONGER.get(part, 1) for part in parts)
    experiment = f"{name.replace(' + ', '+').replace(' ', '-')}-{seed}"
    flags = {
        "data.root": args.data, "data.num_workers": args.workers, "seed_everything": seed,
        "trainer.max_epochs": epochs, "early_stopping.patience": epochs, "register": "false",
        "report": "false", "model.test_time_flip": "false", "experiment": experiment,
        "workspace": args.out / "mlops",
    }  # fmt: skip
    command = [sys.executable, "-m", "deepfake_lightning", "fit", "--config", str(args.config)]
    command += [f"--{key}={value}" for key, value in flags.items()]
    command += [flag for part in parts for flag in INGREDIENTS[part]]
    began = time.monotonic()
    if _run(command, args.out / "logs" / f"{experiment}.log" if args.jobs > 1 else None):
        raise RuntimeError(f"{name}, seed {seed}: the training failed")
    made = (args.out / "mlops/runs" / experiment).glob("*/checkpoints/best.ckpt")
    found = max(made, key=lambda path: path.stat().st_mtime)  # one that was cut off left one, too
    return found, (time.monotonic() - began) / 60


def _run(command: list[str], log: Path | None) -> int:
    """Run a training, its output on the terminal or in a file; return its exit code."""
    here = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    if log is None:
        return subprocess.run(command, check=False, env=here).returncode
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as out:
        return subprocess.run(command, check=False, env=here, stdout=out, stderr=out).returncode


def _as_handed_on(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return jpeg(downscale(picture, 0.5), 40)


@cache
def pictures(paths: tuple[Path, ...], preprocess: Preprocess, degraded: bool) -> list[Any]:
    """Return pictures uint8 [S, S, 3] of the input's size, as they are or as handed on."""
    read = (read_image(path) for path in paths)
    return [resize(_as_handed_on(one) if degraded else one, preprocess) for one in read]


@torch.inference_mode()
def log_odds(trained: TrainedDetector, crops: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Return log-odds of fake, float64 [N, 2]: of pictures, and of their mirror images."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    detector, found = trained.detector.to(device), []
    for start in range(0, len(crops), _BATCH):
        inputs = [to_input(one, trained.preprocess) for one in crops[start:][:_BATCH]]
        batch = torch.from_numpy(np.stack(inputs))
        both = [detector(images.to(device)) for images in (batch, batch.flip(3))]
        found.append(torch.stack([one[:, 1] - one[:, 0] for one in both], dim=1).double().cpu())
    return np.asarray(torch.cat(found).numpy())


def measure(args: argparse.Namespace, name: str, seed: int) -> Iterator[Result]:
    """Train, and score the splits that are asked for."""
    checkpoint, minutes = train(args, name, seed)
    trained = load_detector(checkpoint)
    index = pd.read_csv(args.data / "index.csv")
    for split in ("val", "test") if args.test else ("val",):
        rows = index[index["split"] == split]
        labels = rows["label"].to_numpy(np.int64)
        paths = tuple(args.data / path for path in rows["path"])
        odds = log_odds(trained, pictures(paths, trained.preprocess, False))
        worse = log_odds(trained, pictures(paths, trained.preprocess, True))
        areas = [auroc(one, labels) for one in (odds[:, 0], odds.mean(axis=1), worse[:, 0])]
        loss = log_loss(odds[:, 0], labels)
        if None in areas or loss is None:
            raise SystemExit(f"{split} of {args.data} needs pictures of both classes")
        plain, mirrored, degraded = map(float, filter(None, areas))
        yield Result(name, seed, split, plain, mirrored, degraded, loss, minutes)


_FIGURES = ("auroc", "mirrored", "degraded", "loss", "minutes")


def known(file: Path) -> list[Result]:
    """Return what was measured before."""
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as lines:
        return [
            Result(row["name"], int(row["seed"]), row["split"],
                   *(float(row[key]) for key in _FIGURES))
            for row in csv.DictReader(lines)
        ]  # fmt: skip


def new(args: argparse.Namespace, seed: int, name: str) -> list[Result]:
    """Return what is not known yet of a training: of each split that is asked for."""
    found = known(args.out / "ingredients.csv")
    done = {one.split for one in found if (one.name, one.seed) == (name, seed)}
    if {"val", *(["test"] if args.test else [])} <= done:
        return []
    return [one for one in measure(args, name, seed) if one.split not in done]


def keep(file: Path, results: list[Result]) -> None:
    """Add results to those that were measured before."""
    is_new = not file.exists()
    with file.open("a", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, [one.name for one in fields(Result)])
        if is_new:
            writer.writeheader()
        writer.writerows(map(asdict, results))


def show(results: list[Result], split: str) -> None:
    """Print the ingredients, each beside the configuration as it is with the same seeds."""
    chosen = [one for one in results if one.split == split]
    base = {one.seed: one for one in chosen if one.name == BASE}
    rows = [
        [f"{split}: ingredient", "AUROC", "range", "to base", "mirrored", "degraded", "loss", "min"]
    ]
    for name in dict.fromkeys(one.name for one in chosen):
        own = [one for one in chosen if one.name == name]
        if not own:
            continue
        areas = [one.auroc for one in own]
        apart = [one.auroc - base[one.seed].auroc for one in own if one.seed in base]
        rows.append([
            name, f"{statistics.fmean(areas):.4f}", f"{min(areas):.4f}-{max(areas):.4f}",
            f"{statistics.fmean(apart):+.4f}" if apart and name != BASE else "",
            f"{statistics.fmean(one.mirrored for one in own):.4f}",
            f"{statistics.fmean(one.degraded for one in own):.4f}",
            f"{statistics.fmean(one.loss for one in own):.4f}",
            f"{statistics.fmean(one.minutes for one in own):.1f}",
        ])  # fmt: skip
    print_table(rows)


def main() -> None:
    """Measure what is not known yet, and print it all."""
    args = _arguments()
    file = args.out / "ingredients.csv"
    args.out.mkdir(parents=True, exist_ok=True)
    _same_as_before(args)
    with ThreadPoolExecutor(args.jobs) as pool:
        waiting = [pool.submit(new, args, *task) for task in product(range(args.seeds), args.only)]
        failed = []
        for future in as_completed(waiting):
            try:
                keep(file, future.result())
            except RuntimeError as error:  # what the others find is kept
                failed.append(str(error))
            show(known(file), "val")
    results = known(file)
    for split in ("val", "test") if args.test else ("val",):
        show(results, split)
    if args.json:
        record: dict[str, Any] = {"results": [asdict(one) for one in results]}
        print_json("ingredients", record)
    if failed:
        raise SystemExit("\n".join(failed))


def _same_as_before(args: argparse.Namespace) -> None:
    """Refuse a folder with results of another configuration, length or data set."""
    told = {"config": args.config.read_text(), "epochs": args.epochs, "data": str(args.data)}
    kept = args.out / "measured.json"
    if not kept.exists():
        kept.write_text(json.dumps(told, indent=1))
    elif json.loads(kept.read_text()) != told:
        raise SystemExit(f"{args.out} has results of other settings: name another folder by --out")


def _names(text: str) -> list[str]:
    names = [BASE, *(one.strip() for one in text.split(",") if one.strip() != BASE)]
    if unknown := {part for name in names for part in name.split(" + ")} - set(INGREDIENTS):
        raise argparse.ArgumentTypeError(f"{sorted(unknown)}: not of {', '.join(INGREDIENTS)}")
    return names


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with index.csv")
    parser.add_argument("--config", type=Path, default=Path("configs/lite0.yaml"))
    parser.add_argument("--epochs", type=int, default=10, help="of each training (default: 10)")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each (default: 1)")
    parser.add_argument("--only", type=_names, default=list(INGREDIENTS), help="ingredients, a,b,c")
    parser.add_argument("--out", type=Path, default=Path("mlops/ingredients"))
    parser.add_argument("--workers", type=int, default=2, help="loader processes (default: 2)")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time (default: 1)")
    parser.add_argument("--test", action="store_true", help="score the test split, too")
    parser.add_argument("--json", action="store_true", help="print the results as one JSON line")
    return parser.parse_args()


if __name__ == "__main__":
    main()
