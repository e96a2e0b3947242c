"""Where the time of a training step goes: waiting for data, or computing."""

from __future__ import annotations

import time
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

Mark = float | torch.cuda.Event


class StepTime(Callback):
    """Logs data and compute time of training steps, and the throughput.

    ``time/data_ms`` is from the end of a step to the start of the next (fetching the batch,
    its transfer, other callbacks), ``time/compute_ms`` from there to its end (forward, backward,
    optimizer), both means since the last log. ``time/data_share`` near 0 says that the loader
    keeps up; near 1 that more workers or smaller pictures are wanted. Validation is no part of
    either. On a GPU they are the times at which the GPU gets there, read when they are logged: no
    step is waited for, and the next one is sent while the last is computed.

    Args:
        every_n_steps: how often to log.
    """

    def __init__(self, every_n_steps: int = 10) -> None:
        self.every_n_steps = every_n_steps
        self._mark: Mark | None = None
        self._start: Mark = 0.0
        self._reset()

    def _reset(self) -> None:
        self._steps: list[tuple[Mark, Mark, Mark]] = []
        self._images = 0

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
        self._start = _now(pl_module.device)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """End the computation; log from time to time."""
        end = _now(pl_module.device)
        if self._mark is not None:  # the first step of an epoch pays for starting the workers
            self._steps.append((self._mark, self._start, end))
            self._images += _size(batch)
        self._mark = end
        if len(self._steps) == self.every_n_steps:
            pl_module.log_dict(self._figures(trainer.world_size), rank_zero_only=False)
            self._reset()

    def _figures(self, world_size: int) -> dict[str, float]:
        data = sum(_seconds(before, start) for before, start, _ in self._steps)
        compute = sum(_seconds(start, end) for _, start, end in self._steps)
        total, steps = data + compute, len(self._steps)
        return {
            "time/data_ms": 1000 * data / steps,
            "time/compute_ms": 1000 * compute / steps,
            "time/data_share": data / total,
            "time/images_per_second": world_size * self._images / total,
        }


def _now(device: torch.device) -> Mark:
    if device.type != "cuda":
        return time.perf_counter()
    event: torch.cuda.Event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(device))
    return event


def _seconds(start: Mark, end: Mark) -> float:
    if isinstance(start, torch.cuda.Event) and isinstance(end, torch.cuda.Event):
        end.synchronize()
        return float(start.elapsed_time(end)) / 1000
    assert isinstance(start, float) and isinstance(end, float)  # a model stays on its device
    return end - start


def _size(batch: Any) -> int:
    image: Tensor | None = batch.get("image") if isinstance(batch, dict) else None
    return 0 if image is None else len(image)
