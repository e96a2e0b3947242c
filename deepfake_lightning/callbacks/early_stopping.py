"""Lightning's early stopping, strict about what it monitors."""

from __future__ import annotations

import difflib
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping

from deepfake_lightning.errors import UndefinedMetricError, UsageError
from deepfake_lightning.metrics import LOWER_IS_BETTER

_LOSSES = ("loss", "loss_step", "loss_epoch")


class EarlyStopping(LightningEarlyStopping):
    """Stops a training when the monitored metric has not improved for ``patience`` epochs.

    Lightning's own takes a metric that is never logged for a warning, and one that is NaN for
    the end of the training. Here the name is checked before the first step, and a metric that
    the validation data leave undefined is an error that says so. Why the training ended is in
    ``stopping_reason_message`` and in the run's ``run.json``. A resumed training counts on where
    it was, with the patience it is given now.

    Args:
        monitor: name of the metric.
        mode: 'min' or 'max', the better direction.
        patience: validations without improvement before the training stops.
        min_delta: smallest change that counts as an improvement.
        stopping_threshold: stop as soon as the metric is better than this.
        divergence_threshold: stop as soon as the metric is worse than this.
    """

    def __init__(
        self,
        monitor: str = "val/loss",
        mode: str = "min",
        patience: int = 5,
        min_delta: float = 0.0,
        stopping_threshold: float | None = None,
        divergence_threshold: float | None = None,
    ) -> None:
        super().__init__(
            monitor,
            mode=mode,
            patience=patience,
            min_delta=min_delta,
            stopping_threshold=stopping_threshold,
            divergence_threshold=divergence_threshold,
            strict=False,  # the checks below say more
            check_finite=False,
            # Metrics of the training pictures are complete only when the epoch is.
            check_on_train_epoch_end=True if monitor.startswith("train/") else None,
        )
        self._first_epoch = 0

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse a metric that the model does not log; forget why an earlier run ended."""
        require_logged(self.monitor, pl_module, "early_stopping.monitor")
        self.stopping_reason_message = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note where this run begins."""
        self._first_epoch = trainer.current_epoch

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over score and count of a checkpoint, and keep the patience that was asked for."""
        patience = self.patience
        super().load_state_dict(state_dict)
        self.patience = patience

    def _run_early_stopping_check(self, trainer: Trainer) -> None:
        value = trainer.callback_metrics.get(self.monitor)
        if value is None and trainer.ckpt_path and trainer.current_epoch == self._first_epoch:
            return  # the first run ended in this epoch's validation, which is not taken up again
        if not trainer.fast_dev_run and (  # type: ignore[attr-defined]
            value is None or not value.isfinite()
        ):
            found = "undefined" if value is None else f"{float(value)}"
            raise UndefinedMetricError(
                f"{self.monitor} is {found} after epoch {trainer.current_epoch + 1}, and the "
                "training is steered by it",
                why="a metric is undefined where a split has one class only or no labels; a loss "
                "that is not finite has diverged",
                next_step="look at the val split, lower model.lr, or monitor another metric",
            )
        super()._run_early_stopping_check(trainer)


def better_direction(monitor: str) -> str:
    """Return 'min' or 'max': in which direction a metric of the model is better."""
    name = monitor.rpartition("/")[2].removeprefix("item_")
    return "min" if name in _LOSSES or name in LOWER_IS_BETTER else "max"


def require_direction(monitor: str | None, mode: str, group: str) -> None:
    """Refuse to keep or wait for the worst value of a metric instead of its best.

    Args:
        monitor: name of the metric; None is fine.
        mode: 'min' or 'max', as configured.
        group: the configuration's group the two came from.

    Raises:
        UsageError: the metric is better in the other direction.
    """
    if monitor is None or monitor.partition("/")[0] not in ("train", "val", "test"):
        return
    better = better_direction(monitor)
    if mode != better:
        raise UsageError(
            f"{group}.monitor is {monitor} and {group}.mode is {mode!r}",
            why=f"{monitor} is better when it is {'lower' if better == 'min' else 'higher'}",
            next_step=f"set --{group}.mode {better}",
        )


def require_logged(monitor: str | None, model: LightningModule, flag: str) -> None:
    """Refuse to monitor what a model does not log.

    Names that look like the model's own are checked: those under ``train/``, ``val/`` and
    ``test/``, and misspelt ones. What a callback logs under another name is let through; if it is
    never logged, the first validation shows it.

    Args:
        monitor: name of the metric; None is fine.
        model: a module that may list what it logs in ``metric_names``.
        flag: the configuration key the name came from.

    Raises:
        UndefinedMetricError: with the nearest names.
    """
    names: list[str] | None = getattr(model, "metric_names", None)
    if monitor is None or names is None or monitor in names:
        return
    near = difflib.get_close_matches(monitor, names, n=3, cutoff=0.5)
    if monitor.partition("/")[0] not in ("train", "val", "test") and not near:
        return
    raise UndefinedMetricError(
        f"{flag} is {monitor!r}, which nothing logs",
        next_step=f"did you mean {', '.join(near)}?" if near else f"use one of {', '.join(names)}",
    )
