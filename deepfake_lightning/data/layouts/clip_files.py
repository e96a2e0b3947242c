"""The clips of a published data set's folder, as videos or as pictures of their frames."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from deepfake_lightning.data.layouts.class_folders import media_below
from deepfake_lightning.data.layouts.frame_names import frame_number
from deepfake_lightning.media import media_kind

# The levels that say in which form the clips are there, and not what they are.
_FORMS = ("videos", "images", "frames", "faces")
_TWICE = "pictures of clips that are there in another form already"
_LOOSE = "a picture outside its clip's folder"


class ClipFile(NamedTuple):
    """A video, or one frame of a clip.

    Attributes:
        path: the file.
        clip: the clip's name without suffix.
        levels: the folders between the data set's folder and the clip, without such as ``videos``.
        frame: the number of a picture in its clip, None of a video.
    """

    path: Path
    clip: str
    levels: tuple[str, ...]
    frame: int | None


def clip_files(root: Path, folder: Path, skipped: dict[str, str]) -> list[ClipFile]:
    """Return the clips below a folder, each in one form: its video, or pictures of it.

    Args:
        root: the data set's root, for ``skipped``.
        folder: where to look.
        skipped: path below the root -> reason; what is left out is added.
    """
    media = [(path, path.relative_to(folder).parts) for path in media_below(folder)]
    media.sort(key=lambda entry: (media_kind(entry[0]) != "video", _form(entry[1]), entry[0]))
    form_of: dict[tuple[str, ...], tuple[str, str]] = {}
    files = []
    for path, parts in media:
        kind = media_kind(path)
        named = [part for part in parts[:-1] if part.lower() not in _FORMS]
        if kind == "image" and not named:
            skipped[path.relative_to(root).as_posix()] = _LOOSE
            continue
        clip = path.stem if kind == "video" else named.pop()
        form = (kind, _form(parts))
        if kind == "image" and form_of.setdefault((*named, clip), form) != form:
            skipped[path.relative_to(root).as_posix()] = _TWICE
            continue
        form_of[(*named, clip)] = form
        frame = frame_number(path.stem) if kind == "image" else None
        files.append(ClipFile(path, clip, tuple(named), frame))
    return files


def _form(parts: tuple[str, ...]) -> str:
    return next((part.lower() for part in parts[:-1] if part.lower() in _FORMS), "")


def clip_record(root: Path, file: ClipFile, dataset: str, **known: Any) -> dict[str, Any]:
    """Return the columns of a clip's row.

    Args:
        root: the data set's root.
        file: one of :func:`clip_files`.
        dataset: the data set's name, in which people and clips are named.
        known: further columns; ``group`` is the group's name in the data set (default: the
            ``target_id``).
    """
    relative = PurePosixPath(file.path.relative_to(root).as_posix())
    kind = media_kind(file.path)
    item = relative.with_suffix("") if kind == "video" else relative.parent
    group = known.pop("group", None) or known["target_id"]
    return {
        "path": str(relative),
        "media_type": kind,
        "video_id": f"{dataset}/{item}",
        "group_id": f"{dataset}/{group}",
        "dataset": dataset,
        "frame": file.frame,
        **known,
    }


def folders_in(parent: Path) -> list[Path]:
    """Return the visible folders of a folder, sorted; none where there is no such folder."""
    if not parent.is_dir():
        return []
    return sorted(p for p in parent.iterdir() if p.is_dir() and not p.name.startswith("."))
