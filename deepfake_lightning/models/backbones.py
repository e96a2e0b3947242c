"""Any timm backbone, without its classifier."""

from __future__ import annotations

import difflib
from typing import Any

import timm
import torch
from torch import Tensor, nn

from deepfake_lightning.errors import UsageError


def create_backbone(name: str, drop_rate: float, drop_path_rate: float) -> nn.Module:
    """Return a timm network with random weights that maps pictures to pooled features.

    Args:
        name: timm's name, e.g. ``efficientnet_b0``.
        drop_rate: dropout before the classifier, in [0, 1).
        drop_path_rate: stochastic depth, in [0, 1); for networks that have it.

    Returns:
        A module: float32 [B, 3, H, W] -> float32 [B, :func:`feature_count`].

    Raises:
        UsageError: timm has no such network or weights (the message has the nearest names), or
            the network has no stochastic depth.
    """
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        raise _unknown("network", name, architecture, timm.list_models())
    if tag and name not in (known := timm.list_pretrained(f"{architecture}.*")):
        raise _unknown("weights", name, name, known)
    options: dict[str, Any] = {"drop_path_rate": drop_path_rate} if drop_path_rate else {}
    try:
        network: nn.Module = timm.create_model(
            name, pretrained=False, num_classes=0, drop_rate=drop_rate, **options
        )
    except TypeError as error:
        if "drop_path_rate" not in str(error):
            raise
        raise UsageError(
            f"model.drop_path_rate is {drop_path_rate}, and {name} has no stochastic depth",
            next_step="leave model.drop_path_rate out",
        ) from error
    return network


def _unknown(kind: str, name: str, wanted: str, known: list[str]) -> UsageError:
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    return UsageError(
        f"model.backbone: timm has no {kind} {name!r}",
        next_step=f"did you mean {', '.join(near)}?" if near else "see timm.list_models()",
    )


def feature_count(backbone: nn.Module) -> int:
    """Return the width of a headless network's output.

    Some networks (MobileNetV3 for one) widen their features in the head, which timm's
    ``num_features`` leaves out.
    """
    return int(getattr(backbone, "head_hidden_size", None) or backbone.num_features)  # type: ignore[arg-type]


def pooled_features(backbone: nn.Module, image: Tensor, *, flip: bool) -> Tensor:
    """Return what a classifier sees of pictures, [B, F].

    Args:
        backbone: of :func:`create_backbone`.
        image: float32 [B, 3, H, W].
        flip: the mean of a picture's features and its mirror image's. The logits of a linear
            classifier then are the mean of both, too.
    """
    if not flip:
        features: Tensor = backbone(image)
        return features
    both: Tensor = backbone(torch.cat([image, image.flip(3)]))
    return both.reshape(2, -1, both.shape[1]).mean(0)


def input_statistics(name: str) -> dict[str, tuple[float, ...]]:
    """Return the mean and std (RGB, of pixels in [0, 1]) a timm network was pretrained with.

    They belong to the weights: two tags of one architecture may differ.
    """
    config = timm.get_pretrained_cfg(name)
    if config is None:
        return {}
    return {"mean": tuple(config.mean), "std": tuple(config.std)}
