"""The detector and the data that a callback of this package works with."""

from __future__ import annotations

from lightning.pytorch import LightningModule, Trainer

from deepfake_lightning.data.datamodule import DeepfakeDataModule
from deepfake_lightning.errors import UsageError
from deepfake_lightning.models import DeepfakeDetector


def detector_of(model: LightningModule, user: object) -> DeepfakeDetector:
    """Return the model as what it is.

    Args:
        model: what is being trained or measured.
        user: the callback that asks, for the message.

    Raises:
        UsageError: it is another kind of model.
    """
    if isinstance(model, DeepfakeDetector):
        return model
    raise UsageError(
        f"{type(user).__name__} needs a DeepfakeDetector, not {type(model).__name__}",
        why="it shows the scores that the detector keeps of each epoch",
        next_step="derive the model from DeepfakeDetector, or leave the callback out",
    )


def data_of(trainer: Trainer, user: object) -> DeepfakeDataModule:
    """Return the data module of a training or measurement.

    Args:
        trainer: the trainer in use.
        user: the callback that asks, for the message.

    Raises:
        UsageError: it has none, or one of another kind.
    """
    data: object = trainer.datamodule  # type: ignore[attr-defined]
    if isinstance(data, DeepfakeDataModule):
        return data
    found = "loaders alone" if data is None else type(data).__name__
    raise UsageError(
        f"{type(user).__name__} needs a DeepfakeDataModule, not {found}",
        why="it looks pictures up in the manifest",
        next_step="pass datamodule=DeepfakeDataModule(...), or leave the callback out",
    )
