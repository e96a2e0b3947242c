"""Plain folders: ``real/`` and ``fake/``, also below ``train/``, ``val/`` and ``test/``."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pandas as pd

from deepfake_lightning.data.layouts.frame_names import (
    frame_number,
    matched_group,
    number_frames,
    refuse_frames,
    tell_apart,
)
from deepfake_lightning.data.layouts.layout import Found, Layout, Options
from deepfake_lightning.errors import LayoutError
from deepfake_lightning.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from deepfake_lightning.schemas import Manifest
from deepfake_lightning.schemas.manifest import manifest_rows

CLASS_FOLDERS = {
    "real": 0, "reals": 0, "original": 0, "originals": 0, "0_real": 0, "genuine": 0,
    "fake": 1, "fakes": 1, "manipulated": 1, "1_fake": 1, "deepfake": 1, "deepfakes": 1,
}  # fmt: skip
SPLIT_FOLDERS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "calib": "calib", "test": "test", "testing": "test",
}  # fmt: skip


def read(root: Path, *, group_pattern: str | None = None) -> Manifest | None:
    """Return the manifest of class folders, or None where there are none.

    Pictures in a sub-folder of a class folder are frames of one clip named by that folder;
    the sub-folder directly below ``fake`` is the method where it holds further folders or
    videos. Other pictures, and videos, are items of their own, and the same name under ``real``
    and ``fake`` is one group. A ``group_pattern`` names their groups instead, and the pictures of
    one group in one class folder are frames of one item. Media beside the class folders have no
    label.

    Raises:
        LayoutError: a folder that is neither real nor fake, or names that look like frames of one
            video while no group is given.
    """
    tops = _class_folders(root)
    if not tops:
        return None
    place = _Place(root, root.resolve().name, group_pattern)
    records = [
        _record(place, folder, path, split, label)
        for (split, label), folders in tops.items()
        for folder in folders
        for path in media_below(folder)
    ]
    if not records:
        raise LayoutError(
            f"no data: the class folders in {root} hold no pictures and no videos",
            next_step="put pictures or videos in them "
            f"({', '.join(sorted(IMAGE_SUFFIXES | VIDEO_SUFFIXES))})",
        )
    beside = [path for path in sorted(root.iterdir()) if is_media(path)]
    for path in beside:
        refuse_odd_name(path)
    records += [_record(place, root, path, None, None) for path in beside]
    rows = pd.DataFrame(records)
    if group_pattern is None and rows["split"].isna().any():
        loose = rows.loc[
            rows["frame"].isna() & rows["split"].isna() & (rows["media_type"] == "image"), "path"
        ]
        refuse_frames(root, loose, "put each\n      clip's frames in a folder of its own")
    policy = "given" if rows["split"].notna().any() else "none"
    return Manifest(manifest_rows(rows, root), root, root, policy)


def _class_folders(root: Path) -> dict[tuple[str | None, int], list[Path]]:
    """Return the class folders of each split and label, and refuse any other beside them."""
    found: dict[tuple[str | None, int], list[Path]] = {}
    splits = [p for p in _folders(root) if p.name.lower() in SPLIT_FOLDERS and _holds_class(p)]
    if splits:
        _refuse_beside(root, splits)
    elif not _holds_class(root):
        return found
    for parent in splits or [root]:
        split = SPLIT_FOLDERS[parent.name.lower()] if splits else None
        for folder in _folders(parent):
            label = CLASS_FOLDERS.get(folder.name.lower())
            if label is None:
                raise LayoutError(
                    f"{folder} is neither real nor fake",
                    why=f"known names are {', '.join(CLASS_FOLDERS)}",
                    next_step="rename it, or move it out of the data's root",
                )
            found.setdefault((split, label), []).append(folder)
    return found


def _refuse_beside(root: Path, splits: list[Path]) -> None:
    """Refuse data beside the folders of splits, which would be left out without a word."""
    for folder in _folders(root):
        name = folder.name.lower()
        if folder not in splits and (name in SPLIT_FOLDERS or name in CLASS_FOLDERS):
            raise LayoutError(
                f"{folder} would be left out: it is not a split with real/ and fake/ in it, as "
                f"{', '.join(p.name for p in splits)} in {root} are",
                next_step="give it that layout, or move it out of the data's root",
            )


def _folders(parent: Path) -> list[Path]:
    return sorted(p for p in parent.iterdir() if p.is_dir() and not p.name.startswith("."))


def _holds_class(parent: Path) -> bool:
    return any(p.name.lower() in CLASS_FOLDERS for p in _folders(parent))


def is_media(path: Path) -> bool:
    """Return whether a path's name is that of a visible picture or video."""
    known = IMAGE_SUFFIXES | VIDEO_SUFFIXES
    return path.suffix.lower() in known and not path.name.startswith(".") and path.is_file()


def media_below(folder: Path) -> list[Path]:
    """Return all pictures and videos below a folder, in the order of their paths.

    Raises:
        LayoutError: a name is not UTF-8, as those in a manifest have to be.
    """
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [path for name in sorted(names) if is_media(path := Path(parent, name))]
    for path in found:
        refuse_odd_name(path)
    return found


def refuse_odd_name(path: Path) -> None:
    """Refuse a file whose name is not UTF-8.

    Raises:
        LayoutError: names it.
    """
    try:
        str(path).encode()  # Python smuggles other bytes through as surrogates, which this refuses
    except UnicodeEncodeError as error:
        raise LayoutError(
            f"{os.fsencode(path)!r}: a name that is not UTF-8 cannot stand in a manifest",
            next_step="rename the file",
        ) from error


class _Place(NamedTuple):
    """What the rows of a root have in common: it, its name, and the group pattern."""

    root: Path
    dataset: str
    pattern: str | None


def _record(
    place: _Place, folder: Path, path: Path, split: str | None, label: int | None
) -> dict[str, object]:
    root, dataset, pattern = place
    relative = PurePosixPath(path.relative_to(root).as_posix())
    inside = PurePosixPath(path.relative_to(folder).as_posix())
    is_video = path.suffix.lower() in VIDEO_SUFFIXES
    in_clip = len(inside.parts) > 1 and not is_video
    item = relative.parent if in_clip else relative.with_suffix("")
    group = inside.parent.name if in_clip else inside.stem
    if pattern is not None:
        group = matched_group(pattern, group, path)
        item = item if in_clip or is_video else relative.parent / group
    is_frame = in_clip or (group != inside.stem and not is_video)
    in_method = label == 1 and len(inside.parts) > (1 if is_video else 2)
    return {
        "path": str(relative),
        "label": label,
        "media_type": "video" if is_video else "image",
        "video_id": f"{dataset}/{item}",
        "group_id": f"{dataset}/{group}",
        "method": inside.parts[0] if in_method else None,
        "dataset": dataset,
        "split": split,
        "frame": frame_number(inside.stem) if is_frame else None,
    }


def _recognises(root: Path) -> bool:
    if not root.is_dir():
        return False
    below = (p for p in _folders(root) if p.name.lower() in SPLIT_FOLDERS)
    return _holds_class(root) or any(_holds_class(folder) for folder in below)


def _read(root: Path, options: Options) -> Found:
    manifest = read(root, group_pattern=options.group_pattern)
    if manifest is None:
        raise LayoutError(
            f"{root} holds no folders of classes",
            next_step=f"name them {', '.join(CLASS_FOLDERS)}",
        )
    return Found(manifest.with_rows(number_frames(tell_apart(manifest.rows))))


LAYOUT = Layout(
    "class_folders", "folders real/ and fake/", _recognises, _read, frozenset({"group_pattern"})
)
