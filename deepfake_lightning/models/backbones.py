"""Any timm backbone, without its classifier."""

from __future__ import annotations

from typing import Any

import timm
from torch import nn

from deepfake_lightning.errors import UsageError


def create_backbone(name: str, drop_rate: float, drop_path_rate: float) -> nn.Module:
    """Return a timm network with random weights that maps pictures to pooled features.

    Args:
        name: timm's name, e.g. ``efficientnet_b0``.
        drop_rate: dropout before the classifier, in [0, 1).
        drop_path_rate: stochastic depth, in [0, 1); for networks that have it.

    Returns:
        A module: float32 [B, 3, H, W] -> float32 [B, ``num_features``].

    Raises:
        UsageError: timm has no such network; the message has the nearest names.
    """
    if not timm.is_model(name.split(".")[0]):
        import difflib

        near = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.5)
        raise UsageError(
            f"model.backbone: timm has no network {name!r}",
            next_step=f"did you mean {', '.join(near)}?" if near else "see timm.list_models()",
        )
    options: dict[str, Any] = {"drop_path_rate": drop_path_rate} if drop_path_rate else {}
    network: nn.Module = timm.create_model(
        name, pretrained=False, num_classes=0, drop_rate=drop_rate, **options
    )
    return network


def input_statistics(name: str) -> dict[str, tuple[float, ...]]:
    """Return the mean and std (RGB, of pixels in [0, 1]) a timm network was pretrained with."""
    config = timm.get_pretrained_cfg(name.split(".")[0])
    if config is None:
        return {}
    return {"mean": tuple(config.mean), "std": tuple(config.std)}
