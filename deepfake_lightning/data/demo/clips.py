"""From frames to files: the chain that real and forged clips go through alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from deepfake_lightning.data.demo.draw import FPS
from deepfake_lightning.data.demo.forge import Image, resample

CRF = 20
"""Constant rate factor of the H.264 encoder."""


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
    height, width = frames[0].shape[:2]
    with av.open(str(path), mode="w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        # The result of several threads depends on their number, and so on the machine.
        stream.codec_context.thread_count = 1
        stream.options = {"crf": str(CRF), "preset": "veryfast"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
