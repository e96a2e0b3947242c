"""A trial's values and its objective, for TensorBoard's page of hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger


class TrialHparams(Callback):
    """Logs what a trial was given and ``hp/<objective>``, its best value, when it ends.

    TensorBoard's HPARAMS page over the runs of a sweep then has a row a trial, pruned ones, too.

    Args:
        values: of the configuration keys that are searched.
        monitor: name of the objective.
    """

    def __init__(self, values: Mapping[str, bool | int | float | str | None], monitor: str) -> None:
        self.values = dict(values)
        self.monitor = monitor

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log; nothing where no checkpoint was chosen."""
        best = getattr(trainer.checkpoint_callback, "best_model_score", None)
        if best is None:
            return
        shown = {name: "null" if value is None else value for name, value in self.values.items()}
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.log_hyperparams(shown, {f"hp/{self.monitor}": float(best)})
