"""One training as ``deepfake-lightning fit`` does it, with one more callback that looks on."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from typing import Any

import yaml
from lightning.pytorch import Callback, Trainer

from deepfake_lightning.training.lightning_cli import TrainingCLI


class _Terminal(io.StringIO):
    """Standard output that goes nowhere and passes for a terminal, so that a bar is drawn."""

    def isatty(self) -> bool:
        return True


class _WatchedCLI(TrainingCLI):
    """The command line's training with a callback behind all others."""

    def __init__(self, args: list[str], watcher: Callback) -> None:
        self._watcher = watcher
        super().__init__(args)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        trainer = super().instantiate_trainer(**kwargs)
        trainer.callbacks.append(self._watcher)  # type: ignore[attr-defined]
        return trainer


def run_fit(config: dict[str, Any], watcher: Callback, *, terminal: bool = False) -> None:
    """Train.

    Args:
        config: what a configuration file holds.
        watcher: a callback; its hooks are called last.
        terminal: draw the progress bar, as in a terminal; else print lines, as into a file.

    Raises:
        KeyboardInterrupt: it was interrupted.
    """
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    output = _Terminal() if terminal else io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(output):
        warnings.simplefilter("ignore")
        cli = _WatchedCLI(["fit", "--config", yaml.safe_dump(config)], watcher)
    if cli.interrupted:
        raise KeyboardInterrupt
