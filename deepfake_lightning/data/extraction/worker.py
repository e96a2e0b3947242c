"""One file into pictures. Runs in processes of its own."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import MediaError, StorageError
from deepfake_lightning.media import FaceReader, FoundFace, Frame, open_video, read_image
from deepfake_lightning.schemas import Extraction, Preprocess, Sampling


@dataclass(frozen=True)
class Job:
    """What is to be done with one source.

    Attributes:
        file: the video or picture.
        is_video: which of the two.
        folder: an existing, empty folder for the pictures.
        settings: how they are made.
        sampling: which frames are looked at; for a class that gives fewer, other than in
            ``settings``.
    """

    file: Path
    is_video: bool
    folder: Path
    settings: Extraction
    sampling: Sampling


@dataclass(frozen=True)
class Outcome:
    """What became of it.

    Attributes:
        status: ``ok``, ``no_face`` or ``unreadable``.
        reason: what is wrong with the file; for a file that could be read in part, too.
        frames: how many were looked at.
        pictures: one record each: ``name``, ``frame``, ``timestamp_ms``, ``track_id``, ``box``,
            ``landmarks``, ``face_score``.
    """

    status: str
    reason: str | None = None
    frames: int = 0
    pictures: list[dict[str, Any]] = field(default_factory=list)


def extract_one(job: Job) -> Outcome:
    """Write the pictures of one source; a file that cannot be read is an outcome, not an error.

    Pictures are synced to disk, so that what is recorded as done is done.
    """
    try:
        return _pictures(job)
    except MediaError as error:
        return Outcome("unreadable", error.what.removeprefix(f"{job.file} "))
    finally:
        # A decoder is part of a cycle, and holds megabytes that Python does not know of: left to
        # itself it would keep those of a hundred clips.
        gc.collect()


def _pictures(job: Job) -> Outcome:
    if not job.is_video:
        frame = Frame(0, 0, read_image(job.file))
        records = [_write(job, item) for item in _chosen(job.settings, iter([frame]))]
        return Outcome("ok" if records else "no_face", frames=1, pictures=records)
    count = 0

    def counted(frames: Iterator[Frame]) -> Iterator[Frame]:
        nonlocal count
        for frame in frames:
            count += 1
            yield frame

    with open_video(job.file) as video:
        frames = counted(video.frames(job.sampling))
        records = [_write(job, item) for item in _chosen(job.settings, frames)]
        lost = f"{video.lost} of {video.lost + count} frames are damaged" if video.lost else None
    return Outcome("ok" if records else "no_face", lost, count, records)


def _chosen(settings: Extraction, frames: Iterator[Frame]) -> Iterator[FoundFace | Frame]:
    """Yield what is kept of each frame: its faces, or the whole of it."""
    if settings.faces is None:
        return frames
    return _reader(settings).faces(frames, settings.size)


@lru_cache(maxsize=1)
def _reader(settings: Extraction) -> FaceReader:
    assert settings.faces is not None
    return FaceReader(Preprocess(input="frame", margin=settings.margin, faces=settings.faces))


def _write(job: Job, item: FoundFace | Frame) -> dict[str, Any]:
    """Write one picture, and return its record."""
    if isinstance(item, Frame):
        number, name = item.index, f"f{item.index:06d}"
        image = _bounded(item.image, job.settings.size)
        record: dict[str, Any] = {}
    else:
        number, name, image = item.frame, f"f{item.frame:06d}_t{item.track}", item.image
        record = {
            "track_id": item.track,
            "box": _numbers(item.face.box),
            "landmarks": _numbers(item.face.landmarks.ravel()),
            "face_score": round(float(item.face.score), 4),
        }
    name = f"{name}.{job.settings.picture_format}"
    _save(job.folder / name, _encoded(image, job.settings))
    if job.is_video:
        record |= {"frame": number, "timestamp_ms": item.timestamp_ms}
    return {"name": name, **record}


def _save(path: Path, data: bytes) -> None:
    try:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageError(
            f"{path} could not be written: {error.strerror or error}",
            why="what is done is kept",
            next_step="free space or fix permissions there, then run the command again",
        ) from error


def _encoded(image: NDArray[np.uint8], settings: Extraction) -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, settings.quality]
    flags = quality if settings.picture_format == "jpg" else []
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(f".{settings.picture_format}", bgr, flags)[1])


def _bounded(image: NDArray[np.uint8], longest: int | None) -> NDArray[np.uint8]:
    """Shrink a frame whose longer side is more than ``longest`` pixels."""
    height, width = image.shape[:2]
    if longest is None or max(height, width) <= longest:
        return image
    scale = longest / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _numbers(values: Any) -> str:
    """Return e.g. ``12.5,30,64,80.2``: a tenth of a pixel is what a detector can tell."""
    return ",".join(f"{round(float(value), 1):g}" for value in values)
