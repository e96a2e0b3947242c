"""Training as the command line and programs do it: LightningCLI with fixed classes."""

from deepfake_lightning.training.run import RunResult, train

__all__ = ["RunResult", "train"]
