"""Checkpoints that are whole or absent, and that never run code when they are loaded."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from deepfake_lightning.errors import CheckpointError
from deepfake_lightning.storage import atomic_write


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes aside, syncs and renames; loads with ``weights_only=True``.

    A disk that fills up leaves the checkpoint that was there before, and raises a
    :class:`~deepfake_lightning.errors.StorageError`.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Save to a local path."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        with atomic_write(Path(path)) as file:
            file.write(buffer.getbuffer())

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[..., Any] | Any | None = "cpu",
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Load tensors and plain types."""
        content: dict[str, Any] = load_plain(Path(path), map_location=map_location)
        return content


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the contents of a checkpoint of a Lightning training.

    Raises:
        CheckpointError: it is missing, damaged, holds more than tensors and plain types, or is
            of another kind.
    """
    checkpoint = load_plain(path)
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
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
