"""A table of pictures and labels, with whatever else is known of them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pandas as pd

from deepfake_lightning.errors import TableError
from deepfake_lightning.schemas import LABELS, SPLITS, Manifest
from deepfake_lightning.schemas.manifest import manifest_rows
from deepfake_lightning.schemas.table import read_table

_SYNONYMS = {"filename": "path", "file": "path", "group": "group_id"}
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


def read(path: Path) -> Manifest:
    """Return the manifest of an index file: columns ``path`` and ``label``, the rest optional.

    ``label`` is 0/1 or real/fake (empty: unknown). ``group`` (or ``group_id``) keeps what
    belongs together on one side of a split; without it every path is its own group.
    ``split`` is taken as given. Paths are relative to the file's folder.

    Raises:
        TableError: the file, row and column that is wrong.
    """
    frame = read_table(path).rename(columns=_SYNONYMS)
    for name in ("path", "label"):
        if name not in frame.columns:
            raise TableError(
                f"{path}: missing column {name}",
                why=f"it has {', '.join(map(str, frame.columns))}",
                next_step="an index needs the columns path and label",
            )
    dataset = path.parent.resolve().name
    names = frame["path"].fillna("").astype(str)
    stems = names.map(lambda name: f"{dataset}/{PurePosixPath(name).with_suffix('')}" if name else None)
    rows = pd.DataFrame(
        {
            "path": frame["path"],
            "label": _labels(frame["label"], path),
            "media_type": "image",
            "video_id": frame["video_id"] if "video_id" in frame else stems,
            "group_id": frame["group_id"] if "group_id" in frame else stems,
            "dataset": frame["dataset"] if "dataset" in frame else dataset,
            "split": _splits(frame["split"], path) if "split" in frame else None,
        }
    )
    for name in _OPTIONAL:
        if name in frame:
            rows[name] = frame[name]
    policy = "given" if rows["split"].notna().any() else "none"
    return Manifest(manifest_rows(rows, path), path.parent, path, policy)


def _labels(values: pd.Series, path: Path) -> pd.Series:
    text = values.astype("string").str.strip().str.lower()
    known = {**LABELS, "0": 0, "1": 1, "0.0": 0, "1.0": 1}
    labels = text.map(known).astype("Int64")
    _refuse(values, text.notna() & (text != "") & labels.isna(), path, "label", "real, fake, 0, 1")
    return labels


def _splits(values: pd.Series, path: Path) -> pd.Series:
    text = values.astype("string").str.strip().str.lower().replace({"valid": "val", "validation": "val"})
    _refuse(values, text.notna() & ~text.isin(SPLITS), path, "split", ", ".join(SPLITS))
    return text


def _refuse(values: pd.Series, wrong: pd.Series, path: Path, column: str, known: str) -> None:
    wrong = wrong.fillna(False)
    if wrong.any():
        line = int(wrong.to_numpy(dtype=bool).argmax())
        raise TableError(
            f"{path}, row {line + 2}, column {column}: is {values.iloc[line]!r}"
            + (f" (and {int(wrong.sum()) - 1} more rows)" if wrong.sum() > 1 else ""),
            next_step=f"use one of {known}, or leave the cell empty",
        )
