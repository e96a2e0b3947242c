"""Train, measure, deploy and watch deepfake detectors on PyTorch Lightning.

The map of the package for programs; names are imported when they are first used, so that
``import deepfake_lightning`` costs nothing:

- :class:`DeepfakeDataModule`: a folder, index or manifest of face pictures as split batches.
- :class:`DeepfakeDetector`: the LightningModule, any timm backbone with two classes.
- :func:`train`: what ``fit`` does, as a function: configuration in, :class:`RunResult` out.
- :mod:`deepfake_lightning.callbacks`: plug-ins for the Trainer.
- :mod:`deepfake_lightning.errors`: what can go wrong, typed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepfake_lightning.data.datamodule import DeepfakeDataModule
    from deepfake_lightning.models.detector import DeepfakeDetector
    from deepfake_lightning.training.run import RunResult, train

__version__ = "0.1.0"

_HOMES = {
    "DeepfakeDataModule": "deepfake_lightning.data.datamodule",
    "DeepfakeDetector": "deepfake_lightning.models.detector",
    "RunResult": "deepfake_lightning.training.run",
    "train": "deepfake_lightning.training.run",
}

__all__ = ["DeepfakeDataModule", "DeepfakeDetector", "RunResult", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
