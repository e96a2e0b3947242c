"""How fast EfficientNet-B0 trains on a GPU, and how much of that ``fit`` keeps.

Three sides train the same network with the same loss, optimizer and schedule:

- ``synthetic``: a bare PyTorch loop over pictures that lie on the GPU: what the network costs;
- ``bare``: the same loop, fed by the package's loader (decoding, augmentation, normalisation);
- ``fit``: the command line's training with that loader: Trainer, logger, callbacks, progress.

They take turns, and swap who is first from round to round; each side's first steps, in which
kernels are chosen or compiled, are not counted. A row is a precision and what comes with it:
``fp32`` has TF32 off in convolutions too, ``tf32`` is PyTorch's default and so that of ``fit``;
``nchw`` is without channels-last memory, ``bench`` with ``trainer.benchmark``, ``compile`` with
``model.compile``. Every ``fit`` reads and audits its data first, which takes longer than its steps
(half a minute for 9,000 pictures). Run on a machine with an NVIDIA GPU::

    python scripts/bench/gpu_training.py --data FACES --batch 128

Without ``--data`` the pictures are random textures in a temporary folder. ``--device cpu`` tries
the script where there is no GPU, with small values of ``--batch``, ``--size`` and ``--steps``.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
from collections.abc import Iterator
from itertools import islice, repeat
from pathlib import Path
from typing import Any, NamedTuple

import torch
from common import figures, print_json, print_table, restart_tuned, spread, write_pictures
from fit_overhead import StepClock
from fit_run import run_fit
from lightning.pytorch import seed_everything
from timm.optim import create_optimizer_v2
from torch import Tensor

from deepfake_lightning import DeepfakeDataModule, DeepfakeDetector
from deepfake_lightning.data.transforms import normalise_batch
from deepfake_lightning.models.schedules import warmup_then

SIDES = ("synthetic", "bare", "fit")
WARM, WARM_COMPILED = 8, 12


class Row(NamedTuple):
    """What is varied."""

    bf16: bool = False
    tf32: bool = True
    channels_last: bool = True
    benchmark: bool = False
    compile: bool = False


ROWS = {
    "fp32": Row(tf32=False),
    "tf32 nchw": Row(channels_last=False),
    "tf32": Row(),
    "bf16 nchw": Row(bf16=True, channels_last=False),
    "bf16": Row(bf16=True),
    "bf16 bench": Row(bf16=True, benchmark=True),
    "bf16 compile": Row(bf16=True, compile=True),
}


def settings_of(row: Row, args: argparse.Namespace, data: Path, folder: Path) -> dict[str, Any]:
    """Return the configuration of a row."""
    return {
        "workspace": str(folder), "report": False, "keep_last": False,
        "model": {"backbone": args.backbone, "pretrained": False, "optimizer": "adamw", "lr": 1e-4,
                  "channels_last": row.channels_last, "compile": row.compile},
        "data": {"root": str(data), "image_size": args.size, "batch_size": args.batch,
                 "num_workers": args.workers},
        "checkpoint": {"monitor": "val/loss", "mode": "min"},
        "trainer": {"max_epochs": 1, "limit_train_batches": steps_of(row, args),
                    "limit_val_batches": 1, "num_sanity_val_steps": 0, "devices": 1,
                    "accelerator": "gpu" if args.device == "cuda" else "cpu",
                    "precision": "bf16-mixed" if row.bf16 else "32-true",
                    "benchmark": row.benchmark,
                    "callbacks": [{"class_path": "deepfake_lightning.callbacks.StepTime"}]},
    }  # fmt: skip


def steps_of(row: Row, args: argparse.Namespace) -> int:
    """Return the steps of a side, uncounted ones included."""
    return (WARM_COMPILED if row.compile else WARM) + int(args.steps)


def batches(side: str, data: DeepfakeDataModule, device: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield pictures float32 [B, 3, S, S] and labels int64 [B], on the device."""
    if side == "synthetic":
        count, size = data.hparams["batch_size"], data.hparams["image_size"]
        images = torch.randn(count, 3, size, size, device=device)
        yield from repeat((images, torch.arange(count, device=device) % 2))
    for batch in data.train_dataloader():
        image = batch["image"].to(device, non_blocking=True)
        yield (
            normalise_batch(image, data.preprocess),
            batch["label"].to(device, non_blocking=True),
        )


