"""Optimizer and learning-rate schedule, as a configuration names them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from timm.optim import (
    create_optimizer_v2,
    list_optimizers,
    param_groups_layer_decay,
    param_groups_weight_decay,
)
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from deepfake_lightning.errors import UsageError
from deepfake_lightning.models.schedules import warmup_then


@dataclass(frozen=True)
class TrainingLength:
    """How long a training is; infinite where nothing limits it.

    Attributes:
        steps: optimizer steps in all.
        batches: batches in an epoch, per process.
        accumulated: batches in a step.
    """

    steps: float
    batches: float
    accumulated: int


def check_optimizer(name: str) -> None:
    """Refuse an optimizer that timm does not have.

    Raises:
        UsageError: with the nearest names.
    """
    known = list_optimizers()
    if name.lower().removeprefix("lookahead_") not in known:
        near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
        raise UsageError(
            f"model.optimizer: timm has no optimizer {name!r}",
            next_step=f"did you mean {', '.join(near)}?" if near else "one is adamw",
        )


def check_layer_decay(value: float) -> None:
    """Refuse a rate of a layer over the next's that is not in (0, 1].

    Raises:
        UsageError: says what it means.
    """
    if not 0 < value <= 1:
        raise UsageError(
            f"model.layer_decay is {value:g}",
            next_step="give the rate of a layer over that of the next, above 0 and up to 1 (all "
            "alike)",
        )


def create_optimizer(
    backbone: nn.Module, head: nn.Module, settings: Mapping[str, Any]
) -> Optimizer:
    """Return the optimizer that ``settings`` (optimizer, lr, weight_decay, layer_decay) name.

    Weight decay leaves biases and normalisation alone, as timm has it. With ``layer_decay`` below 1
    each layer of the backbone, as timm counts them, learns that much slower than the next, and the
    classifier at ``lr``.
    """
    rate, decay, slower = (settings[key] for key in ("lr", "weight_decay", "layer_decay"))
    parts = nn.ModuleDict({"backbone": backbone, "head": head})
    if slower == 1:
        made: Optimizer = create_optimizer_v2(
            parts, opt=settings["optimizer"], lr=rate, weight_decay=decay
        )
        return made
    groups = param_groups_layer_decay(backbone, weight_decay=decay, layer_decay=slower)
    for group in groups:
        group["lr"] = rate * slower * group.pop("lr_scale")
    groups += param_groups_weight_decay(head, weight_decay=decay)
    made = create_optimizer_v2(groups, opt=settings["optimizer"], lr=rate)
    return made


def create_schedule(
    optimizer: Optimizer, length: TrainingLength, settings: Mapping[str, Any]
) -> LambdaLR:
    """Return the schedule that ``settings`` (schedule, warmup_epochs) name, stepped every step.

    Raises:
        UsageError: a schedule or a warm-up that needs to know a length which is infinite.
    """
    schedule, epochs = settings["schedule"], settings["warmup_epochs"]
    if math.isinf(length.steps) and schedule != "constant":
        raise UsageError(
            f"model.schedule {schedule!r} needs a known number of steps",
            next_step="set trainer.max_epochs, or use --model.schedule constant",
        )
    if math.isinf(length.batches) and epochs:
        raise UsageError(
            "model.warmup_epochs needs a known number of batches in an epoch",
            next_step="set trainer.limit_train_batches, or leave model.warmup_epochs out",
        )
    warmup = round(epochs * math.ceil(length.batches / length.accumulated)) if epochs else 0
    return LambdaLR(optimizer, warmup_then(schedule, int(min(length.steps, 2**62)), warmup))
