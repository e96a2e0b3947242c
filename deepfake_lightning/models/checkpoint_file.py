"""Checkpoints read back: tensors and plain types, never code.

It needs torch and no more of what trained them: whoever asks what a checkpoint was trained on waits
for no Trainer and no backbones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch

from deepfake_lightning.errors import CheckpointError


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the contents of a checkpoint of a Lightning training.

    Raises:
        CheckpointError: it is missing, damaged, holds more than tensors and plain types, or is
            of another kind.
    """
    checkpoint = load_plain(path)
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise CheckpointError(
            f"{path} is not a checkpoint of a training",
            next_step="pass plain weights with --model.weights instead",
        )
    return checkpoint


def load_plain(path: Path, *, map_location: Any = "cpu") -> Any:
    """Return what ``torch.save`` wrote: tensors and plain types, never code.

    Raises:
        CheckpointError: it is missing, damaged, or holds more than that.
    """
    if not path.is_file():
        raise CheckpointError(
            f"the checkpoint {path} does not exist",
            next_step="checkpoints are in mlops/runs/<experiment>/<version>/checkpoints",
        )
    if not is_zipfile(path):
        raise CheckpointError(
            f"the checkpoint {path} is damaged or is not a checkpoint",
            next_step="copy it again, or use another (best.ckpt, last.ckpt)",
        )
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:  # torch raises RuntimeError, UnpicklingError, EOFError, KeyError...
        raise CheckpointError(
            f"the checkpoint {path} cannot be loaded: {str(error).splitlines()[0][:200]}",
            why="it is damaged, or holds objects that would run code",
            next_step="use a checkpoint that this package wrote",
        ) from error
