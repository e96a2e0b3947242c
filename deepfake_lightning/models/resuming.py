"""What a checkpoint has to agree in with the detector that it is loaded into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from deepfake_lightning.errors import CheckpointError

# And what checkpoints that do not say were made with.
_KEPT = {"layer_decay": 1.0, "test_time_flip": False}


def check_settings(settings: Mapping[str, Any], checkpoint: Mapping[str, Any]) -> None:
    """Refuse what a checkpoint's optimizer, or its best score so far, was not made with.

    Args:
        settings: hyperparameters of the detector.
        checkpoint: of a training.

    Raises:
        CheckpointError: says which differs.
    """
    trained = checkpoint.get("hyper_parameters", {})
    for name, before in _KEPT.items():
        there, here = trained.get(name, before), settings[name]
        if there != here:
            raise CheckpointError(
                f"the checkpoint was trained with model.{name} {there}, and here it is {here}",
                why="a training goes on, and is measured, as it began",
                next_step=f"use --model.{name} {str(there).lower()}, or train anew",
            )


def check_architecture(
    own: Mapping[str, Tensor], backbone: str, checkpoint: Mapping[str, Any]
) -> None:
    """Refuse the weights of another network.

    Args:
        own: weights of the detector.
        backbone: of the detector, as timm calls it.
        checkpoint: of a training.

    Raises:
        CheckpointError: names both.
    """
    shapes = {key: value.shape for key, value in own.items()}
    held = {key: value.shape for key, value in checkpoint["state_dict"].items()}
    if shapes == held:
        return
    there = checkpoint.get("hyper_parameters", {}).get("backbone", backbone)
    named = "another network" if there == backbone else there
    raise CheckpointError(
        f"the checkpoint holds {named}, the model is {backbone}",
        why=f"{len(shapes.items() ^ held.items())} tensors differ in name or shape",
        next_step="leave model.backbone out"
        + ("" if there == backbone else f", or use --model.backbone {there}"),
    )
