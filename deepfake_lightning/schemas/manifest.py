"""The manifest: one row per media item, and the record of how it came to be."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deepfake_lightning.errors import TableError
from deepfake_lightning.schemas.table import Column, check_table, read_table, write_table
from deepfake_lightning.storage import write_json

LABELS = {"real": 0, "fake": 1}
SPLITS = ("train", "val", "calib", "test", "gate", "quarantine", "unused")
SCORED_SPLITS = ("val", "calib", "test", "gate")
METADATA = "metadata.json"


def _path_fault(value: object) -> str | None:
    path = PurePosixPath(str(value))
    if "\\" in str(value):
        return f"is {value!r}: back-slashes are not POSIX separators"
    if path.is_absolute() or ".." in path.parts:
        return f"is {value!r}: paths stay below the root"
    return None


COLUMNS = (
    Column("path", "string", required=True, rule=_path_fault),
    Column("label", "Int64", allowed=(0, 1)),
    Column("media_type", "string", required=True, allowed=("image", "video")),
    Column("video_id", "string", required=True),
    Column("group_id", "string", required=True),
    Column("target_id", "string"),
    Column("source_id", "string"),
    Column("method", "string"),
    Column("dataset", "string", required=True),
    Column("compression", "string"),
    Column("split", "string", allowed=SPLITS),
    Column("frame", "Int64"),
    Column("timestamp_ms", "Int64"),
    Column("track_id", "Int64"),
    Column("box", "string"),
    Column("licence", "string"),
)


class ManifestMetadata(BaseModel):
    """What ``metadata.json`` beside a manifest says about it.

    Attributes:
        schema_version: version of the manifest's schema (``schema`` in the file).
        root: folder the paths are relative to, as given when it was written; a
            relative one is relative to the manifest's own folder.
        policy: how splits were made: ``group``, ``official`` (as published, even
            where identities are shared) or ``none``.
        split_seed: seed of the split, None where nothing was drawn.
        counts: rows per split and label, for the reader's eye.
        content_hash: SHA-256 over the rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: int = Field(default=1, alias="schema", ge=1, le=1)
    root: str = "."
    policy: str = "none"
    split_seed: int | None = None
    counts: dict[str, dict[str, int]] = {}
    content_hash: str = ""


@dataclass(frozen=True)
class Manifest:
    """Rows and the folder their paths are relative to.

    Attributes:
        rows: a table with the columns of :data:`COLUMNS`, indexed 0..n-1.
        root: the folder ``path`` is relative to.
        origin: the file or folder the rows were read from, for messages.
        policy: see :class:`ManifestMetadata`.
    """

    rows: pd.DataFrame
    root: Path
    origin: Path
    policy: str = field(default="none")

    def __len__(self) -> int:
        return len(self.rows)

    def with_rows(self, rows: pd.DataFrame) -> Manifest:
        """Return the same manifest with other rows, indexed anew."""
        return Manifest(rows.reset_index(drop=True), self.root, self.origin, self.policy)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return rows per split and label, with ``unknown`` for no label."""
        names = {0: "real", 1: "fake", -1: "unknown"}
        labels = self.rows["label"].fillna(-1).astype(int).map(names)
        table = self.rows.groupby([self.rows["split"].fillna("unsplit"), labels]).size()
        result: dict[str, dict[str, int]] = {}
        for (split, label), count in table.items():
            result.setdefault(str(split), {})[str(label)] = int(count)
        return result

    def content_hash(self) -> str:
        """Return the SHA-256 over all rows, independent of file format and row order."""
        hashes = pd.util.hash_pandas_object(self.rows.astype("string").fillna(""), index=False)
        return hashlib.sha256(hashes.sort_values().to_numpy().tobytes()).hexdigest()


def manifest_rows(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return checked rows: declared columns, typed, no path twice per frame and track.

    Raises:
        TableError: what is wrong, with file, row and column.
    """
    rows = check_table(frame.reset_index(drop=True), COLUMNS, path)
    twice = rows.duplicated(["path", "frame", "track_id"], keep="first")
    if twice.any():
        second = int(twice.to_numpy().argmax())
        name = rows["path"].iloc[second]
        first = int((rows["path"] == name).to_numpy().argmax())
        raise TableError(
            f"{path}, row {second + 2}, column path: {name!r} stands in row {first + 2} already"
            + (f" (and {int(twice.sum()) - 1} more duplicates)" if twice.sum() > 1 else ""),
            why="a picture counted twice falsifies every figure",
            next_step="remove one of the rows",
        )
    return rows


def read_manifest(path: Path) -> Manifest:
    """Read a manifest and the ``metadata.json`` beside it (absent: schema 1, own folder).

    Raises:
        TableError: the file, row and column that is wrong, or a schema from the future.
    """
    metadata = _read_metadata(path.parent / METADATA)
    rows = manifest_rows(read_table(path), path)
    root = (path.parent / metadata.root).resolve()
    return Manifest(rows, root, path, metadata.policy)


def _read_metadata(path: Path) -> ManifestMetadata:
    if not path.exists():
        return ManifestMetadata()
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if int(record.get("schema", 1)) > 1:
            raise TableError(
                f"{path}: schema {record['schema']} is newer than this version reads (1)",
                next_step="upgrade deepfake-lightning",
            )
        return ManifestMetadata.model_validate(record)
    except (ValidationError, ValueError) as error:
        raise TableError(
            f"{path} is not a manifest's metadata: {error}",
            next_step="restore it, or delete it to take its defaults",
        ) from error


def write_manifest(
    manifest: Manifest, path: Path, *, policy: str = "none", split_seed: int | None = None
) -> None:
    """Write rows (CSV or Parquet, by suffix) and ``metadata.json`` beside them, each atomically.

    Raises:
        TableError: the rows break the schema.
        StorageError: the disk refused.
    """
    rows = manifest_rows(manifest.rows, path)
    write_table(path, rows)
    root = manifest.root.resolve()
    folder = path.parent.resolve()
    metadata = ManifestMetadata(
        root=root.relative_to(folder).as_posix() if root.is_relative_to(folder) else str(root),
        policy=policy,
        split_seed=split_seed,
        counts=manifest.counts(),
        content_hash=manifest.content_hash(),
    )
    write_json(path.parent / METADATA, metadata.model_dump(mode="json", by_alias=True))
