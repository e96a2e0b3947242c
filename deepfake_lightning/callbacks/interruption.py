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

    Of several processes all end after the same batch, whichever of them was told: they ask each
    other after each (Lightning does so before each). A second signal there saves nothing.

    Attributes:
        saved: the checkpoint, or None where nothing had been trained yet.
    """

    def __init__(self) -> None:
        self.requested = False
        self.saved: Path | None = None
        self._is_whole = True  # weights, averages and optimizer belong to the same step
        self._is_active = False
        self._is_agreed = False  # that all processes end here
        self._previous: dict[signal.Signals, Any] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take over the signals (in the main thread, where Python delivers them).

        This early because loader processes inherit the handlers: Ctrl-C reaches them too, and
        they have to go on until the batch is done. They start as soon as a learning-rate
        schedule asks for the number of steps.
        """
        if stage != "fit":
            return
        self.requested, self.saved = False, None
        self._is_whole, self._is_agreed = True, False
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

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Have SIGTERM to oneself."""
        self._take_from_lightning(trainer)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Likewise, where there was no such check."""
        self._take_from_lightning(trainer)

    def _take_from_lightning(self, trainer: Trainer) -> None:
        # Lightning's own handler lets processes exchange a message wherever they are, which may be
        # within another exchange that has begun in one of them and not in the other.
        if self._is_active and trainer.world_size > 1:
            signal.signal(signal.SIGTERM, self._request)

    def on_before_optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Note that the weights are about to change."""
        self._is_whole = False

    def on_train_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Stop here if a signal came during the step."""
        self._is_whole = True
        self._stop_if_requested(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note whether averaged weights are in the model's place until validation is over."""
        callbacks = trainer.callbacks  # type: ignore[attr-defined]
        self._is_whole = not any(isinstance(one, WeightAveraging) for one in callbacks)

    def on_validation_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Stop here if a signal came during validation."""
        if self._is_whole:
            self._stop_if_requested(trainer)

    def _stop_if_requested(self, trainer: Trainer) -> None:
        agreed = self.requested
        if trainer.world_size > 1:
            agreed = trainer.strategy.reduce_boolean_decision(agreed, all=False)
        if agreed:
            self._is_agreed = True
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
            together = self._is_agreed or trainer.world_size == 1  # all have a part in what follows
            whole = self._is_whole and together
            if interrupted and whole and trainer.global_step and trainer.log_dir:
                path = Path(trainer.log_dir, "checkpoints", "last.ckpt")
                trainer.save_checkpoint(path)
                self.saved = path
            if interrupted and together:
                _let_end(trainer)
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


def _let_end(trainer: Trainer) -> None:
    """Let other processes end by themselves.

    Lightning would kill those that it has started; and where one of them ends with another code
    than 0 before the first one does, it would kill that, too.
    """
    started = getattr(trainer.strategy.launcher, "procs", None)
    if started:
        started.clear()
