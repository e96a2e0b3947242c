"""What a retraining's Trainer does beside training: begin with given weights, say how far it is."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from deepfake_lightning.models.checkpoint_file import read_checkpoint

_EVERY_SECONDS = 1.0


class WarmStart(Callback):
    """Begins a training with all weights of a checkpoint, the classifier's too.

    The training's own checkpoints know from then on what that one was trained on, so that neither
    is ever measured on it. A training that is resumed has its weights from its own checkpoint.

    Args:
        checkpoint: of a training of the same network.
    """

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Load the weights.

        Raises:
            CheckpointError: it is missing, damaged, or of another network.
            SplitError: a scored split holds what the checkpoint was trained on.
        """
        if stage != "fit" or trainer.ckpt_path is not None:
            return
        content = read_checkpoint(Path(self.checkpoint))
        pl_module.on_load_checkpoint(content)
        pl_module.load_state_dict(content["state_dict"])
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        data.load_state_dict(content["DeepfakeDataModule"])


class Steps(Callback):
    """Writes how many of a training's batches are done into a file, about once a second.

    Args:
        path: the file; whoever reads it may find half of it.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._next = 0.0

    def on_train_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Write, if it is time."""
        if not trainer.is_global_zero or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY_SECONDS
        done = trainer.fit_loop.epoch_loop.total_batch_idx + 1
        total = float(trainer.num_training_batches) * (trainer.max_epochs or 0)
        known = int(total) if 0 < total < float("inf") else 0
        self.path.write_text(json.dumps({"done": done, "total": known}), "utf-8")
