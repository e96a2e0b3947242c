"""Losses on two logits (real, fake)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepfake_lightning.errors import UsageError

UNKNOWN = -1


class ClassificationLoss(nn.Module):
    """Cross-entropy or focal loss with label smoothing and class weights.

    Focal loss (Lin et al. 2017, arXiv 1708.02002, eq. 4) multiplies each sample's cross-entropy
    by ``(1 - p_t) ** gamma``, so that easy samples count less; ``gamma = 0`` is cross-entropy.
    With class weights ``w`` the mean is weighted, ``sum(w_y * l) / sum(w_y)``, as in
    ``torch.nn.CrossEntropyLoss``. Samples with label -1 count for nothing.

    Args:
        label_smoothing: share of the target spread over both classes, in [0, 1).
        focal_gamma: exponent, 0 or more.
        class_weights: of real and fake; None: equal.
    """

    weight: Tensor | None

    def __init__(
        self,
        label_smoothing: float = 0.0,
        focal_gamma: float = 0.0,
        class_weights: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.focal_gamma = focal_gamma
        # Not a part of the network: weights saved with one data set would break another's load.
        self.register_buffer("weight", class_weights, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss (scalar) of logits [B, 2] and labels int64 [B]."""
        # Trained in half precision, a buffer of the model is halved with it; the logits are not.
        weight = None if self.weight is None else self.weight.to(logits.dtype)
        if self.focal_gamma == 0:
            # Decided on the device: to ask for it here would wait for the GPU in every step.
            any_known = (labels != UNKNOWN).any()
            loss = F.cross_entropy(
                logits,
                torch.where(any_known, labels, 0),
                weight=weight,
                ignore_index=UNKNOWN,
                label_smoothing=self.label_smoothing,
            )
            return loss * any_known
        known = labels != UNKNOWN
        logits, labels = logits[known], labels[known]
        if not len(labels):
            return logits.sum() * 0.0
        each = F.cross_entropy(
            logits, labels, reduction="none", label_smoothing=self.label_smoothing
        )
        p_true = logits.softmax(-1).gather(1, labels[:, None]).squeeze(1)
        weights = torch.ones_like(each) if weight is None else weight[labels]
        return ((1 - p_true) ** self.focal_gamma * each * weights).sum() / weights.sum()


def weights_of_classes(given: Literal["none", "balanced"] | list[float]) -> Tensor | None:
    """Return the weights of real and fake, float32 [2]; None for equal ones.

    Those of ``balanced`` are known when training starts, and are ones until then.

    Raises:
        UsageError: other than two weights of 0 or more.
    """
    if given == "none":
        return None
    if given == "balanced":
        return torch.ones(2)
    if len(given) != 2 or min(given) < 0 or not sum(given):
        raise UsageError(
            f"model.class_weights is {given}",
            next_step="give two weights of 0 or more, of real and of fake, or 'balanced'",
        )
    return torch.tensor(given, dtype=torch.float32)
