"""What ``predict`` is asked to score: files, folders, patterns and manifests, as items."""

from __future__ import annotations

import glob
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake_lightning.data.layouts import recognise
from deepfake_lightning.data.layouts.class_folders import is_media, media_below, refuse_odd_name
from deepfake_lightning.data.layouts.unlabelled import unlabelled
from deepfake_lightning.errors import LayoutError, TableError
from deepfake_lightning.inference.engine import FramePicture
from deepfake_lightning.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from deepfake_lightning.schemas import Manifest
from deepfake_lightning.schemas.calibration import MediaType

log = logging.getLogger(__name__)

KNOWN = ("video_id", "group_id", "dataset", "method", "compression", "label")
"""The columns of a manifest that go into a predictions table."""


@dataclass(frozen=True)
class Item:
    """A picture, a clip, or several pictures of one: frames of a clip, or faces cut out of either.

    Attributes:
        name: what it is called; no two of an archive are called the same.
        media_type: frames of a clip are a video; faces cut out of a picture are an image.
        pictures: its file or files.
        paths: what a predictions table calls them.
        known: what is known of it, by the names of :data:`KNOWN`.
        is_frames: there are frames or faces of it, and not its file.
        already_cropped: they show one face each; None: as the detector takes pictures.
        is_listed: it is of a data set with labels (a manifest, an index, folders real and fake).
        status: what an extraction has found: ``no_face`` or ``unreadable``; None: to be scored.
    """

    name: str
    media_type: MediaType
    pictures: tuple[FramePicture, ...]
    paths: tuple[str, ...]
    known: dict[str, Any]
    is_frames: bool = False
    already_cropped: bool | None = None
    is_listed: bool = False
    status: str | None = None

    @property
    def is_clip(self) -> bool:
        """Whether it is the file of a clip."""
        return self.media_type == "video" and not self.is_frames


class Archive:
    """The items of all that was named; a million of them take hundreds of megabytes, not more.

    Args:
        manifests: as :func:`read_inputs` returns them.
        already_cropped: of all of them; None: those that were extracted are.

    Attributes:
        already_cropped: as given.
    """

    def __init__(self, manifests: Sequence[Manifest], already_cropped: bool | None = None) -> None:
        self.already_cropped = already_cropped
        self._parts = [_Part(manifest, already_cropped) for manifest in manifests]
        self._doubles, self._other_ids = _clashes(self._parts)
        if self._doubles:
            log.warning("%d items are named twice, and scored once", len(self._doubles))
        if self._other_ids:
            log.warning("%d items of several inputs have the video_id of another: where they come "
                        "from is added to it", len(self._other_ids))  # fmt: skip

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts) - len(self._doubles)

    def __iter__(self) -> Iterator[Item]:
        for number, part in enumerate(self._parts):
            for place in range(len(part)):
                if (number, place) not in self._doubles:
                    yield part.item(place, self._other_ids.get((number, place)))


class _Part:
    """The items of one manifest."""

    def __init__(self, manifest: Manifest, already_cropped: bool | None) -> None:
        self.origin = manifest.origin
        self._root = manifest.root
        self._rows = manifest.rows
        extracted = manifest.extraction is not None and manifest.extraction.faces is not None
        self._cropped = already_cropped if already_cropped is not None else extracted or None
        rows = manifest.rows
        self._listed = bool(rows["label"].notna().any())
        self._framed = manifest.framed()
        self._kinds = manifest.kinds()
        self._order, self._starts = _groups(rows, manifest.items())
        # Columns once: asking a table row by row takes a hundred times as long.
        wanted = ("path", "media_type", "status", "frame", "track_id", "timestamp_ms", *KNOWN)
        self._columns = {
            name: rows[name].astype(object).where(rows[name].notna(), None).to_numpy()
            for name in wanted
            if name in rows
        }

    def __len__(self) -> int:
        return len(self._starts) - 1

    def video_id(self, place: int) -> str:
        """Return the ``video_id`` of an item."""
        return str(self._columns["video_id"][self._order[self._starts[place]]])

    def key(self, place: int) -> tuple[str, bool]:
        """Return the first file of an item, and whether it is a frame, or a face, of it."""
        first = self._order[self._starts[place]]
        path = self._root / str(self._columns["path"][first])
        return str(path.absolute()), bool(self._framed[first])

    def item(self, place: int, video_id: str | None = None) -> Item:
        """Return an item, with another ``video_id`` if given."""
        rows = self._order[self._starts[place] : self._starts[place + 1]]
        first, at = rows[0], self._columns
        statuses = {at["status"][row] for row in rows}
        scored = [row for row in rows if at["status"][row] in (None, "ok")]
        framed = bool(self._framed[first])
        known = {name: at[name][first] for name in KNOWN if name in at}
        known["video_id"] = video_id or self.video_id(place)
        return Item(
            name=known["video_id"] if framed else str(self._root / str(at["path"][first])),
            media_type=self._kinds[first],
            pictures=tuple(
                FramePicture(
                    self._root / at["path"][row], at["track_id"][row], at["frame"][row],
                    at["timestamp_ms"][row],
                )
                for row in scored or rows[:1]
            ),
            paths=tuple(at["path"][row] for row in scored or rows[:1]),
            known=known,
            is_frames=framed,
            already_cropped=self._cropped,
            is_listed=self._listed,
            status=None if scored else sorted(map(str, statuses))[0],
        )  # fmt: skip


