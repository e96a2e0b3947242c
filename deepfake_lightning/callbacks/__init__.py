"""Plug-ins for the Trainer, one file each; name them by ``class_path`` in a config.

Lightning's own callbacks (checkpointing, weight averaging, gradual unfreezing, ...) plug in
the same way.
"""

from deepfake_lightning.callbacks.early_stopping import EarlyStopping
from deepfake_lightning.callbacks.evaluation_report import EvaluationReport
from deepfake_lightning.callbacks.interruption import Interruption
from deepfake_lightning.callbacks.progress import TrainingProgress
from deepfake_lightning.callbacks.registry_export import RegistryExport
from deepfake_lightning.callbacks.step_time import StepTime
from deepfake_lightning.callbacks.tensorboard_pictures import TensorBoardPictures
from deepfake_lightning.callbacks.trial_hparams import TrialHparams
from deepfake_lightning.callbacks.trial_pruning import TrialPruning

__all__ = [
    "EarlyStopping",
    "EvaluationReport",
    "Interruption",
    "RegistryExport",
    "StepTime",
    "TensorBoardPictures",
    "TrainingProgress",
    "TrialHparams",
    "TrialPruning",
]
