"""Several roots as one manifest."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from deepfake_lightning.data.layouts import celeb_df, find_layout, layout_named, unused
from deepfake_lightning.data.layouts.clip_files import folders_in
from deepfake_lightning.data.layouts.layout import Found, Layout, Options
from deepfake_lightning.data.layouts.leftovers import with_leftovers
from deepfake_lightning.errors import LayoutError, UsageError
from deepfake_lightning.schemas import Manifest
from deepfake_lightning.schemas.manifest import joint_policy

_NAMED_BY_FOLDER = frozenset({"class_folders", "index_file"})


@dataclass(frozen=True)
class Indexed:
    """One root that was read.

    Attributes:
        root: as it was given.
        layout: what it was recognised as.
        found: its rows, what was skipped and why, and notes.
    """

    root: Path
    layout: Layout
    found: Found


def index_root(
    root: Path,
    options: Options,
    *,
    layout: str | None = None,
    passing_over: Collection[str] = (),
) -> Indexed:
    """Return what a root holds, with everything that is left out.

    Args:
        root: a folder or file.
        options: what the user says about the data.
        layout: the name of its layout, instead of looking.
        passing_over: names of layouts that are not to be tried.

    Raises:
        LayoutError: it is not there, or of no layout, or of several.
        TableError: a table in it is wrong.
    """
    if not root.exists():
        raise LayoutError(f"{root} does not exist", next_step="check the path")
    chosen = layout_named(layout) if layout else find_layout(root, passing_over=passing_over)
    if chosen is None:
        raise LayoutError(f"{root} is of no known layout", next_step=_nearby(root))
    found = with_leftovers(chosen.read(root, options), root)
    notes = (*found.notes, *unused(chosen, options))
    return Indexed(root, chosen, Found(found.manifest, found.skipped, notes))


def _nearby(root: Path) -> str:
    """Return what can be named instead: folders below that are of a layout."""
    below = [folder for folder in folders_in(root) if find_layout(folder) is not None]
    if not below:
        return "sort its media into folders real/ and fake/, or write an index.csv (path,label)"
    shown = " ".join(str(folder) for folder in below[:8]) + (" ..." if len(below) > 8 else "")
    return f"name what is in it: deepfake-lightning data index {shown}"


def joined(parts: Sequence[Indexed], out: Path) -> Manifest:
    """Return one manifest of several roots, relative to the folder they are all in.

    Args:
        parts: one or more.
        out: the file it is for, its origin in messages.

    Raises:
        UsageError: two roots cannot stand in one manifest; it names them.
    """
    manifests = [part.found.manifest for part in parts]
    extractions = [manifest.extraction for manifest in manifests]
    if any(extraction != extractions[0] for extraction in extractions):
        raise UsageError(
            "the pictures of these roots were taken out of their media in different ways",
            why="one manifest records one way, and a detector would learn the difference",
            next_step="extract them anew with one command, or index them one by one",
        )
    root = Path(os.path.commonpath([manifest.root.resolve() for manifest in manifests]))
    tables = []
    for manifest in manifests:
        below = PurePosixPath(manifest.root.resolve().relative_to(root).as_posix())
        prefix = "" if below == PurePosixPath(".") else f"{below}/"
        tables.append(manifest.rows.assign(path=prefix + manifest.rows["path"]))
    _refuse_twice(tables, "path")
    _refuse_shared_names(parts)
    _refuse_twice(tables, "video_id")
    rows = pd.concat(tables, ignore_index=True)
    policy = joint_policy(manifest.policy for manifest in manifests)
    return Manifest(rows, root, out, policy, extractions[0])


def _refuse_shared_names(parts: Sequence[Indexed]) -> None:
    """Refuse data sets whose people would be mistaken for each other, or not recognised."""
    folders = [
        part.found.manifest.root.resolve().name
        for part in parts
        if part.layout.name in _NAMED_BY_FOLDER
    ]
    named = Counter(folders)
    for name, times in named.items():
        if times > 1:
            raise UsageError(
                f"{times} of the folders are called {name}",
                why="the folder names the data set, and their people would be taken for the same",
                next_step="rename one of them",
            )
    datasets = {name for part in parts for name in part.found.manifest.rows["dataset"].unique()}
    versions = sorted(datasets & set(celeb_df.VERSIONS))
    if len(versions) > 1:
        raise UsageError(
            f"{' and '.join(versions)} are versions of one data set",
            why="they share people and clips, which would stand in train and in test",
            next_step="index the newest alone",
        )


def _refuse_twice(tables: Sequence[pd.DataFrame], column: str) -> None:
    """Refuse a file, or an item, that two roots hold."""
    names = pd.concat([table[column].drop_duplicates() for table in tables])
    twice = names[names.duplicated()]
    if len(twice):
        raise UsageError(
            f"{twice.iloc[0]} is in two of the roots"
            + (f" (and {len(twice) - 1:,} more)" if len(twice) > 1 else ""),
            why="what is counted twice falsifies every figure",
            next_step="name each root once, and none inside another or a copy of another",
        )
