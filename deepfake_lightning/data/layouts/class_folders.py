"""Plain folders: ``real/`` and ``fake/``, also below ``train/``, ``val/`` and ``test/``."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pandas as pd

from deepfake_lightning.data.layouts.frame_names import frame_number, matched_group, refuse_frames
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
    the sub-folder directly below ``fake`` is the method where it holds further folders.
    Other pictures are items of their own, and the same name under ``real`` and ``fake``
    is one group. A ``group_pattern`` names their groups instead, and the pictures of one group
    in one class folder are frames of one item.

    Raises:
        LayoutError: a folder that is neither real nor fake, videos among the pictures,
            or names that look like frames of one video while no group is given.
    """
    tops = _class_folders(root)
    if not tops:
        return None
    records = [
        record
        for (split, label), folders in tops.items()
        for folder in folders
        for record in _files(root, folder, split, label, group_pattern)
    ]
    if not records:
        raise LayoutError(
            f"no data: the class folders in {root} hold no pictures",
            next_step=f"put pictures ({', '.join(sorted(IMAGE_SUFFIXES))}) in them",
        )
    rows = pd.DataFrame(records)
    if group_pattern is None and rows["split"].isna().any():
        loose = rows.loc[rows["frame"].isna() & rows["split"].isna(), "path"]
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


def _files(
    root: Path, folder: Path, split: str | None, label: int, pattern: str | None
) -> list[dict[str, object]]:
    records = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            path = Path(parent, name)
            suffix = path.suffix.lower()
            if suffix in VIDEO_SUFFIXES:
                raise LayoutError(
                    f"{path} is a video; training takes face pictures",
                    next_step="extract face crops first, or move the videos out of this folder",
                )
            if suffix in IMAGE_SUFFIXES:
                records.append(_record(root, folder, path, split, label, pattern))
    return records


def _record(
    root: Path, folder: Path, path: Path, split: str | None, label: int, pattern: str | None
) -> dict[str, object]:
    dataset = root.resolve().name
    relative = PurePosixPath(path.relative_to(root).as_posix())
    inside = PurePosixPath(path.relative_to(folder).as_posix())
    in_clip = len(inside.parts) > 1
    item = relative.parent if in_clip else relative.with_suffix("")
    group = inside.parent.name if in_clip else inside.stem
    if pattern is not None:
        group = matched_group(pattern, group, path)
        item = item if in_clip else relative.parent / group
    is_frame = in_clip or group != inside.stem
    return {
        "path": str(relative),
        "label": label,
        "media_type": "image",
        "video_id": f"{dataset}/{item}",
        "group_id": f"{dataset}/{group}",
        "method": inside.parts[0] if label == 1 and len(inside.parts) > 2 else None,
        "dataset": dataset,
        "split": split,
        "frame": frame_number(inside.stem) if is_frame else None,
    }
