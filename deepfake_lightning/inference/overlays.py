"""Pictures of items with the boxes and scores of their faces."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.inference.items import Item
from deepfake_lightning.inference.verdicts import calibrated, probability, verdict
from deepfake_lightning.media import open_video, read_image
from deepfake_lightning.media.overlay import draw_faces, sheet
from deepfake_lightning.schemas import Assessment, ScoredFace
from deepfake_lightning.schemas.calibration import ItemCalibration, MediaType
from deepfake_lightning.storage import atomic_write

_MOST_FRAMES = 6
_MOST_BYTES = 180  # of a name: 255 less a suffix, and what it is called while it is written
_MOST_PIXELS = 65_500  # on a side: JPEG cannot have more
SENT_PIXELS = 2000
"""On the long side of a picture that is sent over a network: some megabytes at most."""
Shown = tuple[NDArray[np.uint8], list[ScoredFace], str]
"""A picture to draw, the faces in it, and what to write below."""
_FLAGGED: dict[str | None, bool] = {"manipulation_indicated": True, "no_indication": False}


def overlay_path(folder: Path, name: str) -> Path:
    """Return the file of an item's picture: below the folder, whatever the item is called."""
    given = PurePosixPath(name).parts
    parts = [part for part in given if not set(part) <= {"/", "."}]
    *parents, last = [_safe(part) for part in parts] or ["unnamed"]
    if len(parts) < len([part for part in given if part != "/"]):  # two may come to one name
        last = f"{last}-{_digest(name)}"
    return folder.joinpath(*parents, f"{last}.jpg")


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _safe(part: str) -> str:
    """Return a part of a path that a disk takes; one that is changed has its hash in it."""
    data = os.fsencode(part.replace("\0", "_"))
    if len(data) <= _MOST_BYTES and "\0" not in part:
        return part
    return f"{data[: _MOST_BYTES - 20].decode('utf-8', 'ignore')}-{_digest(part)}"


def write_overlay(
    path: Path,
    item: Item,
    found: Assessment,
    calibration: ItemCalibration | None = None,
    most: int = _MOST_PIXELS,
) -> None:
    """Draw an item: a picture as it is, of a clip the frames with the highest scores, in order; of
    one of which there are faces alone, these.

    What is indicated is said of each face that is followed. Nothing is written where none of the
    frames can be read by itself.

    Args:
        path: the picture to write.
        item: the item.
        found: its assessment, with a score.
        calibration: of its kind of media.
        most: pixels on the long side of a picture; a larger one is made smaller first.

    Raises:
        MediaError: it cannot be read any more.
    """
    if item.is_frames:
        data = _drawn(_pictures(item, found), True, found, calibration)
    else:
        kind = item.media_type or "image"
        data = draw_media(item.pictures[0].path, kind, found, calibration, most)
    if data:
        with atomic_write(path) as file:
            file.write(data)


def draw_media(
    source: Path | bytes,
    kind: MediaType,
    found: Assessment,
    calibration: ItemCalibration | None = None,
    most: int = _MOST_PIXELS,
) -> bytes:
    """Return a JPEG of one picture or clip, drawn as :func:`write_overlay` does.

    Empty where none of a clip's frames can be read by itself.

    Raises:
        MediaError: it cannot be read any more.
    """
    shown = _clip(source, found) if kind == "video" else _picture(source, found, most)
    return _drawn(shown, kind == "video", found, calibration)


def _drawn(
    shown: Iterator[Shown],
    on_sheet: bool,
    found: Assessment,
    calibration: ItemCalibration | None,
) -> bytes:
    """Return a JPEG of what is shown: several pictures on a sheet, or the first alone."""
    said = {each.track: verdict(each.logit, calibration) for each in found.tracks}
    drawn = [
        (draw_faces(image, faces,
                    scores=[probability(calibrated(face.logit, calibration)) for face in faces],
                    flagged=[_FLAGGED.get(said[face.track]) for face in faces]), caption)
        for image, faces, caption in shown
    ]  # fmt: skip
    if not drawn:
        return b""
    if not on_sheet:
        image = drawn[0][0]
    else:
        image = sheet([image for image, _ in drawn], [text for _, text in drawn], _title(found))
    data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92]
    )
    return bytes(data[1])


def _title(found: Assessment) -> str:
    said = (found.verdict or "a score without a verdict").replace("_", " ")
    drawn = ", trained on drawn faces" if found.demo else ""
    notes = "".join(f"; {note}" for note in found.notes)
    # Names come last: they may be cut.
    return f"{said}, {found.score:.3f} ({found.version}{drawn}){notes}\n{found.name}"


def _picture(source: Path | bytes, found: Assessment, most: int) -> Iterator[Shown]:
    image = read_image(source)
    height, width = image.shape[:2]
    scale = most / max(height, width)
    if scale >= 1:
        yield image, list(found.faces), ""
        return
    size = (max(1, int(scale * width)), max(1, int(scale * height)))
    smaller = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    yield smaller, [_scaled(face, scale) for face in found.faces], ""


def _scaled(face: ScoredFace, scale: float) -> ScoredFace:
    if face.box is None:
        return face
    left, top, width, height = face.box
    return replace(face, box=(scale * left, scale * top, scale * width, scale * height))


def _clip(source: Path | bytes, found: Assessment) -> Iterator[Shown]:
    groups = _best(found, lambda face: face.frame)
    with open_video(source) as video:
        for frame in video.read(list(groups)):
            yield frame.image, groups[frame.index], _caption(groups[frame.index])


def _pictures(item: Item, found: Assessment) -> Iterator[Shown]:
    """Yield the pictures of an item of which there are frames, or faces cut out, alone."""
    groups = _best(found, lambda face: face.picture)
    for key, faces in groups.items():
        yield read_image(item.pictures[key].path), faces, _caption(faces)


def _best(
    found: Assessment, key_of: Callable[[ScoredFace], int | None]
) -> dict[int, list[ScoredFace]]:
    """Return the faces of the frames with the highest scores, in the order of the frames."""
    groups: dict[int, list[ScoredFace]] = {}
    for face in found.faces:
        groups.setdefault(key_of(face) or 0, []).append(face)
    best = sorted(groups, key=lambda key: -max(face.logit for face in groups[key]))
    return {key: groups[key] for key in sorted(best[:_MOST_FRAMES])}


def _caption(faces: list[ScoredFace]) -> str:
    face = faces[0]
    if face.timestamp_ms is not None:
        minutes, seconds = divmod(face.timestamp_ms / 1000, 60)
        return f"{int(minutes)}:{seconds:04.1f}, frame {face.frame}"
    return "" if face.frame is None else f"frame {face.frame}"
