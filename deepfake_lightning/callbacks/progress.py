"""A progress bar with the numbers that matter, and a line for every epoch."""

from __future__ import annotations

import sys
import time
from collections.abc import Sized
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar
from torch.utils.data import DataLoader

from deepfake_lightning.data.clip_dataset import ClipDataset

_SHOWN = ("train/loss_step", "val/loss", "val/auroc", "val/eer")
_LINE = (
    ("train/loss", "train loss"),
    ("val/loss", "val loss"),
    ("val/auroc", "auroc"),
    ("val/eer", "eer"),
    ("val/item_auroc", "item auroc"),
)


class TrainingProgress(RichProgressBar):
    """Rich's bar in a terminal; there and in a log file one line at the start and one an epoch.

    Args:
        refresh_rate: batches between two updates of the bar.
    """

    def __init__(self, refresh_rate: int = 1) -> None:
        super().__init__(refresh_rate=refresh_rate, leave=False)
        self._started = 0.0
        self._first_epoch = 0
        self._is_validated = False

    @property
    def is_enabled(self) -> bool:
        """Whether there is a terminal to draw a bar on."""
        return bool(super().is_enabled and sys.stdout.isatty())

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Return the few metrics that fit beside a bar."""
        metrics = super().get_metrics(trainer, pl_module)
        kept = {name: v for name, v in metrics.items() if "/" not in name and name != "v_num"}
        logged = trainer.callback_metrics
        shown = {
            name.removesuffix("_step"): f"{float(logged[name]):.3f}"
            for name in _SHOWN
            if name in logged
        }
        return {**kept, **shown}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print what is trained on what, and start the clock."""
        super().on_train_start(trainer, pl_module)
        self._started = time.monotonic()
        self._first_epoch = trainer.current_epoch
        if trainer.is_global_zero:
            self._print(_headline(trainer, pl_module))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that the metrics are this epoch's."""
        super().on_validation_end(trainer, pl_module)
        self._is_validated = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print one line: epoch, metrics, time so far and time left at most."""
        super().on_train_epoch_end(trainer, pl_module)
        metrics = trainer.callback_metrics  # by every process: reading them may gather them
        if not trainer.is_global_zero:
            return
        parts = [
            f"{label} {float(metrics[name]):.4f}"
            for name, label in _LINE
            if name in metrics and (self._is_validated or name.startswith("train/"))
        ]
        self._is_validated = False
        done = trainer.current_epoch + 1
        spent = time.monotonic() - self._started
        clock = f"{_clock(spent)} so far"
        if trainer.max_epochs and trainer.max_epochs > 0:
            left = spent / (done - self._first_epoch) * (trainer.max_epochs - done)
            clock += f", {_clock(left)} left"
        total = f"/{trainer.max_epochs}" if trainer.max_epochs and trainer.max_epochs > 0 else ""
        self._print(f"epoch {done}{total}  {'  '.join(parts)}  ({clock})")

    def _print(self, line: str) -> None:
        if self.progress is not None:
            self.progress.console.print(line, highlight=False, markup=False)
        else:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


def _headline(trainer: Trainer, model: LightningModule) -> str:
    """Return e.g. ``resnet18: 11.2 M parameters, 1,026 trained · 70 train pictures · cpu``."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    total, trained = sum(n for n, _ in sizes), sum(n for n, trains in sizes if trains)
    name = model.hparams.get("backbone", type(model).__name__)
    loaders = {"train": trainer.train_dataloader, "val": trainer.val_dataloaders}
    counts = {split: _size(loader) for split, loader in loaders.items()}
    known = [f"{count:,} {split}" for split, count in counts.items() if count is not None]
    device = trainer.strategy.root_device.type
    parts = [f"{name}: {_count(total)} parameters, {_count(trained)} trained"]
    if known:
        clips = isinstance(getattr(trainer.train_dataloader, "dataset", None), ClipDataset)
        parts.append(f"{' and '.join(known)} {'clips' if clips else 'pictures'}")
    parts.append(device if trainer.world_size == 1 else f"{trainer.world_size} x {device}")
    return " · ".join(parts)


def _size(loader: object) -> int | None:
    if isinstance(loader, DataLoader) and isinstance(loader.dataset, Sized):
        return len(loader.dataset)
    return None


def _count(number: int) -> str:
    return f"{number / 1e6:.1f} M" if number >= 100_000 else f"{number:,}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
