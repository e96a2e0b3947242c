"""What a folder or file of media holds: one module per layout.

A layout is a function ``read(root, ...) -> Manifest | None`` that returns None where it
does not recognise ``root`` and raises a typed error where it does but something in it is
wrong. To add one, write a module with such a function and name it in :func:`read_media`.
"""

from __future__ import annotations

from pathlib import Path

from deepfake_lightning.data.layouts import class_folders, index_file
from deepfake_lightning.data.layouts.frame_names import number_frames, tell_apart
from deepfake_lightning.errors import LayoutError
from deepfake_lightning.schemas import Manifest, read_manifest
from deepfake_lightning.schemas.manifest import has_metadata

MANIFEST_NAMES = ("manifest.parquet", "manifest.csv")
INDEX_NAME = "index.csv"


def read_media(root: Path, *, group_pattern: str | None = None) -> Manifest:
    """Return the manifest of ``root``.

    In class folders and by an index, the frames of a clip that have no number are numbered in
    the order of their paths.

    Args:
        root: a manifest or index file (CSV, Parquet), or a folder with
            ``manifest.csv``/``.parquet``, ``index.csv``, or ``real/`` and ``fake/``
            (also below ``train/``, ``val/``, ``test/``).
        group_pattern: for class folders and an index, a regular expression whose first
            group, found in a file's name, is the person or clip the file belongs to.

    Raises:
        LayoutError: nothing is there, or nothing is recognised.
        TableError: a file, row and column that is wrong.
    """
    if not root.exists():
        raise LayoutError(f"no data: {root} does not exist", next_step=_ways_on(root))
    manifest = recognise(root, group_pattern=group_pattern)
    if manifest is None:
        raise LayoutError(
            f"no data: {root} holds no manifest, no index.csv and no real/ and fake/ folders",
            next_step=_ways_on(root),
        )
    return manifest


def recognise(root: Path, *, group_pattern: str | None = None) -> Manifest | None:
    """Return the manifest of what is there, as :func:`read_media`, or None of an unknown layout."""
    if root.is_file():
        return _read_file(root, group_pattern)
    for name in MANIFEST_NAMES:
        if (root / name).is_file():
            return read_manifest(root / name)
    if (root / INDEX_NAME).is_file():
        return _read_index(root / INDEX_NAME, group_pattern)
    manifest = class_folders.read(root, group_pattern=group_pattern)
    return manifest and manifest.with_rows(number_frames(tell_apart(manifest.rows)))


def _read_file(path: Path, group_pattern: str | None) -> Manifest:
    beside_metadata = path.name != INDEX_NAME and has_metadata(path.parent)
    is_manifest = path.name in MANIFEST_NAMES or beside_metadata
    return read_manifest(path) if is_manifest else _read_index(path, group_pattern)


def _read_index(path: Path, group_pattern: str | None) -> Manifest:
    manifest = index_file.read(path, group_pattern=group_pattern)
    return manifest.with_rows(number_frames(tell_apart(manifest.rows)))


def _ways_on(root: Path) -> str:
    return (
        "either draw demo clips with `deepfake-lightning data demo` and take out their faces with\n"
        "      `deepfake-lightning extract mlops/data/demo --out FOLDER`,\n"
        f"      or put face pictures in {root}/real and {root}/fake, and pass `--data.root FOLDER` "
        "where they are elsewhere"
    )
