"""Where the time of a training step goes: waiting for data, or computing."""

from __future__ import annotations

import time
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor


class StepTime(Callback):
    """Logs data and compute time of training steps, and the throughput.

    ``time/data_ms`` is from the end of a step to the start of the next (fetching the batch,
    its transfer, other callbacks), ``time/compute_ms`` from there to its end (forward, backward,
    optimizer), both means since the last log. ``time/data_share`` near 0 says that the loader
    keeps up; near 1 that more workers or smaller pictures are wanted. Validation is no part of
    either. On a GPU every step is waited for, since its time could not be told otherwise.

    Args:
        every_n_steps: how often to log.
    """

    def __init__(self, every_n_steps: int = 10) -> None:
        self.every_n_steps = every_n_steps
        self._mark: float | None = None
        self._start = 0.0
        self._reset()

    def _reset(self) -> None:
        self._data = self._compute = 0.0
        self._steps = self._images = 0

    def _now(self, model: LightningModule) -> float:
        if model.device.type == "cuda":
            torch.cuda.synchronize(model.device)
        return time.perf_counter()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start afresh: the time of the validation in between is no step's."""
        self._mark = None
        self._reset()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave out the step after a validation within the epoch: its wait is none for data."""
        self._mark = None

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """End the wait for data."""
        now = self._now(pl_module)
        if self._mark is not None:
            self._data += now - self._mark
        self._start = now

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """End the computation; log from time to time."""
        now = self._now(pl_module)
        if self._mark is not None:  # the first step of an epoch pays for starting the workers
            self._compute += now - self._start
            self._steps += 1
            self._images += _size(batch)
        self._mark = now
        if self._steps and self._steps % self.every_n_steps == 0:
            pl_module.log_dict(self._figures(trainer.world_size), rank_zero_only=False)
            self._reset()

    def _figures(self, world_size: int) -> dict[str, float]:
        total = self._data + self._compute
        return {
            "time/data_ms": 1000 * self._data / self._steps,
            "time/compute_ms": 1000 * self._compute / self._steps,
            "time/data_share": self._data / total,
            "time/images_per_second": world_size * self._images / total,
        }


def _size(batch: Any) -> int:
    image: Tensor | None = batch.get("image") if isinstance(batch, dict) else None
    return 0 if image is None else len(image)
