"""Sharpness-aware minimisation, to measure what it brings; ``ingredients.py`` trains with it.

Foret et al., "Sharpness-Aware Minimization for Efficiently Improving Generalization" (ICLR 2021),
algorithm 1: the gradient is taken where the loss is highest near the weights, to first order.
"""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer

from deepfake_lightning.errors import UsageError


class SharpnessAware(Callback):
    """Takes each step's gradient at ``w + rho g / |g|``: two passes a step.

    Args:
        rho: radius of the neighbourhood, in the Euclidean norm of all weights.
    """

    def __init__(self, rho: float = 0.05) -> None:
        self.rho = rho
        self._batch: Any = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse what the second pass would get wrong."""
        if trainer.accumulate_grad_batches > 1 or trainer.precision == "16-mixed":
            raise UsageError(
                "sharpness-aware steps take no accumulated gradients, and none that are scaled",
                next_step="use accumulate_grad_batches 1, and precision 32-true or bf16-mixed",
            )

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Keep the batch for the second pass."""
        self._batch = batch

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Replace the gradients by those of the second pass."""
        weights = [one for one in pl_module.parameters() if one.grad is not None]
        slopes = [one.grad for one in weights if one.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(s) for s in slopes]))
        ascent = [slope * (self.rho / (norm + 1e-12)) for slope in slopes]
        _move(weights, ascent, 1)
        optimizer.zero_grad()
        norms = [one for one in pl_module.modules() if isinstance(one, nn.BatchNorm2d)]
        kept = [one.momentum for one in norms]
        for one in norms:
            one.momentum = 0.0  # the statistics are of the weights that are kept
        with torch.enable_grad(), trainer.precision_plugin.forward_context():
            logits = pl_module(self._batch["image"]).float()
            loss: Tensor = pl_module.loss(logits, self._batch["label"])  # type: ignore[operator]
            loss.backward()  # type: ignore[no-untyped-call]
        for one, momentum in zip(norms, kept, strict=True):
            one.momentum = momentum
        _move(weights, ascent, -1)


@torch.no_grad()
def _move(weights: list[nn.Parameter], ascent: list[Tensor], sign: int) -> None:
    for weight, step in zip(weights, ascent, strict=True):
        weight.add_(step, alpha=sign)
