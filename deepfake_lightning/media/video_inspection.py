"""What is wrong with a clip, and a digest by which copies of it are recognised."""

from __future__ import annotations

import hashlib
from pathlib import Path

from deepfake_lightning.errors import MediaError
from deepfake_lightning.media.limits import VIDEO_LIMITS, Limits
from deepfake_lightning.media.video_source import VideoSource
from deepfake_lightning.media.video_survey import survey

_DIGEST_PART = 1 << 20


def inspect_video(path: Path, limits: Limits = VIDEO_LIMITS) -> tuple[str | None, int]:
    """Return what is wrong with a clip, or None, and a digest that identical copies share.

    The clip is opened and its first frame decoded. Whole clips take too long to read, so the
    digest is the signed 64-bit blake2b of the size and the first, middle and last MiB: copies
    have the same, and another clip has another, but a change between those places is not seen.

    Returns:
        the fault, and the digest (0 where the file cannot be read).
    """
    source = VideoSource(path, limits)
    try:
        source.size()
        digest = _digest(source)
    except (MediaError, OSError) as error:
        what = error.what if isinstance(error, MediaError) else f"cannot be read: {error.strerror}"
        return what.removeprefix(f"{path} "), 0
    try:
        survey(source, decord=False)
    except MediaError as error:
        return error.what.removeprefix(f"{path} "), digest
    return None, digest


def _digest(source: VideoSource) -> int:
    size = source.size()
    digest = hashlib.blake2b(size.to_bytes(8, "big"), digest_size=8)
    with source.open_file() as file:
        for start in (0, (size - _DIGEST_PART) // 2, size - _DIGEST_PART):
            file.seek(max(start, 0))
            digest.update(file.read(_DIGEST_PART))
    return int.from_bytes(digest.digest(), "big", signed=True)
