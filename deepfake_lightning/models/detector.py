"""The detector: a timm backbone, two classes, and the numbers that say how good it is."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from numpy.typing import NDArray
from torch import Tensor, nn

from deepfake_lightning.errors import UndefinedMetricError, UsageError
from deepfake_lightning.metrics import METRIC_NAMES, item_labels, item_scores, summary
from deepfake_lightning.models.backbones import (
    create_backbone,
    feature_count,
    input_statistics,
    pooled_features,
)
from deepfake_lightning.models.item_source import ItemSource
from deepfake_lightning.models.losses import ClassificationLoss, weights_of_classes
from deepfake_lightning.models.optimization import (
    TrainingLength,
    check_layer_decay,
    check_optimizer,
    create_optimizer,
    create_schedule,
)
from deepfake_lightning.models.resuming import check_architecture, check_settings
from deepfake_lightning.models.schedules import ScheduleName
from deepfake_lightning.models.scores import Scores, ScoreTable
from deepfake_lightning.models.weights import load_pretrained
from deepfake_lightning.schemas import Batch

Stage = Literal["train", "val", "test"]
STAGES: tuple[Stage, ...] = ("train", "val", "test")
_TRAIN_LOSSES = ("train/loss", "train/loss_step", "train/loss_epoch")
_MOST_SCORED_AT_ONCE = 256
TRAIN_METRICS = ("accuracy", "precision", "recall", "f1", "auroc")


class DeepfakeDetector(LightningModule):
    """A real/fake classifier of face pictures.

    Building one touches no network: pretrained weights are loaded when a training from scratch
    starts, not when a checkpoint follows.

    Args:
        backbone: any timm network.
        pretrained: start from pretrained weights, from timm's hub unless ``weights`` says else.
        weights: 'packaged' (ImageNet weights of tf_efficientnet_lite0, no network needed), or a
            .safetensors, .pt or .ckpt file.
        optimizer: any of timm's optimizers (adam, adamw, sgd, ...).
        lr: highest learning rate.
        weight_decay: of all but biases and normalisation.
        layer_decay: rate of each layer of the backbone over that of the next, in (0, 1]; 1: all
            learn at ``lr``.
        schedule: of the learning rate after the warm-up, per step.
        warmup_epochs: epochs (or a part of one) in which the learning rate rises.
        label_smoothing: share of the target spread over both classes.
        focal_gamma: exponent of the focal loss; 0 is cross-entropy.
        class_weights: weights of real and fake in the loss; 'balanced' from the training data.
        drop_rate: dropout before the classifier.
        drop_path_rate: stochastic depth, for networks that have it.
        freeze_backbone: train the classifier alone.
        test_time_flip: score the mean of a picture and its mirror image, in twice the time;
            training is as without.
        channels_last: memory layout that is faster for convolutions.
        compile: compile the backbone (pays on a GPU, not on a CPU).
    """

    def __init__(
        self,
        backbone: str = "efficientnet_b0",
        pretrained: bool = True,
        weights: str | None = None,
        optimizer: str = "adam",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        layer_decay: float = 1.0,
        schedule: ScheduleName = "cosine",
        warmup_epochs: float = 0.0,
        label_smoothing: float = 0.0,
        focal_gamma: float = 0.0,
        class_weights: Literal["none", "balanced"] | list[float] = "none",
        drop_rate: float = 0.2,
        drop_path_rate: float = 0.0,
        freeze_backbone: bool = False,
        test_time_flip: bool = False,
        channels_last: bool = True,
        compile: bool = False,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        if weights is not None and not pretrained:
            raise UsageError(
                f"model.weights is {weights!r} while model.pretrained is false",
                next_step="leave one of them out",
            )
        check_optimizer(optimizer)
        check_layer_decay(layer_decay)
        self.backbone = create_backbone(backbone, drop_rate, drop_path_rate)
        self.head = nn.Linear(feature_count(self.backbone), 2)
        self.loss = ClassificationLoss(
            label_smoothing, focal_gamma, weights_of_classes(class_weights)
        )
        self.tables = nn.ModuleDict(
            {f"{stage}_table": ScoreTable(unique=stage != "train") for stage in STAGES}
        )
        self.epoch_scores: dict[Stage, Scores] = {}
        self._is_pretrained = False
        self.register_load_state_dict_post_hook(_keep_loaded)  # type: ignore[no-untyped-call]
        if freeze_backbone:
            self.backbone.requires_grad_(False)
        if channels_last:
            self.to(memory_format=torch.channels_last)

    @property
    def input_statistics(self) -> dict[str, tuple[float, ...]]:
        """Mean and std (RGB, of pixels in [0, 1]) the backbone was pretrained with."""
        return input_statistics(self.hparams["backbone"])

    @property
    def metric_names(self) -> list[str]:
        """All names that a training can log, and so all that can be monitored."""
        names = [*_TRAIN_LOSSES, *(f"train/{name}" for name in TRAIN_METRICS), "val/loss"]
        return [*names, *(f"val/{level}{name}" for level in ("", "item_") for name in METRIC_NAMES)]

    def setup(self, stage: str) -> None:
        """Weigh the classes; compile."""
        hparams = self.hparams
        if stage == "fit" and hparams["class_weights"] == "balanced":
            self.loss.weight = self._balanced_weights()
        if hparams["compile"]:
            self.backbone.compile()

    def on_fit_start(self) -> None:
        """Load pretrained weights where a training starts afresh (checkpoints come before)."""
        self.load_pretrained()

    def _balanced_weights(self) -> Tensor:
        data = self._item_source()
        if data is None:
            raise UsageError(
                "model.class_weights is 'balanced', and nothing says how many of each there are",
                next_step="train with a DeepfakeDataModule, or give two weights as a list",
            )
        counts = torch.as_tensor(data.class_counts("train"))
        return (counts.sum() / (2.0 * counts)).to(self.device, torch.float32)

    def load_pretrained(self) -> None:
        """Load the backbone's pretrained weights, once.

        Nothing happens where ``pretrained`` is off, or where other weights have been loaded into
        the detector already: a training that goes on from a checkpoint keeps them.

        Raises:
            WeightsError: they cannot be had.
        """
        if self.hparams["pretrained"] and not self._is_pretrained:
            load_pretrained(self.backbone, self.hparams["backbone"], self.hparams["weights"])
        self._is_pretrained = True

    def on_train_epoch_start(self) -> None:
        """Keep the statistics of a frozen backbone as they are, too."""
        if self.hparams["freeze_backbone"]:
            self.backbone.eval()

    def forward(self, image: Tensor) -> Tensor:
        """Return logits (real, fake), float [B, 2], of pictures float32 [B, 3, H, W]."""
        if self.hparams["channels_last"]:
            image = image.contiguous(memory_format=torch.channels_last)
        flip = self.hparams["test_time_flip"] and not self.training
        logits: Tensor = self.head(pooled_features(self.backbone, image, flip=flip))
        return logits

    def _step(self, batch: Batch, stage: Stage) -> Tensor:
        images = batch["image"]
        if self.training:
            logits: Tensor = self(images).float()
        elif len(images):
            # A clip with many frames and faces is one batch: its pictures need not all be in the
            # network at a time.
            logits = torch.cat(
                [self(part).float() for part in torch.split(images, _MOST_SCORED_AT_ONCE)]
            )
        else:  # no clip of the batch has a face: nothing to score, and something to count
            logits = images.new_zeros(0, 2).float()
        self._table(stage).update(batch, logits)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        loss: Tensor = self.loss(self._step(batch, "train"), batch["label"])
        size = len(batch["label"])
        self.log("train/loss", loss, on_step=True, on_epoch=True, batch_size=size, sync_dist=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Score a batch."""
        self._step(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Score a batch."""
        self._step(batch, "test")

    def on_train_epoch_end(self) -> None:
        """Log the metrics of the (augmented) training pictures."""
        scores = self._finish("train")
        values = summary(scores.logit, scores.label)
        self._log_defined("train", {name: values[name] for name in TRAIN_METRICS})

    def on_validation_epoch_end(self) -> None:
        """Log loss and metrics of ``val`` at frame and item level."""
        self._log_defined("val", self.evaluate(self._finish("val")))

    def on_test_epoch_end(self) -> None:
        """Log loss and metrics of ``test`` at frame and item level."""
        self._log_defined("test", self.evaluate(self._finish("test")))

    def evaluate(self, scores: Scores) -> dict[str, float | None]:
        """Return loss and metrics of scored pictures; ``item_`` names are of whole items.

        An undefined metric (one class only, say) is None.
        """
        known = scores.labelled()
        frames = summary(known.logit, known.label)
        items, window = self._items(known.row)
        _, item_logits = item_scores(known.logit, items, known.track, known.frame, window=window)
        of_items = summary(item_logits, item_labels(known.label, items))
        loss = self._mean_loss(known) if len(known) else None
        return {"loss": loss, **frames, **{f"item_{k}": v for k, v in of_items.items()}}

    def _mean_loss(self, scores: Scores) -> float:
        # Only the difference of two logits enters a softmax.
        pairs = torch.from_numpy(np.stack([np.zeros_like(scores.logit), scores.logit], axis=1))
        labels = torch.from_numpy(scores.label)
        return float(self.loss(pairs.to(self.device, torch.float32), labels.to(self.device)))

    def _items(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
        """Return the item of each row, and over how many frames an item's scores are averaged."""
        data = self._item_source()
        if data is None:
            return rows, 1
        return data.items()[rows], data.preprocess.aggregation.window

    def _item_source(self) -> ItemSource | None:
        data: object = self.trainer.datamodule  # type: ignore[attr-defined]
        return data if isinstance(data, ItemSource) else None

    def _table(self, stage: Stage) -> ScoreTable:
        table = self.tables[f"{stage}_table"]
        assert isinstance(table, ScoreTable)
        return table

    def _finish(self, stage: Stage) -> Scores:
        table = self._table(stage)
        scores = table.scores()
        table.reset()
        lost = int(np.count_nonzero(~np.isfinite(scores.logit)))
        if lost:
            raise UndefinedMetricError(
                f"{lost} of {len(scores)} scores of {stage} are not finite numbers "
                f"(epoch {self.current_epoch + 1}), so nothing can be measured",
                why="the weights have diverged, or numbers overflowed",
                next_step="train again with a lower model.lr, with model.warmup_epochs, or with "
                "trainer.gradient_clip_val",
            )
        self.epoch_scores[stage] = scores
        return scores

    def _log_defined(self, stage: Stage, values: dict[str, float | None]) -> None:
        # Every process has the same gathered scores; without sync_dist Lightning would warn.
        defined = {f"{stage}/{name}": value for name, value in values.items() if value is not None}
        self.log_dict(defined, sync_dist=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimizer and its schedule, which advances every step."""
        self.trainer.fit_loop.setup_data()
        length = TrainingLength(
            steps=self.trainer.estimated_stepping_batches,
            batches=self.trainer.num_training_batches,
            accumulated=self.trainer.accumulate_grad_batches,
        )
        optimizer = create_optimizer(self.backbone, self.head, dict(self.hparams))
        scheduler = create_schedule(optimizer, length, dict(self.hparams))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the weights of the classes, which the loss of a scoring needs as well."""
        if self.loss.weight is not None:
            checkpoint["class_weights"] = self.loss.weight.cpu()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another architecture, or that was trained or scored otherwise.

        Raises:
            CheckpointError: names both.
        """
        check_settings(self.hparams, checkpoint)
        if self.hparams["class_weights"] == "balanced" and "class_weights" in checkpoint:
            self.loss.weight = checkpoint["class_weights"].to(self.device)
        check_architecture(self.state_dict(), self.hparams["backbone"], checkpoint)


def _keep_loaded(module: nn.Module, _: object) -> None:
    """Note that a state dict has been loaded, which pretrained weights must not overwrite."""
    module._is_pretrained = True  # type: ignore[assignment]
