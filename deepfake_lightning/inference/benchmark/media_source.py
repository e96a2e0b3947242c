"""The clips and pictures that are timed: given ones, or drawn ones for want of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepfake_lightning.data.demo.clips import write_clip
from deepfake_lightning.data.demo.shoot import clips_of
from deepfake_lightning.errors import DataError, MediaError
from deepfake_lightning.inference.items import Archive, Item, read_inputs
from deepfake_lightning.media import open_video, read_image
from deepfake_lightning.schemas.calibration import MediaType

_CHUNK = 1 << 20
_FRAMES, _SEED = 24, 7


@dataclass(frozen=True)
class TimedMedia:
    """Items of one kind.

    Attributes:
        media_type: of all of them.
        items: those that can be read.
        unreadable: how many of them cannot.
        source: the data's name.
        drawn: they were drawn by this package.
        lengths: seconds, of clips.
        widths, heights: pixels.
    """

    media_type: MediaType
    items: tuple[Item, ...]
    unreadable: int
    source: str
    drawn: bool
    lengths: tuple[float, ...]
    widths: tuple[int, ...]
    heights: tuple[int, ...]


def choose_media(data: str | None, most: int, folder: Path) -> list[TimedMedia]:
    """Return what is timed: some of the clips and some of the pictures, evenly spaced.

    The files are read once: afterwards they are in memory, and no disk is timed.

    Args:
        data: a file, a folder, a manifest or a pattern, as `predict` takes them; None: clips are
            drawn, the same on every machine but for what its encoder makes of them.
        most: how many of each kind.
        folder: for what is drawn.

    Raises:
        LayoutError, TableError: nothing is there, or it cannot be read.
        DataError: none of the media can be read.
    """
    if data is None:
        _draw(folder)
    items = list(Archive(read_inputs([data if data is not None else str(folder)])))
    name = Path(data).name or data if data is not None else "drawn clips"
    kinds: tuple[MediaType, ...] = ("video", "image")
    found = []
    for kind in kinds:
        ours = [item for item in items if item.media_type == kind and item.status is None]
        if ours:
            found.append(_media(kind, _spaced(ours, most), name, data is None))
    if not any(media.items for media in found):
        raise DataError(
            f"{data} holds nothing that can be read and scored",
            next_step="name other clips or pictures, or leave --data out: clips are drawn then",
        )
    return [media for media in found if media.items]


def _spaced(items: Sequence[Item], most: int) -> list[Item]:
    places = np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)
    return [items[place] for place in places]


def _media(kind: MediaType, items: Sequence[Item], name: str, drawn: bool) -> TimedMedia:
    readable, lengths, widths, heights = [], [], [], []
    for item in items:
        path = item.pictures[0].path
        try:
            if kind == "video" and not item.is_frames:
                with open_video(path) as video:
                    info = video.info
                lengths.append(info.seconds)
                width, height = info.width, info.height
            else:
                height, width = read_image(path).shape[:2]
        except MediaError:
            continue
        widths.append(width)
        heights.append(height)
        readable.append(item)
        _into_memory(item)
    return TimedMedia(
        kind, tuple(readable), len(items) - len(readable), name, drawn, tuple(lengths),
        tuple(widths), tuple(heights),
    )  # fmt: skip


def _into_memory(item: Item) -> None:
    for picture in item.pictures:
        if picture.path.is_file():
            with picture.path.open("rb") as file:
                while file.read(_CHUNK):
                    pass


def _draw(folder: Path) -> None:
    for number, clip in enumerate(clips_of([0, 1], 1, _FRAMES, _SEED)):
        write_clip(folder / f"clip{number}.mp4", clip.frames)
