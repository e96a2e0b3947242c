"""Checkpoints that are whole or absent, and that never run code when they are loaded."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from deepfake_lightning.models.checkpoint_file import load_plain
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
