"""What the media of a manifest are to a network: face crops, frames to find faces in, or whole."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Literal

from deepfake_lightning.errors import UsageError
from deepfake_lightning.schemas import Manifest, Preprocess

log = logging.getLogger(__name__)

FaceMode = Literal["auto", "crop", "none"]


def has_videos(manifest: Manifest) -> bool:
    """Return whether there are videos to decode."""
    return bool((manifest.rows["media_type"] == "video").to_numpy(bool)[manifest.usable()].any())


def input_kind(manifest: Manifest, face: FaceMode) -> Literal["crop", "frame", "whole"]:
    """Return what :class:`~deepfake_lightning.schemas.Preprocess` calls ``input``.

    Args:
        manifest: of extracted pictures, pictures as they come, or videos.
        face: ``auto`` takes pictures for crops and looks for faces in videos, ``crop`` looks for
            them in pictures too, ``none`` nowhere.

    Raises:
        UsageError: crops would be cropped again.
    """
    extraction = manifest.extraction
    if face == "none" or (extraction is not None and extraction.faces is None):
        return "whole"
    if face == "crop" and extraction is not None:
        raise UsageError(
            f"data.face is 'crop', and {manifest.origin} lists crops already",
            why="a crop that is cropped again loses a part of the face",
            next_step="leave data.face out",
        )
    return "frame" if face == "crop" or has_videos(manifest) else "crop"


def as_extracted(manifest: Manifest) -> dict[str, Any]:
    """Return the part of a preprocessing that extracted pictures have behind them."""
    made = manifest.extraction
    if made is None:
        return {}
    faces = {} if made.faces is None else {"faces": made.faces}
    return {"margin": made.margin, "sampling": made.sampling, **faces}


def warn_of_unused_settings(manifest: Manifest, given: Mapping[str, Any]) -> None:
    """Name settings of the cutting of faces that have no part: the pictures are cut already.

    Args:
        manifest: the data.
        given: field of the preprocessing -> what was set.
    """
    plain = Preprocess()
    for name, made in as_extracted(manifest).items():
        if given[name] not in (made, getattr(plain, name)):
            log.warning("data.%s is %s and has no part: the pictures of %s were extracted with %s",
                        name, given[name], manifest.origin, made)  # fmt: skip


def warn_of_whole_frames(kind: str) -> None:
    """Say what it means that no face is looked for."""
    if kind == "whole":
        log.warning(
            "whole frames are trained on and scored: no face is looked for, and most of a frame "
            "says nothing of it"
        )


def warn_of_decoding(manifest: Manifest) -> None:
    """Say what training on videos costs."""
    if has_videos(manifest):
        log.warning(
            "videos are decoded anew every epoch; `deepfake-lightning extract %s --out FOLDER` "
            "does it once", manifest.origin,
        )  # fmt: skip
