"""Tiny networks, tiny pictures and a quiet Trainer."""

import pytest
import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from deepfake_lightning.models import DeepfakeDetector

SIZE = 32


@pytest.fixture
def make_detector():
    """Build a detector of a network with 0.1 M parameters and random weights."""

    def make(backbone="test_efficientnet", pretrained=False, **options):
        torch.manual_seed(0)
        return DeepfakeDetector(backbone, pretrained=pretrained, **{"lr": 3e-3, **options})

    return make


@pytest.fixture
def make_pictures():
    """Build samples: fakes are brighter in red, by ``contrast``. One row of the manifest each."""

    def make(labels, frames=1, contrast=2.0, seed=0):
        generator = torch.Generator().manual_seed(seed)
        samples = []
        for clip, label in enumerate(labels):
            for frame in range(frames):
                image = torch.randn(3, SIZE, SIZE, generator=generator)
                image[0] += contrast * max(label, 0)
                values = {"label": label, "row": clip * frames + frame, "track": -1, "frame": frame}
                tensors = {name: torch.tensor(value) for name, value in values.items()}
                samples.append({"image": image, **tensors})
        return samples

    return make


@pytest.fixture
def make_trainer(tmp_path):
    """Build a Trainer on the CPU that prints and writes nothing unless told to."""

    def make(**options):
        quiet = {
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
            "default_root_dir": tmp_path,
        }
        return Trainer(accelerator="cpu", devices=1, **{**quiet, "max_epochs": 1, **options})

    return make


@pytest.fixture
def load():
    """Batch samples, in their order."""

    def make(samples, batch_size=8):
        return DataLoader(samples, batch_size=batch_size)

    return make
