"""One file looked at: what its container, its header and its pixels say about it."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from deepfake_lightning.data.audit.fingerprints import fingerprint
from deepfake_lightning.errors import DataError, MediaError
from deepfake_lightning.media import VIDEO_LIMITS, open_video, read_image
from deepfake_lightning.media.quality import quality
from deepfake_lightning.media.video_source import VideoSource

NOT_THERE = "none"
_EXIF_SOFTWARE, _EXIF_MAKE = 305, 271
Value = float | str


@dataclass(frozen=True)
class Measured:
    """A file's statistics.

    Attributes:
        values: name of the statistic -> number or word; see ``statistics.FEATURES``.
        fingerprint: uint64 [4] of what it shows, None where it shows nothing.
        fault: why it could not be measured, None where it could.
    """

    values: dict[str, Value] = field(default_factory=dict)
    fingerprint: NDArray[np.uint64] | None = None
    fault: str | None = None


def measure_files(job: tuple[list[Path], bool]) -> list[Measured]:
    """Measure some files; a job of a worker process.

    Args:
        job: the files, and whether they are videos.
    """
    paths, is_video = job
    return [_measured(path, is_video) for path in paths]


def _measured(path: Path, is_video: bool) -> Measured:
    try:
        values, image = _video(path) if is_video else _picture(path)
    except (DataError, OSError) as error:
        what = error.what if isinstance(error, DataError) else f"{path} cannot be read"
        return Measured(fault=what.removeprefix(f"{path} "))
    found = fingerprint(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8))
    height, width = image.shape[:2]
    common: dict[str, Value] = {
        "media_type": "video" if is_video else "image",
        "suffix": path.suffix,
        "file_size": path.stat().st_size,
        "width": width,
        "height": height,
        "aspect": width / height,
    }
    return Measured({**common, **values, **quality(image)}, found)


def _picture(path: Path) -> tuple[dict[str, Value], NDArray[np.uint8]]:
    image = read_image(path)  # first: it holds the limits
    data = path.read_bytes()
    with Image.open(io.BytesIO(data)) as header:
        exif = header.getexif()
        values: dict[str, Value] = {
            "format": str(header.format),
            "mode": header.mode,
            "quantisation": _quantisation(header),
            "subsampling": _subsampling(header),
            "progressive": str(bool(header.info.get("progressive"))),
            "exif": str(bool(len(exif))),
            "software": str(exif.get(_EXIF_SOFTWARE, NOT_THERE))[:40],
            "camera": str(exif.get(_EXIF_MAKE, NOT_THERE))[:40],
            "colour_profile": str("icc_profile" in header.info),
        }
    values["bits_per_pixel"] = 8 * len(data) / (image.shape[0] * image.shape[1])
    return values, image


def _quantisation(header: Any) -> str:
    """Return a short digest of a JPEG's quantisation tables (ITU-T T.81, B.2.4.1)."""
    tables = getattr(header, "quantization", None)
    if not tables:
        return NOT_THERE
    return hashlib.blake2b(repr(sorted(tables.items())).encode(), digest_size=4).hexdigest()


def _subsampling(header: Any) -> str:
    if not isinstance(header, JpegImagePlugin.JpegImageFile):
        return NOT_THERE
    code = JpegImagePlugin.get_sampling(header)
    return {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}.get(code, "other")


def _video(path: Path) -> tuple[dict[str, Value], NDArray[np.uint8]]:
    with open_video(path) as video:
        info = video.info
        # The middle: clips often begin with black.
        frame = next(iter(video.read([info.frames // 2])), None)
        if frame is None:
            frame = next(iter(video.read([0])), None)
        keyframes = len(video.keyframes)
    if frame is None:
        raise MediaError(f"{path} holds no frame that can be decoded")
    bits = 8 * path.stat().st_size
    values: dict[str, Value] = {
        "codec": info.codec,
        "fps": round(info.fps, 2),
        "duration": info.seconds,
        "frames": info.frames,
        "rotation": str(info.rotation),
        "keyframe_interval": info.frames / max(keyframes, 1),
        "bits_per_pixel": bits / (info.width * info.height * info.frames),
    }
    if info.seconds > 0:
        values["bitrate"] = bits / info.seconds
    return {**values, **_container(path)}, frame.image


def _container(path: Path) -> dict[str, Value]:
    container, stream = VideoSource(path, VIDEO_LIMITS).open_container()
    with container:
        context = stream.codec_context
        words = {key.lower(): value for key, value in container.metadata.items()}
        return {
            "format": container.format.name,
            "profile": str(context.profile or NOT_THERE),
            "subsampling": str(context.pix_fmt or NOT_THERE),
            "sound": str(bool(container.streams.audio)),
            "software": str(words.get("encoder", NOT_THERE))[:40],
            "exif": str(bool(words.keys() - {"encoder", "major_brand", "minor_version",
                                             "compatible_brands"})),
        }  # fmt: skip
