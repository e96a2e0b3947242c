"""A trial of a sweep reports each validation, and ends where it is behind the others."""

from __future__ import annotations

from typing import Protocol

from lightning.pytorch import Callback, LightningModule, Trainer

from deepfake_lightning.callbacks.early_stopping import require_logged
from deepfake_lightning.errors import UndefinedMetricError


class ReportedTrial(Protocol):
    """What is asked of a trial; ``optuna.Trial`` has it."""

    def report(self, value: float, step: int) -> None:
        """Be told of the value after a validation; steps count from 0."""

    def should_prune(self) -> bool:
        """Whether the trial is behind the others."""


class TrialPruning(Callback):
    """Reports the objective after each validation, and stops a training that the pruner gives up.

    Optuna's own callback ends a pruned training by an exception, warns where a metric is missing
    and goes on unpruned, and needs a database under DDP. Here the training ends as by early
    stopping, so that its record and checkpoint are written and its loaders closed; an undefined
    metric is an error; and the first process decides for all.

    Args:
        trial: is asked by the first process alone.
        monitor: name of the objective.

    Attributes:
        started: whether training has begun: what fails before has little to do with the trial.
        reason: why it was pruned, in a sentence; empty where it was not.
    """

    def __init__(self, trial: ReportedTrial, monitor: str) -> None:
        self.trial = trial
        self.monitor = monitor
        self.started = False
        self.reason = ""
        self._validations = 0

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse an objective that the model does not log."""
        require_logged(self.monitor, pl_module, "objective")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that training begins."""
        self.started = True

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report, and stop if the trial is pruned. The sanity check is no validation."""
        if trainer.sanity_checking or self.reason:
            return
        value = trainer.callback_metrics.get(self.monitor)  # by every process: it may gather
        if value is None or not value.isfinite():
            raise UndefinedMetricError(
                f"{self.monitor} is {'undefined' if value is None else float(value)} after epoch "
                f"{trainer.current_epoch + 1}, and is the objective of the sweep",
                why="a metric is undefined where a split has one class only; a loss that is not "
                "finite has diverged",
                next_step="look at the val split, or choose another objective",
            )
        pruned = False
        if trainer.is_global_zero:
            self.trial.report(float(value), self._validations)
            # Giving up a training that is over saves nothing.
            pruned = not _is_last(trainer) and self.trial.should_prune()
        self._validations += 1
        if trainer.strategy.reduce_boolean_decision(pruned, all=False):
            trainer.should_stop = True
            self.reason = (
                f"pruned after epoch {trainer.current_epoch + 1}: {self.monitor} is "
                f"{float(value):.4f}, behind other trials"
            )


def _is_last(trainer: Trainer) -> bool:
    most = trainer.max_epochs
    return most is not None and 0 < most <= trainer.current_epoch + 1
