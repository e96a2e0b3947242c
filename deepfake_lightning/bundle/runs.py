"""The training that a checkpoint is of, and the data it had."""

from __future__ import annotations

from pathlib import Path

from deepfake_lightning.errors import UsageError
from deepfake_lightning.schemas import Manifest, read_manifest
from deepfake_lightning.storage import RUN_MANIFEST, file_hash, run_of


def trained_manifest(checkpoint: Path, run: Path | None = None) -> tuple[Manifest, Path]:
    """Return the manifest of a training, with its splits, and the training's folder.

    Args:
        checkpoint: one of its files.
        run: its folder, where the checkpoint lies elsewhere.

    Raises:
        UsageError: the run is not known.
        TableError: its manifest is wrong.
    """
    run = run or run_of(checkpoint.absolute())
    if run is None or not (run / RUN_MANIFEST).is_file():
        raise UsageError(
            f"{run or checkpoint} has no {RUN_MANIFEST}: what it was trained on is not known",
            why="what is said of a detector is said with its data and their licences",
            next_step="name the training's folder with --run",
        )
    return read_manifest(run / RUN_MANIFEST), run


def checkpoint_with(run: Path, sha256: str) -> Path | None:
    """Return the checkpoint of a training that has a hash, None where it is gone."""
    files = sorted((run / "checkpoints").glob("*.ckpt"))
    return next((path for path in files if file_hash(path) == sha256), None)
