"""What ``fit`` costs on top of a bare PyTorch loop, per training step.

Both sides train the same detector with the same loss, optimizer and schedule on the same batches
(the package's data set, augmentation, loader and normalisation). ``fit`` is the command line's
training: Trainer, TensorBoard logger, early stopping, checkpoints, interruption handling, progress
and StepTime. The bare loop is forward, backward, optimizer and schedule, and nothing else. Two
settings:

- ``tiny``: a network of 0.4 M parameters on 32 px pictures, loaded in the process itself, so that
  nothing runs beside the steps and the difference is the overhead in milliseconds;
- ``b0``: EfficientNet-B0 (random weights) at 224 px, batches of 32 from one loader process. The
  goal is a bare step that takes at least 0.97 of a step in ``fit``.

The sides take turns, and swap who is first from round to round; the first steps of each are not
counted. Validation and checkpoints stand between epochs and are not counted. Run::

    python scripts/bench/fit_overhead.py
    python scripts/bench/fit_overhead.py --only tiny --bar    # with a progress bar being drawn

Without ``--data`` the pictures are random textures in a temporary folder. CPU milliseconds are of
the main process with all its threads; on a busy machine they are the steadier figure.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from common import figures, print_json, print_table, restart_tuned, spread, verdict, write_pictures
from fit_run import run_fit
from lightning.pytorch import Callback, seed_everything
from timm.optim import create_optimizer_v2

from deepfake_lightning import DeepfakeDataModule, DeepfakeDetector
from deepfake_lightning.data.transforms import normalise_batch
from deepfake_lightning.models.schedules import warmup_then

GOAL = 0.97
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
Timing = tuple[float, float]


class StepClock(Callback):
    """Notes wall-clock and CPU time at the end of two steps, and so the mean between them.

    Args:
        first, last: numbers of the steps, from 1; time runs from the end of one to the other's.
    """

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last, self.steps = first, last, 0
        self._marks: list[Timing] = []

    def step(self) -> None:
        """Count a step that has ended."""
        self.steps += 1
        if self.steps in (self.first, self.last):
            if DEVICE.type == "cuda":
                torch.cuda.synchronize()
            self._marks.append((time.perf_counter(), time.process_time()))

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """Count a step of a Trainer."""
        self.step()

    def milliseconds(self) -> Timing:
        """Return wall-clock and CPU milliseconds of a step."""
        (wall, cpu), (wall_end, cpu_end) = self._marks
        count = (self.last - self.first) / 1000
        return (wall_end - wall) / count, (cpu_end - cpu) / count


def settings_of(case: str, data: Path, workspace: Path, steps: int) -> dict[str, Any]:
    """Return the configuration of a case."""
    tiny = case == "tiny"
    backbone = "test_resnet" if tiny else "efficientnet_b0"
    size, batch, workers = (32, 16, 0) if tiny else (224, 32, 1)
    return {
        "workspace": str(workspace),
        "model": {"backbone": backbone, "pretrained": False, "optimizer": "adamw", "lr": 1e-4},
        "data": {"root": str(data), "image_size": size, "batch_size": batch,
                 "num_workers": workers},
        "checkpoint": {"monitor": "val/loss", "mode": "min"},
        "trainer": {"max_epochs": 1, "limit_train_batches": steps, "limit_val_batches": 1,
                    "num_sanity_val_steps": 0, "devices": 1,
                    "callbacks": [{"class_path": "deepfake_lightning.callbacks.StepTime"}]},
    }  # fmt: skip


def bare(config: dict[str, Any], clock: StepClock) -> None:
    """Train with nothing but PyTorch around the same network, loss and loader."""
    seed_everything(0, verbose=False)
    model = DeepfakeDetector(**config["model"]).to(DEVICE)
    model.train()
    data = DeepfakeDataModule(**config["data"])
    loader, preprocess = data.train_dataloader(), data.preprocess
    optimizer = create_optimizer_v2(model, opt=config["model"]["optimizer"],
                                    lr=config["model"]["lr"], weight_decay=0.0)  # fmt: skip
    factor = warmup_then("cosine", clock.last, 0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    for batch in islice(loader, clock.last):
        images = normalise_batch(batch["image"].to(DEVICE, non_blocking=True), preprocess)
        loss = model.loss(model(images).float(), batch["label"].to(DEVICE, non_blocking=True))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        clock.step()


def measure(
    config: dict[str, Any], rounds: int, warm: int, steps: int, bar: bool
) -> dict[str, list[Timing]]:
    """Return the milliseconds of a step of both sides in every round."""
    found: dict[str, list[Timing]] = {"bare": [], "fit": []}
    for number in range(rounds):
        for side in ("bare", "fit") if number % 2 == 0 else ("fit", "bare"):
            clock = StepClock(warm, warm + steps)
            if side == "bare":
                bare(config, clock)
            else:
                run_fit(config, clock, terminal=bar)
            if clock.steps < clock.last:
                raise SystemExit(f"the data give {clock.steps} batches, {clock.last} are needed")
            found[side].append(clock.milliseconds())
            gc.collect()  # ends the loader's processes before the next side starts its own
    return found


def report(case: str, found: dict[str, list[Timing]]) -> dict[str, Any]:
    """Print a case's table; return its figures."""
    result: dict[str, Any] = {}
    rows = [["ms a step", "bare loop", "fit", "difference", "bare / fit"]]
    for column, name in enumerate(("wall", "cpu")):
        sides = {side: [timing[column] for timing in timings] for side, timings in found.items()}
        pairs = list(zip(sides["bare"], sides["fit"], strict=True))
        extra = [fit - own for own, fit in pairs]
        ratios = [own / fit for own, fit in pairs]
        digits = 2 if case == "tiny" else 0
        texts = [spread(values, digits) for values in (sides["bare"], sides["fit"], extra)]
        rows.append([f"{case}, {name}", *texts, spread(ratios, 3)])
        result[name] = {"bare_ms": figures(sides["bare"]), "fit_ms": figures(sides["fit"]),
                        "overhead_ms": figures(extra), "ratio": figures(ratios)}  # fmt: skip
    print_table(rows)
    if case == "b0":
        ratio = statistics.median(
            own[0] / fit[0] for own, fit in zip(found["bare"], found["fit"], strict=True)
        )
        print(f"bare / fit of b0 (wall): {ratio:.3f}; {verdict(ratio, GOAL, at_least=True)}")
    return result


