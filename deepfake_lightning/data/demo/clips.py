"""From frames to files: the chain that real and forged media go through alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from deepfake_lightning.data.demo.draw import FPS
from deepfake_lightning.data.demo.forge import Image, resample
from deepfake_lightning.media.h264 import write_h264

CRF = 20
"""Constant rate factor of the H.264 encoder."""
QUALITY = 92
"""Of the JPEG encoder, 1 to 100."""


def finish(frames: Sequence[Image], rng: np.random.Generator) -> list[Image]:
    """Resample and recolour a whole clip a little, as an upload would.

    Real and forged clips both pass here with settings of the same
    distribution, so that global statistics do not tell them apart.

    Args:
        frames: (H, W, 3) uint8 RGB frames.
        rng: source of the settings.

    Returns:
        The frames, same shape and type.
    """
    detail = float(rng.uniform(0.85, 0.97))
    gain = rng.uniform(0.95, 1.05) * rng.uniform(0.985, 1.015, 3)
    lift = rng.uniform(-5.0, 5.0)
    finished = []
    for frame in frames:
        soft = resample(frame.astype(np.float32), detail)
        toned = soft * gain.astype(np.float32) + np.float32(lift)
        finished.append(np.clip(np.rint(toned), 0, 255).astype(np.uint8))
    return finished


def write_clip(path: Path, frames: Sequence[Image]) -> None:
    """Encode frames as H.264 in MP4 without sound, one thread, fixed settings.

    Args:
        path: file to write; its folder is made.
        frames: (H, W, 3) uint8 RGB frames of one even size.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_h264(path, ((None, frame) for frame in frames), crf=CRF, fps=FPS)


def write_picture(path: Path, frame: Image) -> None:
    """Encode a frame, (H, W, 3) uint8 RGB, as JPEG; the file's folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    path.write_bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes())
