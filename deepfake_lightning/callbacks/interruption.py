"""Ctrl-C and SIGTERM end a training at a whole step, with a checkpoint to resume from."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption(Callback):
    """Saves ``last.ckpt`` when a training is interrupted.

    The first signal waits for the end of the current batch, so that weights and optimizer
    belong to the same step; a second one interrupts at once.

    Attributes:
        saved: the checkpoint, or None where nothing had been trained yet.
    """

    def __init__(self) -> None:
        self.requested = False
        self.saved: Path | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over the signals (in the main thread, where Python delivers them)."""
        if threading.current_thread() is threading.main_thread():
            self._previous = {name: signal.signal(name, self._request) for name in _SIGNALS}

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """Stop here if a signal came during the step."""
        if self.requested:
            raise KeyboardInterrupt

    def on_validation_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """Stop here if a signal came during validation."""
        if self.requested:
            raise KeyboardInterrupt

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Save the state of the last whole step."""
        try:
            if isinstance(exception, KeyboardInterrupt) and trainer.global_step and trainer.log_dir:
                path = Path(trainer.log_dir, "checkpoints", "last.ckpt")
                trainer.save_checkpoint(path)
                self.saved = path
        finally:
            self._restore()

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the signals back."""
        self._restore()

    def _restore(self) -> None:
        for name, handler in self._previous.items():
            signal.signal(name, handler)
        self._previous = {}
