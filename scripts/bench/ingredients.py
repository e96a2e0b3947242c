"""What each ingredient of a training configuration brings: one is changed at a time.

Every variant is trained with ``deepfake-lightning fit`` and the same seeds, to its last epoch; the
checkpoint that is best on ``val`` is scored there, once as the pictures are and once as the mean
with their mirror images. Choose on ``val``; ``--test`` also scores the test split, for the table
that is published when the choice is made::

    python scripts/bench/ingredients.py --data FOLDER --config configs/lite0.yaml --seeds 3

The data folder holds ``index.csv`` (``path``, ``label``, ``split``). Each result is a line of
``ingredients.csv`` under ``--out`` as soon as it is known, and is not measured again: a run that
was cut off goes on where it stopped. ``--only "averaged weights,twice as long"`` measures those
beside the configuration as it is.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from common import print_json, print_table
from numpy.typing import NDArray

from deepfake_lightning.data.transforms import Augmentation
from deepfake_lightning.media import read_image, resize, to_input
from deepfake_lightning.metrics import auroc, log_loss
from deepfake_lightning.models.checkpoints import TrainedDetector, load_detector

BASE = "as configured"
_USUAL = asdict(Augmentation())
_FLIPS = {**dict.fromkeys(_USUAL, 0), "flip": 0.5}
INGREDIENTS: dict[str, tuple[str, ...]] = {
    BASE: (),
    "whole pictures": ("--data.crop_size=null",),
    "flips alone": (f"--data.augmentation={_FLIPS}",),
    "default augmentation": (f"--data.augmentation={_USUAL}",),
    "no label smoothing": ("--model.label_smoothing=0",),
    "no weight decay": ("--model.weight_decay=0",),
    "stochastic depth": ("--model.drop_path_rate=0.2",),
    "averaged weights": (
        "--trainer.callbacks+=lightning.pytorch.callbacks.EMAWeightAveraging",
        "--trainer.callbacks.decay=0.998",
    ),
    "self-blended beside": ("--data.blending.share=0.5", "--data.blending.ratio=1"),
    "from scratch": ("--model.pretrained=false", "--model.weights=null"),
    "twice as long": (),
}
_BATCH = 64


@dataclass(frozen=True)
class Result:
    """One training, measured on one split.

    Attributes:
        name: of the ingredient.
        seed: of the training.
        split: that was scored.
        auroc, mirrored: of the pictures, and of the mean log-odds with their mirror images.
        loss: natural log loss of the pictures.
        minutes: that the training took.
    """

    name: str
    seed: int
    split: str
    auroc: float
    mirrored: float
    loss: float
    minutes: float


def train(args: argparse.Namespace, name: str, seed: int) -> tuple[Path, float]:
    """Return the best checkpoint of a training, and the minutes it took."""
    epochs = args.epochs * (2 if name == "twice as long" else 1)
    experiment = f"{name.replace(' ', '-')}-{seed}"
    flags = {
        "data.root": args.data, "data.num_workers": args.workers, "seed_everything": seed,
        "trainer.max_epochs": epochs, "early_stopping.patience": epochs, "register": "false",
        "report": "false", "experiment": experiment, "workspace": args.out / "mlops",
    }  # fmt: skip
    command = [sys.executable, "-m", "deepfake_lightning", "fit", "--config", str(args.config)]
    command += [*(f"--{key}={value}" for key, value in flags.items()), *INGREDIENTS[name]]
    began = time.monotonic()
    if subprocess.run(command, check=False).returncode:
        raise SystemExit(f"{name}, seed {seed}: the training failed")
    made = (args.out / "mlops/runs" / experiment).glob("*/checkpoints/best.ckpt")
    found = max(made, key=lambda path: path.stat().st_mtime)  # one that was cut off left one, too
    return found, (time.monotonic() - began) / 60


@torch.inference_mode()
def log_odds(trained: TrainedDetector, paths: list[Path]) -> NDArray[np.float64]:
    """Return log-odds of fake, float64 [N, 2]: of pictures, and of their mirror images."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    detector, found = trained.detector.to(device), []
    for start in range(0, len(paths), _BATCH):
        crops = [resize(read_image(one), trained.preprocess) for one in paths[start:][:_BATCH]]
        batch = torch.from_numpy(np.stack([to_input(one, trained.preprocess) for one in crops]))
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
        odds = log_odds(trained, [args.data / path for path in rows["path"]])
        plain, mirrored = auroc(odds[:, 0], labels), auroc(odds.mean(axis=1), labels)
        loss = log_loss(odds[:, 0], labels)
        if plain is None or mirrored is None or loss is None:
            raise SystemExit(f"{split} of {args.data} needs pictures of both classes")
        yield Result(name, seed, split, plain, mirrored, loss, minutes)


def known(file: Path) -> list[Result]:
    """Return what was measured before."""
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as lines:
        return [
            Result(row["name"], int(row["seed"]), row["split"],
                   *(float(row[key]) for key in ("auroc", "mirrored", "loss", "minutes")))
            for row in csv.DictReader(lines)
        ]  # fmt: skip


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
    rows = [[f"{split}: ingredient", "AUROC", "range", "to base", "mirrored", "loss", "minutes"]]
    for name in INGREDIENTS:
        own = [one for one in chosen if one.name == name]
        if not own:
            continue
        areas = [one.auroc for one in own]
        apart = [one.auroc - base[one.seed].auroc for one in own if one.seed in base]
        rows.append([
            name, f"{statistics.fmean(areas):.4f}", f"{min(areas):.4f}-{max(areas):.4f}",
            f"{statistics.fmean(apart):+.4f}" if apart and name != BASE else "",
            f"{statistics.fmean(one.mirrored for one in own):.4f}",
            f"{statistics.fmean(one.loss for one in own):.4f}",
            f"{statistics.fmean(one.minutes for one in own):.1f}",
        ])  # fmt: skip
    print_table(rows)


def main() -> None:
    """Measure what is not known yet, and print it all."""
    args = _arguments()
    file = args.out / "ingredients.csv"
    args.out.mkdir(parents=True, exist_ok=True)
    for seed in range(args.seeds):
        for name in args.only:
            done = {one.split for one in known(file) if (one.name, one.seed) == (name, seed)}
            if not {"val", *(["test"] if args.test else [])} <= done:
                found = [one for one in measure(args, name, seed) if one.split not in done]
                keep(file, found)
                show(known(file), "val")
    results = known(file)
    for split in ("val", "test") if args.test else ("val",):
        show(results, split)
    if args.json:
        record: dict[str, Any] = {"results": [asdict(one) for one in results]}
        print_json("ingredients", record)


def _names(text: str) -> list[str]:
    names = [BASE, *(one.strip() for one in text.split(",") if one.strip() != BASE)]
    if unknown := set(names) - set(INGREDIENTS):
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
    parser.add_argument("--test", action="store_true", help="score the test split, too")
    parser.add_argument("--json", action="store_true", help="print the results as one JSON line")
    return parser.parse_args()


if __name__ == "__main__":
    main()
