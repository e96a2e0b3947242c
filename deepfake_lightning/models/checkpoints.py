"""The detector of a checkpoint, read back."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from deepfake_lightning.errors import CheckpointError, DeepfakeLightningError
from deepfake_lightning.models.checkpoint_file import read_checkpoint
from deepfake_lightning.models.detector import DeepfakeDetector
from deepfake_lightning.schemas import Preprocess
from deepfake_lightning.storage import file_hash


@dataclass(frozen=True)
class TrainedDetector:
    """What a checkpoint holds of a detector.

    Attributes:
        detector: in evaluation mode, on the CPU.
        preprocess: how pictures became input in its training.
        served: the same, for media as they come: where the training's crops were extracted by
            this package, faces are found and cut out as they were then.
        crop_pictures: whether faces were looked for in pictures, too.
        drawn: it was trained on the drawn faces of ``data demo``.
        sha256: of the checkpoint's file.
    """

    detector: DeepfakeDetector
    preprocess: Preprocess
    served: Preprocess
    crop_pictures: bool
    drawn: bool
    sha256: str


def load_detector(path: Path) -> TrainedDetector:
    """Return the detector of a checkpoint of a training, and its preprocessing.

    Raises:
        CheckpointError: it is missing, damaged, foreign, or without preprocessing.
    """
    checkpoint = read_checkpoint(path)
    state = checkpoint.get("DeepfakeDataModule")
    settings = checkpoint.get("hyper_parameters")
    if not isinstance(state, dict) or not isinstance(settings, dict):
        raise CheckpointError(
            f"{path} does not say how pictures became input in its training",
            next_step="use a checkpoint of `deepfake-lightning fit`",
        )
    detector = _detector(path, checkpoint, settings)
    try:
        preprocess = Preprocess.model_validate(state["preprocess"])
    except (ValidationError, KeyError) as error:
        raise CheckpointError(
            f"{path}: its preprocessing cannot be read: {error}",
            next_step="use a checkpoint of this version of deepfake-lightning",
        ) from error
    as_frames = preprocess.input == "crop" and state.get("extracted", False)
    served = preprocess.model_copy(update={"input": "frame"}) if as_frames else preprocess
    data = checkpoint.get("datamodule_hyper_parameters") or {}
    return TrainedDetector(
        detector.eval(), preprocess, served,
        crop_pictures=data.get("face") == "crop",
        drawn=bool(state.get("drawn", False)),
        sha256=file_hash(path),
    )  # fmt: skip


def _detector(path: Path, checkpoint: dict[str, Any], settings: dict[str, Any]) -> DeepfakeDetector:
    known = inspect.signature(DeepfakeDetector).parameters.keys() & settings.keys()
    own = {**{name: settings[name] for name in known}, "pretrained": False, "weights": None}
    try:
        detector = DeepfakeDetector(**own)
        detector.on_load_checkpoint(checkpoint)
        detector.load_state_dict(checkpoint["state_dict"])
    except (DeepfakeLightningError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        fault = error.what if isinstance(error, DeepfakeLightningError) else str(error)
        raise CheckpointError(
            f"{path} does not hold a detector of this package: {fault[:300]}",
            next_step="use a checkpoint of `deepfake-lightning fit` of this version",
        ) from error
    return detector
