"""Where the frames of DeepfakeBench's lists lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from deepfake_lightning.data.layouts.frame_names import frame_number
from deepfake_lightning.errors import LayoutError

_BELOW = (".", "rgb", "datasets/rgb", "datasets")
_TRIED = 200
_ABSENT = "a frame that a list names, and that is not there"


class Frames:
    """The frames below the folder that the lists' paths are relative to.

    Args:
        base: that folder.
        depth: how many leading parts of a path are left out.
    """

    def __init__(self, base: Path, depth: int) -> None:
        self.base = base
        self._depth = depth
        self._names: dict[PurePosixPath, frozenset[str]] = {}

    @classmethod
    def find(cls, root: Path, clips: Iterable[Sequence[str]]) -> Frames:
        """Return the folder in or around ``root`` in which frames are found.

        Paths may begin with folders of the machine they were written on.

        Raises:
            LayoutError: there is none.
        """
        folder = (root if root.is_dir() else root.parent).resolve()
        first = [_plain(frames[0]) for frames in islice(clips, _TRIED) if frames]
        around = [folder, *list(folder.parents)[:2]]
        for depth in range(max((len(path.parts) for path in first), default=0)):
            for base in (place / below for place in around for below in _BELOW):
                if any((base / PurePosixPath(*path.parts[depth:])).is_file() for path in first):
                    return cls(base.resolve(), depth)
        raise LayoutError(
            f"no data: none of the frames that {root} names are in or beside it",
            why=f"the first is {first[0]}" if first else "",
            next_step="put the lists into the folder that the frames' paths begin in",
        )

    def rows(
        self, frames: Sequence[str], dataset: str, skipped: dict[str, str]
    ) -> Iterator[dict[str, Any]]:
        """Yield the columns of a clip's frames that are there; the others go to ``skipped``."""
        for frame in frames:
            path = PurePosixPath(*_plain(frame).parts[self._depth :])
            if path.name not in self._there(path.parent):
                skipped[str(path)] = _ABSENT
                continue
            clip = str(path.parent).removeprefix(f"{dataset}/")
            yield {
                "path": str(path),
                "media_type": "image",
                "video_id": f"{dataset}/{clip}",
                "frame": frame_number(path.stem),
            }

    def _there(self, folder: PurePosixPath) -> frozenset[str]:
        if folder not in self._names:
            place = self.base / folder
            names = (path.name for path in place.iterdir()) if place.is_dir() else ()
            self._names[folder] = frozenset(names)
        return self._names[folder]


def _plain(frame: str) -> PurePosixPath:
    parts = PurePosixPath(frame.replace("\\", "/")).parts
    return PurePosixPath(*(part for part in parts if part not in ("/", ".", "..")))
