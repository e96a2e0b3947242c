"""What is served when serving is measured: a detector with random weights, and a face to send."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from pathlib import Path

import cv2
from common import write_pictures
from skimage.data import astronaut

BACKBONES = {"efficientnet_b0": 224, "test_efficientnet": 32}
"""timm's names with the side of their input, pixels."""


def write_face(path: Path, size: int = 224) -> Path:
    """Write a public-domain portrait that is cut to the face, a JPEG of size x size pixels."""
    portrait = cv2.cvtColor(astronaut()[0:200, 120:320], cv2.COLOR_RGB2BGR)  # type: ignore[no-untyped-call]
    face = cv2.resize(portrait, (size, size), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(path), face, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return path


def build(folder: Path, backbone: str, seed: int = 0) -> Path:
    """Return a bundle of a network that was trained on one batch: its scores mean nothing.

    Args:
        folder: for all that is written, empty or not there.
        backbone: of :data:`BACKBONES`.
        seed: of the weights.
    """
    from deepfake_lightning.bundle.build import build_bundle
    from deepfake_lightning.training.run import fit

    size, folder = BACKBONES[backbone], folder.absolute()
    data = write_pictures(folder / "pictures", 16, 8, size)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    before = Path.cwd()
    os.chdir(folder)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            run = fit([
                "fit", f"--model.backbone={backbone}", "--model.pretrained=false",
                f"--data.root={data}", f"--data.image_size={size}", "--data.batch_size=8",
                "--data.num_workers=0", "--data.augment=false", "--trainer.max_epochs=1",
                "--trainer.limit_train_batches=1", "--trainer.enable_progress_bar=false",
                f"--seed_everything={seed}", "--report=false",
                f"--workspace={folder / 'mlops'}",
            ])  # fmt: skip
    finally:
        os.chdir(before)
    assert run.best_checkpoint is not None
    return build_bundle(run.best_checkpoint, folder / "bundle", version="v1.0.0").folder
