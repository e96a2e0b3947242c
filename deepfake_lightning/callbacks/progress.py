"""A progress bar with the numbers that matter, and a line for every epoch."""

from __future__ import annotations

import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar

_SHOWN = ("train/loss_step", "val/loss", "val/auroc", "val/eer")
_LINE = (
    ("train/loss", "train loss"),
    ("val/loss", "val loss"),
    ("val/auroc", "auroc"),
    ("val/eer", "eer"),
    ("val/item_auroc", "item auroc"),
)


class TrainingProgress(RichProgressBar):
    """Rich's bar in a terminal; one line an epoch there and in a log file.

    Args:
        refresh_rate: batches between two updates of the bar.
    """

    def __init__(self, refresh_rate: int = 1) -> None:
        super().__init__(refresh_rate=refresh_rate, leave=False)
        self._started = 0.0

    @property
    def is_enabled(self) -> bool:
        """Whether there is a terminal to draw a bar on."""
        return bool(super().is_enabled and sys.stdout.isatty())

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Return the few metrics that fit beside a bar."""
        metrics = super().get_metrics(trainer, pl_module)
        shown = {name: trainer.callback_metrics[name] for name in _SHOWN
                 if name in trainer.callback_metrics}  # fmt: skip
        kept = {name: value for name, value in metrics.items() if "/" not in name and name != "v_num"}
        return {**kept, **{name.removesuffix("_step"): f"{float(v):.3f}" for name, v in shown.items()}}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        super().on_train_start(trainer, pl_module)
        self._started = time.monotonic()
        self._first_epoch = trainer.current_epoch

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print one line: epoch, metrics, time so far and time left at most."""
        super().on_train_epoch_end(trainer, pl_module)
        if not trainer.is_global_zero:
            return
        metrics = trainer.callback_metrics
        parts = [f"{label} {float(metrics[name]):.4f}" for name, label in _LINE if name in metrics]
        done = trainer.current_epoch + 1
        spent = time.monotonic() - self._started
        clock = f"{_clock(spent)} so far"
        if trainer.max_epochs and trainer.max_epochs > 0:
            left = spent / (done - self._first_epoch) * (trainer.max_epochs - done)
            clock += f", {_clock(left)} left"
        total = f"/{trainer.max_epochs}" if trainer.max_epochs and trainer.max_epochs > 0 else ""
        self._print(f"epoch {done}{total}  {'  '.join(parts)}  ({clock})")

    def _print(self, line: str) -> None:
        progress = getattr(self, "progress", None)
        if progress is not None:
            progress.console.print(line, highlight=False)
        else:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
