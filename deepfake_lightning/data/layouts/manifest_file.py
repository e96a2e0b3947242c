"""A manifest: a table that this package wrote, or one beside a manifest's ``metadata.json``."""

from __future__ import annotations

from pathlib import Path

from deepfake_lightning.data.layouts import index_file
from deepfake_lightning.data.layouts.layout import Found, Layout, Options
from deepfake_lightning.schemas import read_manifest
from deepfake_lightning.schemas.manifest import has_metadata

NAMES = ("manifest.parquet", "manifest.csv")


def table_of(root: Path) -> Path | None:
    """Return the manifest that ``root`` is, or the one in it."""
    if not root.is_file():
        return next((root / name for name in NAMES if (root / name).is_file()), None)
    beside_metadata = root.name != index_file.NAME and has_metadata(root.parent)
    is_table = root.suffix.lower() in (".csv", ".parquet")
    return root if root.name in NAMES or (is_table and beside_metadata) else None


def recognises(root: Path) -> bool:
    """Return whether there is a manifest."""
    return table_of(root) is not None


def read(root: Path, options: Options) -> Found:
    """Return the manifest as it is.

    Raises:
        TableError: the file, row and column that is wrong.
    """
    return Found(read_manifest(table_of(root) or root))


LAYOUT = Layout("manifest", "a manifest", recognises, read, is_table=True)
