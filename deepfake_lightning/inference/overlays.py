"""Pictures of items with the boxes and scores of their faces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.inference.items import Item
from deepfake_lightning.inference.verdicts import probability
from deepfake_lightning.media import open_video, read_image
from deepfake_lightning.media.overlay import draw_faces, sheet
from deepfake_lightning.schemas import Assessment, ScoredFace
from deepfake_lightning.storage import atomic_write

_MOST_FRAMES = 6
_FLAGGED = {"manipulation_indicated": True, "no_indication": False}


def overlay_path(folder: Path, name: str) -> Path:
    """Return the file of an item's picture: below the folder, whatever the item is called."""
    parts = [part for part in PurePosixPath(name).parts if part not in ("/", ".")]
    safe = ["__" if part == ".." else part for part in parts]
    return folder.joinpath(*safe[:-1], f"{safe[-1]}.jpg")


def write_overlay(path: Path, item: Item, found: Assessment) -> None:
    """Draw an item: a picture as it is, of a clip the frames with the highest scores, in order.

    Raises:
        MediaError: it cannot be read any more.
    """
    drawn = [
        (draw_faces(image, faces, scores=[probability(face.logit) for face in faces],
                    flagged=[_flag(found)] * len(faces)), caption)
        for image, faces, caption in _frames(item, found)
    ]  # fmt: skip
    if item.media_type == "image":
        image = drawn[0][0]
    else:
        image = sheet([image for image, _ in drawn], [text for _, text in drawn], _title(found))
    data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92]
    )
    with atomic_write(path) as file:
        file.write(data[1].tobytes())


def _flag(found: Assessment) -> bool | None:
    return _FLAGGED.get(found.verdict or "")


def _title(found: Assessment) -> str:
    said = (found.verdict or "a score without a verdict").replace("_", " ")
    return f"{found.name}\n{said}, {found.score:.3f} ({found.version})"


def _frames(
    item: Item, found: Assessment
) -> Iterator[tuple[NDArray[np.uint8], list[ScoredFace], str]]:
    """Yield the pictures to draw, the faces in each, and what to write below."""
    if item.media_type == "image":
        yield read_image(item.pictures[0].path), list(found.faces), ""
        return
    groups: dict[int, list[ScoredFace]] = {}
    for face in found.faces:
        key = face.picture if item.is_frames else face.frame
        groups.setdefault(key or 0, []).append(face)
    best = sorted(groups, key=lambda key: -max(face.logit for face in groups[key]))
    chosen = sorted(best[:_MOST_FRAMES])
    if item.is_frames:
        for key in chosen:
            yield read_image(item.pictures[key].path), groups[key], _caption(groups[key])
        return
    with open_video(item.pictures[0].path) as video:
        for frame in video.read(chosen):
            yield frame.image, groups[frame.index], _caption(groups[frame.index])


def _caption(faces: list[ScoredFace]) -> str:
    face = faces[0]
    if face.timestamp_ms is not None:
        minutes, seconds = divmod(face.timestamp_ms / 1000, 60)
        return f"{int(minutes)}:{seconds:04.1f}, frame {face.frame}"
    return "" if face.frame is None else f"frame {face.frame}"
