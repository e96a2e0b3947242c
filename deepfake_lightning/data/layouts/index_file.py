"""A table of pictures and labels, with whatever else is known of them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from posixpath import normpath, splitext

import pandas as pd

from deepfake_lightning.data.layouts.frame_names import (
    frame_number,
    matched_group,
    number_frames,
    refuse_frames,
    tell_apart,
)
from deepfake_lightning.data.layouts.layout import Found, Layout, Options
from deepfake_lightning.errors import TableError
from deepfake_lightning.media import VIDEO_SUFFIXES
from deepfake_lightning.schemas import LABELS, SPLITS, Manifest
from deepfake_lightning.schemas.manifest import manifest_rows
from deepfake_lightning.schemas.table import SUFFIXES, and_more, first_line, read_table

NAME = "index.csv"
_SYNONYMS = {"path": ("filename", "file"), "group_id": ("group",)}
_LABELS = {**LABELS, "0": 0, "1": 1, "0.0": 0, "1.0": 1}
_SPLIT_SYNONYMS = {"valid": "val", "validation": "val"}
_OPTIONAL = (
    "target_id",
    "source_id",
    "method",
    "compression",
    "frame",
    "timestamp_ms",
    "track_id",
    "licence",
)


def read(path: Path, *, group_pattern: str | None = None) -> Manifest:
    """Return the manifest of an index file: columns ``path`` and ``label``, the rest optional.

    ``label`` is 0/1 or real/fake (empty: unknown). ``group`` (or ``group_id``) keeps what
    belongs together on one side of a split; without it every path is its own group.
    ``split`` is taken as given. Paths are relative to the file's folder. A ``group_pattern``
    finds the group in each picture's name instead; the pictures of one group, folder and class
    are then frames of one item, unless ``video_id`` and ``frame`` say otherwise.

    Raises:
        TableError: the file, row and column that is wrong.
        LayoutError: names that look like frames of one clip while nothing names clips, or a
            ``group_pattern`` that finds nothing.
    """
    frame = _renamed(read_table(path), path)
    for name in ("path", "label"):
        if name not in frame.columns:
            raise TableError(
                f"{path}: missing column {name}",
                why=f"it has {', '.join(map(str, frame.columns))}",
                next_step="an index needs the columns path and label",
            )
    dataset = path.parent.resolve().name
    names = frame["path"].astype("string")
    stems = names.map(lambda name: f"{dataset}/{_plain_stem(name)}", na_action="ignore")
    rows = pd.DataFrame(
        {
            "path": frame["path"],
            "label": _labels(frame["label"], path),
            "media_type": names.map(_media_type, na_action="ignore"),
            "video_id": frame.get("video_id", stems),
            "group_id": frame.get("group_id", stems),
            "dataset": frame.get("dataset", dataset),
            "split": _splits(frame["split"], path) if "split" in frame else None,
        }
    )
    for name in _OPTIONAL:
        if name in frame:
            rows[name] = frame[name]
    rows = manifest_rows(rows, path)
    if group_pattern is not None:
        rows = _grouped(rows, path, group_pattern, frozenset(frame.columns))
    elif not {"group_id", "video_id"} & set(frame.columns) and rows["split"].isna().all():
        pictures = rows.loc[rows["media_type"] == "image", "path"]
        refuse_frames(path, pictures, "add a\n      column group")
    policy = "given" if rows["split"].notna().any() else "none"
    return Manifest(rows, path.parent, path, policy)


def _grouped(rows: pd.DataFrame, path: Path, pattern: str, given: frozenset[str]) -> pd.DataFrame:
    """Return the rows with groups, and items and frames where not given, as names tell them.

    A video is an item of its own, whoever is in it.
    """
    is_video = rows["media_type"] == "video"
    names = rows["path"].map(PurePosixPath)
    groups = names.map(lambda name: matched_group(pattern, name.stem, path.parent / name))
    found: dict[str, pd.Series] = {"group_id": rows["dataset"] + "/" + groups}
    if "video_id" not in given:
        classes = rows["label"].map({value: name for name, value in LABELS.items()})
        folders = names.map(lambda name: str(name.parent))
        items = rows["dataset"] + "/" + folders + "/" + classes.fillna("unknown") + "/" + groups
        found["video_id"] = rows["video_id"].where(is_video, items)
    if "frame" not in given:
        stems = names.map(lambda name: name.stem)
        numbers = stems.where((stems != groups) & ~is_video).map(frame_number, na_action="ignore")
        found["frame"] = numbers.astype("Int64")
    return rows.assign(**found)


def _renamed(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the frame with our names of columns; an empty group is refused under its own name."""
    for name, synonyms in _SYNONYMS.items():
        given = next((synonym for synonym in synonyms if synonym in frame.columns), None)
        if name in frame.columns or given is None:
            continue
        empty = frame[given].isna()
        if empty.any():
            raise TableError(
                f"{path}, row {first_line(empty)}, column {given}: is empty"
                + and_more(empty, "rows"),
                next_step="fill it in",
            )
        frame = frame.rename(columns={given: name})
    return frame


def _plain_stem(name: str) -> str:
    """Return a path without its suffix, and without ``./`` and ``//``."""
    # pathlib takes ten times as long, which counts in a table of a million rows.
    return splitext(normpath(name))[0]


def _media_type(name: str) -> str:
    return "video" if splitext(name)[1].lower() in VIDEO_SUFFIXES else "image"


def _labels(values: pd.Series, path: Path) -> pd.Series:
    text = values.astype("string").str.strip().str.lower().replace({"": pd.NA})
    labels = text.map(_LABELS).astype("Int64")
    _refuse(values, text.notna() & labels.isna(), path, "label", "real, fake, 0, 1")
    return labels


def _splits(values: pd.Series, path: Path) -> pd.Series:
    text = values.astype("string").str.strip().str.lower()
    text = text.replace({"": pd.NA}).replace(_SPLIT_SYNONYMS)
    _refuse(values, text.notna() & ~text.isin(SPLITS), path, "split", ", ".join(SPLITS))
    return text


def _refuse(values: pd.Series, wrong: pd.Series, path: Path, column: str, known: str) -> None:
    wrong = wrong.fillna(False)
    if wrong.any():
        raise TableError(
            f"{path}, row {first_line(wrong)}, column {column}: "
            f"is {values[wrong].iloc[0]!r}{and_more(wrong, 'rows')}",
            next_step=f"use one of {known}, or leave the cell empty",
        )


def _recognises(root: Path) -> bool:
    # A table that is named is always read, so that its faults are named and not its layout.
    return root.suffix.lower() in SUFFIXES if root.is_file() else (root / NAME).is_file()


def _read(root: Path, options: Options) -> Found:
    path = root if root.is_file() else root / NAME
    manifest = read(path, group_pattern=options.group_pattern)
    return Found(manifest.with_rows(number_frames(tell_apart(manifest.rows))))


LAYOUT = Layout(
    "index_file", "an index file", _recognises, _read, frozenset({"group_pattern"}), is_table=True
)
