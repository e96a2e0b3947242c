"""From frames to files: the chain that real and forged clips go through alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np

from deepfake_lightning.data.demo.draw import FPS
from deepfake_lightning.data.demo.forge import Image, resample

CRF = 20
"""Constant rate factor of the H.264 encoder."""
CROP = 160
"""Side of a crop, pixels."""
MARGIN = 1.3
"""Side of the square that is cut out, as a multiple of the longer side of the face box."""
JPEG_QUALITY = 95


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


def read_clip(path: Path) -> list[Image]:
    """Decode all frames of a clip as (H, W, 3) uint8 RGB."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def cut_crop(frame: Image, box: tuple[int, int, int, int]) -> Image:
    """Cut the square around a face.

    Args:
        frame: (H, W, 3) uint8 RGB.
        box: x, y, width, height of the face, pixels.

    Returns:
        (CROP, CROP, 3) uint8 RGB; beyond the frame its border is repeated.
    """
    x, y, width, height = box
    scale = CROP / (MARGIN * max(width, height))
    offset = (
        CROP / 2 - scale * (x + width / 2),
        CROP / 2 - scale * (y + height / 2),
    )
    placement = np.array([[scale, 0.0, offset[0]], [0.0, scale, offset[1]]])
    crop = cv2.warpAffine(
        frame,
        placement,
        (CROP, CROP),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(crop, dtype=np.uint8)


def write_crop(path: Path, crop: Image) -> None:
    """Write (H, W, 3) uint8 RGB as JPEG; the folder is made.

    Raises:
        OSError: if the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    encoded = cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), settings)[1]
    path.write_bytes(encoded.tobytes())
