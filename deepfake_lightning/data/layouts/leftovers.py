"""What lies below a root and is in no row, and what rows name and is not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from deepfake_lightning.data.layouts.layout import Found
from deepfake_lightning.errors import LayoutError
from deepfake_lightning.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES

_ABSENT = "named in a table, and not there"


def with_leftovers(found: Found, root: Path) -> Found:
    """Return what was found with every other file below ``root`` among the skipped.

    Rows whose file is not there go, too, but for those of items that an extraction has found no
    face in, or could not read: they have no picture.

    Raises:
        LayoutError: no row is left.
    """
    if root.is_dir():
        there = _files_below(root)
        base = os.path.relpath(root.resolve(), found.manifest.root.resolve())
        prefix = "" if base == "." else f"{base}/"
    else:
        there, prefix = [], ""
    found = _without_absent(found, {prefix + name for name in there})
    used = set(found.manifest.rows["path"])
    skipped = dict(found.skipped)
    for name in there:
        if name not in skipped and prefix + name not in used:
            skipped[name] = _reason(name)
    return replace(found, skipped=skipped)


def _without_absent(found: Found, there: set[str]) -> Found:
    """Return the rows that have a file; folders that are linked to are looked into as well."""
    manifest = found.manifest
    paths = manifest.rows["path"]
    lost = ~paths.isin(there).to_numpy(bool) & manifest.usable()
    places = np.flatnonzero(lost)
    present = [(manifest.root / path).is_file() for path in paths.iloc[places]]
    lost[places[np.array(present, bool)]] = False
    if not lost.any():
        return found
    absent = paths[lost]
    if lost.all():
        raise LayoutError(
            f"none of the {len(absent):,} files that {manifest.origin} names are there",
            why=f"the first is {manifest.root / absent.iloc[0]}",
            next_step="put the table into the folder that its paths begin in",
        )
    skipped = {**found.skipped, **dict.fromkeys(absent, _ABSENT)}
    return replace(found, manifest=manifest.with_rows(manifest.rows[~lost]), skipped=skipped)


def _files_below(root: Path) -> list[str]:
    return sorted(_walk(str(root), ""))


def _walk(folder: str, prefix: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, f"{prefix}{entry.name}/")
            elif not entry.is_dir():
                yield prefix + entry.name


def _reason(name: str) -> str:
    if any(part.startswith(".") for part in name.split("/")):
        return "hidden"
    if os.path.splitext(name)[1].lower() not in IMAGE_SUFFIXES | VIDEO_SUFFIXES:  # noqa: PTH122
        return "neither a picture nor a video"
    return "where this layout has no media"
