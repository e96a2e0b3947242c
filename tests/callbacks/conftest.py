"""A data set of small pictures on disk, a tiny detector and a quiet Trainer."""

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch import Trainer

from deepfake_lightning.data.datamodule import DeepfakeDataModule
from deepfake_lightning.models import DeepfakeDetector

SIZE = 32


@pytest.fixture
def make_split_faces(tmp_path):
    """Write pictures and an index: ``counts`` gives the clips of each split, half of them fake.

    Pictures of row n are grey n, so that they can be told apart; fakes are red besides.
    """

    def make(counts=None, frames=1, labels=None):
        root, rows = tmp_path / "faces", []
        root.mkdir(exist_ok=True)
        for split, clips in (counts or {"train": 8, "val": 4, "test": 4}).items():
            for clip in range(clips):
                label = clip % 2 if labels is None else labels[clip]
                for frame in range(frames):
                    picture = np.full((SIZE, SIZE, 3), len(rows), np.uint8)
                    picture[..., 2] += 150 * label
                    name = f"{split}_{clip}_{frame}.png"
                    cv2.imwrite(str(root / name), picture)
                    video = f"{split}_{clip}"
                    rows.append((name, label, video, video, frame, split))
        names = ["path", "label", "group", "video_id", "frame", "split"]
        pd.DataFrame(rows, columns=names).to_csv(root / "index.csv", index=False)
        return root

    return make


@pytest.fixture
def make_data():
    """Build the data module of a folder."""

    def make(root, **options):
        small = {"batch_size": 4, "image_size": SIZE, "num_workers": 0, "augment": False}
        return DeepfakeDataModule(str(root), **{**small, **options})

    return make


@pytest.fixture
def make_detector():
    """Build a detector with 0.1 M parameters and random weights."""

    def make(**options):
        torch.manual_seed(0)
        return DeepfakeDetector("test_efficientnet", pretrained=False, **options)

    return make


@pytest.fixture
def make_trainer(tmp_path):
    """Build a Trainer, on the CPU unless told, that prints and writes nothing unless told to."""

    def make(*callbacks, **options):
        quiet = {
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
            "default_root_dir": tmp_path / "root",
            "max_epochs": 1,
            "log_every_n_steps": 1,
            "accelerator": "cpu",
        }
        return Trainer(devices=1, callbacks=list(callbacks), **{**quiet, **options})

    return make
