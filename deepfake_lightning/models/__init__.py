"""Backbones and their weights, the detector, and scores that are right under DDP."""

from deepfake_lightning.models.detector import DeepfakeDetector

__all__ = ["DeepfakeDetector"]
