"""Pictures beside the curves: what the network is shown, and where it is wrong."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from deepfake_lightning.callbacks.sources import data_of, detector_of
from deepfake_lightning.errors import UsageError
from deepfake_lightning.evaluation.plots import (
    contact_sheet,
    reliability_figure,
    roc_figure,
    score_histogram_figure,
)
from deepfake_lightning.metrics import sigmoid
from deepfake_lightning.models.scores import Scores
from deepfake_lightning.schemas import Preprocess

_CLASSES = {0: "real", 1: "fake", -1: "unknown"}


class TensorBoardPictures(Callback):
    """Adds plots and, where asked for, faces to TensorBoard.

    After each validation: the ROC curve, a reliability diagram and a histogram of the scores.
    With ``faces``: the first augmented batch, and the worst mistakes of each validation, most
    certain first.

    Args:
        faces: also log pictures of faces. Off by default: logs travel further than data.
        count: how many faces to show at a time.
        every_n_epochs: epochs between two sets of plots.
    """

    def __init__(self, faces: bool = False, count: int = 16, every_n_epochs: int = 1) -> None:
        if count < 1 or every_n_epochs < 1:
            raise UsageError(
                "TensorBoardPictures: count and every_n_epochs start at 1",
                next_step="leave the callback out to have no pictures",
            )
        self.faces = faces
        self.count = count
        self.every_n_epochs = every_n_epochs

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse a model or data that have no pictures to show."""
        detector_of(pl_module, self)
        if self.faces:
            data_of(trainer, self)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Show the first batch as the network sees it."""
        if not self.faces or trainer.global_step > 0 or batch_idx > 0:
            return
        images = _pixels(batch["image"][: self.count], data_of(trainer, self).preprocess)
        captions = [_CLASSES[int(label)] for label in batch["label"][: self.count]]
        self._add(trainer, "augmented batch", contact_sheet(images, captions, columns=4))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Plot the scores of this validation (at its epoch's end the model has none yet)."""
        if trainer.sanity_checking or trainer.current_epoch % self.every_n_epochs:
            return
        scores = detector_of(pl_module, self).epoch_scores["val"].labelled()
        if not len(scores) or not trainer.is_global_zero:
            return
        self._add(trainer, "val/roc", roc_figure(scores.logit, scores.label))
        probabilities = sigmoid(scores.logit)
        self._add(trainer, "val/reliability", reliability_figure(probabilities, scores.label))
        self._add(trainer, "val/scores", score_histogram_figure(scores.logit, scores.label))
        if self.faces:
            self._add(trainer, "val/worst mistakes", self._mistakes(trainer, scores))
        gc.collect()  # figures hold themselves in cycles, which would add up over epochs

    def _mistakes(self, trainer: Trainer, scores: Scores) -> Figure:
        """Show the pictures that were most surely taken for the other class."""
        data = data_of(trainer, self)
        mistakes = scores.select((scores.logit >= 0) != (scores.label == 1))
        worst = mistakes.select(np.argsort(-np.abs(mistakes.logit), kind="stable")[: self.count])
        paths = data.load().rows["path"].iloc[worst.row]
        size, reader = data.preprocess.size, data.reader()
        images = np.zeros((len(worst), size, size, 3), np.uint8)
        for image, *place in zip(images, worst.row, worst.track, worst.frame, strict=True):
            image[:] = reader.picture(*(int(number) for number in place))
        captions = [
            f"{_CLASSES[label]}, p(fake) {p:.2f}\n{'/'.join(path.split('/')[-2:])}"
            for label, p, path in zip(worst.label, sigmoid(worst.logit), paths, strict=True)
        ]
        return contact_sheet(images, captions, columns=4)

    def _add(self, trainer: Trainer, tag: str, figure: Figure) -> None:
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger) and trainer.is_global_zero:
                logger.experiment.add_figure(tag, figure, global_step=trainer.global_step)


def _pixels(images: Tensor, preprocess: Preprocess) -> NDArray[np.uint8]:
    """Undo the normalisation: float32 [N, 3, H, W] to uint8 [N, H, W, 3]."""
    mean = np.asarray(preprocess.mean)[:, None, None]
    std = np.asarray(preprocess.std)[:, None, None]
    pixels = images.detach().cpu().float().numpy() * std + mean
    return np.asarray((pixels.clip(0, 1) * 255).round().transpose(0, 2, 3, 1), np.uint8)