def bare(side: str, row: Row, config: dict[str, Any], clock: StepClock, device: str) -> None:
    """Train with nothing but PyTorch around the same network, loss and loader."""
    seed_everything(0, verbose=False)
    torch.backends.cudnn.benchmark = row.benchmark
    model = DeepfakeDetector(**config["model"]).to(device).train()
    if row.compile:
        model.backbone.compile()
    optimizer = create_optimizer_v2(model, opt="adamw", lr=1e-4, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, warmup_then("cosine", clock.last, 0))
    data = DeepfakeDataModule(**config["data"])
    for images, labels in islice(batches(side, data, device), clock.last):
        with torch.autocast(device, torch.bfloat16, enabled=row.bf16):
            logits = model(images)
        loss = model.loss(logits.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        clock.step()


def measure(row: Row, args: argparse.Namespace, data: Path) -> dict[str, list[float]]:
    """Return the pictures a second of each side in every round."""
    found: dict[str, list[float]] = {side: [] for side in args.sides}
    torch.backends.cudnn.allow_tf32 = row.tf32
    for number in range(args.rounds):
        for side in args.sides if number % 2 == 0 else reversed(args.sides):
            clock = StepClock(steps_of(row, args) - args.steps, steps_of(row, args))
            torch.compiler.reset()  # or the graph of another network would count as a change
            with tempfile.TemporaryDirectory() as folder:
                config = settings_of(row, args, data, Path(folder))
                if side == "fit":
                    run_fit(config, clock)
                else:
                    bare(side, row, config, clock, args.device)
            if clock.steps < clock.last:
                raise SystemExit(f"the data give {clock.steps} batches, {clock.last} are needed")
            found[side].append(1000 * args.batch / clock.milliseconds()[0])
            gc.collect()  # ends the loader's processes before the next side starts its own
    return found


def arguments() -> argparse.Namespace:
    """Return the command line's."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a data set of face crops to train on")
    parser.add_argument("--rows", default=",".join(ROWS), help=f"of {', '.join(ROWS)}")
    parser.add_argument("--sides", default=",".join(SIDES), help=f"of {', '.join(SIDES)}")
    parser.add_argument("--backbone", default="efficientnet_b0", help="timm's name of the network")
    parser.add_argument("--batch", type=int, default=128, help="pictures a step (default: 128)")
    parser.add_argument("--size", type=int, default=224, help="side, pixels (default: 224)")
    parser.add_argument("--steps", type=int, default=36, help="counted in a round (default: 36)")
    parser.add_argument("--rounds", type=int, default=3, help="of each side (default: 3)")
    parser.add_argument("--workers", type=int, help="loader processes (default: those of fit)")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="cpu: a trial")
    parser.add_argument("--json", action="store_true", help="print one JSON line as well")
    args = parser.parse_args()
    args.rows, args.sides = args.rows.split(","), args.sides.split(",")
    unknown = {*args.rows} - ROWS.keys() | {*args.sides} - {*SIDES}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.exit(2, "this measures an NVIDIA GPU, and PyTorch sees none here\n"
                    "next: run it where `nvidia-smi` shows one, or try the script with --device "
                    "cpu --batch 4 --size 32 --steps 2 --rounds 1\n")  # fmt: skip
    return args


def main() -> None:
    """Measure the rows and print them."""
    restart_tuned()
    args = arguments()
    name = torch.cuda.get_device_name() if args.device == "cuda" else "cpu"
    results: dict[str, Any] = {}
    table = [["pictures a second", *args.sides, "fit / bare", "fit / synthetic"]]
    with tempfile.TemporaryDirectory() as folder:
        count = args.batch * (WARM_COMPILED + args.steps)
        data = args.data or write_pictures(Path(folder, "data"), count, 32, args.size)
        for key in args.rows:
            found = measure(ROWS[key], args, data)
            cells = [spread(found[side], 0) for side in args.sides]
            ratios = {side: [fit / own for fit, own in zip(found["fit"], found[side], strict=True)]
                      for side in SIDES[:2] if {side, "fit"} <= found.keys()}  # fmt: skip
            for side in ("bare", "synthetic"):
                cells.append(f"{statistics.median(ratios[side]):.3f}" if side in ratios else "-")
            table.append([key, *cells])
            print("  ".join(table[-1]), flush=True)
            results[key] = {side: figures(rates) for side, rates in found.items()}
            results[key] |= {f"fit/{side}": figures(values) for side, values in ratios.items()}
    print(f"{args.backbone}, {args.size} px, batch {args.batch}: median (lowest-highest) of "
          f"{args.rounds} rounds of {args.steps} steps on {name}")  # fmt: skip
    print_table(table)
    if args.json:
        about = {"device": name, "torch": torch.__version__, "batch": args.batch,
                 "size": args.size, "backbone": args.backbone}  # fmt: skip
        print_json("gpu_training", {**about, "rows": results})


if __name__ == "__main__":
    main()
