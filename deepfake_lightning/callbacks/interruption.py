"""Ctrl-C and SIGTERM end a training at a whole step, with a checkpoint to resume from."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption(Callback):
    """Saves ``last.ckpt`` when a training is interrupted.

    The first signal waits for the end of the current batch, so that weights and optimizer
    belong to the same step; a second one interrupts at once. Within an optimizer step nothing is
    saved then, and the last checkpoint stays as it is.

    Attributes:
        saved: the checkpoint, or None where nothing had been trained yet.
    """

    def __init__(self) -> None:
        self.requested = False
        self.saved: Path | None = None
        self._is_whole = True  # weights, averages and optimizer belong to the same step
        self._is_active = False
        self._previous: dict[signal.Signals, Any] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take over the signals (in the main thread, where Python delivers them).

        This early because loader processes inherit the handlers: Ctrl-C reaches them too, and
        they have to go on until the batch is done. They start as soon as a learning-rate
        schedule asks for the number of steps.
        """
        if stage != "fit":
            return
        self.requested, self.saved, self._is_whole = False, None, True
        if threading.current_thread() is threading.main_thread():
            self._previous = {name: signal.signal(name, self._request) for name in _SIGNALS}
            self._is_active = True

    def _request(self, number: int, frame: FrameType | None) -> None:
        if not self._is_active:
            # After an exception Lightning puts back what it found, which was this handler.
            signal.signal(number, self._previous[signal.Signals(number)])
            signal.raise_signal(number)
            return
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def on_before_optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Note that the weights are about to change."""
        self._is_whole = False

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """Stop here if a signal came during the step."""
        self._is_whole = True
        if self.requested:
            raise KeyboardInterrupt

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note whether averaged weights are in the model's place until validation is over."""
        callbacks = trainer.callbacks  # type: ignore[attr-defined]
        self._is_whole = not any(isinstance(one, WeightAveraging) for one in callbacks)

    def on_validation_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """Stop here if a signal came during validation."""
        if self.requested and self._is_whole:
            raise KeyboardInterrupt

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that the model has its own weights again."""
        self._is_whole = True

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Save the state of the last whole step."""
        try:
            interrupted = isinstance(exception, KeyboardInterrupt)
            if interrupted and self._is_whole and trainer.global_step and trainer.log_dir:
                path = Path(trainer.log_dir, "checkpoints", "last.ckpt")
                trainer.save_checkpoint(path)
                self.saved = path
        finally:
            self._restore()

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the signals back."""
        self._restore()

    def _restore(self) -> None:
        if self._is_active:
            self._is_active = False
            for name, handler in self._previous.items():
                signal.signal(name, handler)
