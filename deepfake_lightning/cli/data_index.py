"""``data index``: any pile of media as one manifest."""

from __future__ import annotations

import sys
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from deepfake_lightning.cli.commands import COMMANDS
from deepfake_lightning.errors import UsageError
from deepfake_lightning.storage import Workspace

if TYPE_CHECKING:
    from deepfake_lightning.schemas import Manifest


def data_index(
    *roots: str,
    out: str | None = None,
    layout: str | None = None,
    group_pattern: str | None = None,
    splits: str | None = None,
    overwrite: bool = False,
    workspace: str | None = None,
    json: bool = False,
) -> None:
    """Write the manifest of data sets: what each file is, who is in it, and how it was made.

    Recognised are FaceForensics++, DFD, Celeb-DF (v1, v2, ++), DFDC and its preview,
    DeepfakeBench's JSON lists, folders real/ and fake/ (also below train/, val/, test/), CSV and
    Parquet tables, and the layouts of installed packages. Several data sets become one manifest.
    What is skipped is counted and named. Media are not opened.

    Args:
        roots: folders of data sets, tables and lists.
        out: the manifest, .parquet or .csv (default: data/manifest.parquet in the workspace);
            metadata.json is written beside it.
        layout: what the roots are, where looking cannot tell, such as faceforensics.
        group_pattern: for plain folders and index.csv, a regular expression whose first group
            names the person or clip in a file's name.
        splits: folder with the official split files (FaceForensics++'s train.json, val.json and
            test.json, Celeb-DF's List_of_testing_videos.txt) where they are not beside the data.
        overwrite: replace a manifest that is there.
        workspace: where the workspace is (default: mlops).
        json: print the summary as JSON.
    """
    from deepfake_lightning.cli import data_index_summary as summary
    from deepfake_lightning.data.layouts import Options
    from deepfake_lightning.data.layouts.collection import index_root, joined
    from deepfake_lightning.schemas import write_manifest

    if not roots:
        raise UsageError(
            "no data set is named", next_step="deepfake-lightning data index FOLDER [FOLDER ...]"
        )
    path = Path(out) if out else Workspace.find(workspace).data / "manifest.parquet"
    _check_out(path, overwrite)
    options = Options(group_pattern, Path(splits) if splits else None)
    console = Console(stderr=json)
    parts = []
    with console.status("reading names"):
        for root in dict.fromkeys(map(Path, roots)):
            passing_over = ("manifest",) if _is_replaced(root, path) else ()
            parts.append(index_root(root, options, layout=layout, passing_over=passing_over))
        manifest = joined(parts, path)
        write_manifest(manifest, path)
    record = summary.record(parts, manifest, path)
    record["next"] = _next(manifest, path)
    if json:
        sys.stdout.write(dumps(record) + "\n")
    else:
        summary.show(console, record)


def _check_out(path: Path, overwrite: bool) -> None:
    """Refuse a place that is no table, or that holds what must not be replaced."""
    from deepfake_lightning.schemas.manifest import METADATA, has_metadata
    from deepfake_lightning.schemas.table import SUFFIXES

    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{path} is no name of a manifest", next_step=f"end it in {' or '.join(SUFFIXES)}"
        )
    beside = path.parent / METADATA
    if beside.exists() and not has_metadata(path.parent):
        raise UsageError(
            f"{beside} is not a manifest's, and would be replaced",
            why="a manifest has a metadata.json beside it, and this one belongs to a data set",
            next_step="write the manifest elsewhere with --out FOLDER/manifest.parquet",
        )
    there = path if path.exists() else beside
    if there.exists() and not overwrite:
        raise UsageError(
            f"{there} exists already",
            why="runs refer to the manifest that they were trained on",
            next_step="pass another --out, or --overwrite true",
        )


def _is_replaced(root: Path, path: Path) -> bool:
    """Return whether the manifest in a root is the one to replace: its folders are read anew.

    That of an extraction knows what folders do not, and is read.
    """
    from deepfake_lightning.data.layouts.manifest_file import table_of
    from deepfake_lightning.schemas import read_manifest

    table = table_of(root) if root.is_dir() else None
    same = table is not None and table.resolve() == path.resolve()
    return same and read_manifest(path).extraction is None


def _next(manifest: Manifest, path: Path) -> str:
    """Return the command that comes next, of those that are there."""
    step = "split" if manifest.rows["split"].isna().any() else "audit"
    if f"data {step}" in COMMANDS:
        return f"deepfake-lightning data {step} {path}"
    if manifest.extraction is None:
        return f"deepfake-lightning extract {path} --out {path.parent / 'images'}"
    return f"deepfake-lightning fit --config configs/b0.yaml --data.root {path}"
