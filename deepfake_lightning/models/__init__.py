"""Backbones and their weights, the detector, and scores that are right under DDP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepfake_lightning.models.detector import DeepfakeDetector

__all__ = ["DeepfakeDetector"]


def __getattr__(name: str) -> Any:
    if name != "DeepfakeDetector":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Seconds, which whoever only reads a checkpoint does not need.
    from deepfake_lightning.models.detector import DeepfakeDetector

    return DeepfakeDetector