def _groups(
    rows: pd.DataFrame, keys: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows in the order of their items, and where each item begins, and the end.

    Items stand in the order of their first rows. Frames of one clip, or faces of one
    picture, are one item, in the order of tracks and frames.
    """
    count = len(rows)
    _, first, item = np.unique(keys, return_index=True, return_inverse=True)
    tracks = rows["track_id"].fillna(-1).to_numpy(np.int64)
    frames = rows["frame"].fillna(-1).to_numpy(np.int64)
    order = np.lexsort((np.arange(count), frames, tracks, first[item]))
    begins = first[item][order]
    starts = np.flatnonzero(np.append(True, begins[1:] != begins[:-1])[:count])
    return order.astype(np.int64), np.append(starts, count).astype(np.int64)


_Place = tuple[int, int]


def _clashes(parts: Sequence[_Part]) -> tuple[set[_Place], dict[_Place, str]]:
    """Return what several parts have in common, by part and place.

    Returns:
        the items that were named before; and another ``video_id`` for those that are not what
        bears theirs: folders of one name in two places.
    """
    doubles: set[_Place] = set()
    other_ids: dict[_Place, str] = {}
    if len(parts) < 2:  # a manifest has no path twice
        return doubles, other_ids
    keys: set[tuple[str, bool]] = set()
    owners: dict[str, int] = {}
    for number, part in enumerate(parts):
        for place in range(len(part)):
            key = part.key(place)
            if key in keys:
                doubles.add((number, place))
                continue
            keys.add(key)
            video_id = part.video_id(place)
            if owners.setdefault(video_id, number) != number:
                other_ids[number, place] = f"{video_id} ({part.origin})"
    return doubles, other_ids


def read_inputs(inputs: Sequence[str]) -> list[Manifest]:
    """Return the media that are named, with what is known of them.

    Args:
        inputs: files, folders, manifests or index files, and patterns (``clips/**/*.mp4``).

    Raises:
        LayoutError: something is not there, cannot be read, or holds no media.
        TableError: a manifest is wrong.
    """
    files: dict[Path, Path] = {}
    manifests: list[Manifest] = []
    for given in inputs:
        try:
            for path in _matching(given):
                if path.is_dir() or path.suffix.lower() in (".csv", ".parquet"):
                    manifests.append(_of_folder(path))
                else:
                    refuse_odd_name(path)
                    files.setdefault(path.absolute(), path)
        except OSError as error:  # a name that is too long, a folder of someone else
            raise LayoutError(
                f"{given} cannot be read: {error.strerror or error}", next_step="check the path"
            ) from error
    loose = [unlabelled(None, list(files.values()))] if files else []
    return [*loose, *manifests]


def _matching(given: str) -> list[Path]:
    path = Path(given)
    if path.exists():
        if not path.is_file() and not path.is_dir():  # opening a pipe waits for ever
            raise LayoutError(
                f"{given} is neither a file nor a folder", next_step="name a file that is on disk"
            )
        return [path]
    # Not Path.glob, which takes no absolute patterns.
    names = glob.glob(given, recursive=True) if glob.has_magic(given) else []  # noqa: PTH207
    found = [path for name in sorted(names) if is_media(path := Path(name))]
    if not found:
        fault = "matches no pictures and no videos" if names else "does not exist"
        raise LayoutError(f"{given} {fault}", next_step="check the path")
    return found


def _of_folder(path: Path) -> Manifest:
    """Return the media of a folder or table; labels where its layout has some."""
    refuse_odd_name(path.absolute())  # the names of its media begin with it
    try:
        manifest = recognise(path)
    except TableError:
        raise
    except LayoutError as error:
        if path.is_file():
            raise
        log.warning("%s: its media are scored without labels", error.what)
        manifest = None
    if manifest is not None:
        return manifest
    media = media_below(path) if path.is_dir() else []
    if not media:
        raise LayoutError(f"{path} holds no pictures and no videos", next_step="check the path")
    _tell_of_others(path, len(media))
    return unlabelled(path, media)


def _tell_of_others(folder: Path, media: int) -> None:
    """Say how many files of a folder are not looked at: nothing is left out without a word."""
    kinds: Counter[str] = Counter()
    for _, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        kinds.update(
            os.path.splitext(name)[1].lower()  # noqa: PTH122  (there may be a million)
            for name in names
            if not name.startswith(".")
        )
    if kinds.total() > media:
        odd = sorted((kinds.keys() - IMAGE_SUFFIXES) - VIDEO_SUFFIXES)[:8]
        log.warning("%s: %d files are neither pictures nor videos by their suffix (%s), and are "
                    "not looked at; name one to try it", folder, kinds.total() - media,
                    ", ".join(kind or "none" for kind in odd) or "links and pipes")  # fmt: skip