def main() -> None:
    """Measure both cases and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a data set of face crops to train on")
    parser.add_argument("--only", choices=["tiny", "b0"], help="one case instead of both")
    parser.add_argument("--rounds", type=int, help="of both sides (default: tiny 7, b0 3)")
    parser.add_argument("--steps", type=int, help="counted in a round (default: tiny 100, b0 8)")
    parser.add_argument("--bar", action="store_true", help="draw the bar a terminal would show")
    parser.add_argument("--json", action="store_true", help="print one JSON line as well")
    args = parser.parse_args()
    restart_tuned()
    results: dict[str, Any] = {}
    for case in [args.only] if args.only else ["tiny", "b0"]:
        warm, steps, rounds, batch, size = (
            (20, 100, 7, 16, 32) if case == "tiny" else (2, 8, 3, 32, 224)
        )
        steps, rounds = args.steps or steps, args.rounds or rounds
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            data = args.data or write_pictures(
                folder / "data", batch * (warm + steps + 1), 32, size
            )
            config = settings_of(case, data, folder / "mlops", warm + steps)
            found = measure(config, rounds, warm, steps, args.bar)
        print(f"{case}: median (lowest-highest) of {rounds} rounds of {steps} steps, {DEVICE.type}")
        results[case] = {"rounds": rounds, "steps": steps, **report(case, found)}
    if args.json:
        print_json("fit_overhead", {"device": DEVICE.type, "bar": args.bar, **results})


if __name__ == "__main__":
    main()
