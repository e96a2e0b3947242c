"""The manifest: one row per media item, and the record of how it came to be."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deepfake_lightning.errors import TableError
from deepfake_lightning.schemas.extraction import Extraction
from deepfake_lightning.schemas.table import (
    Column,
    and_more,
    check_table,
    first_line,
    read_table,
    write_table,
)
from deepfake_lightning.storage import write_json

LABELS = {"real": 0, "fake": 1}
SPLITS = ("train", "val", "calib", "test", "gate", "quarantine", "unused")
SCORED_SPLITS = ("val", "calib", "test", "gate")
STATUSES = ("ok", "no_face", "unreadable")
METADATA = "metadata.json"
_ODD_SPELLING = r"//|(?:^|/)\.(?:/|$)|/$"


def _path_fault(value: object) -> str | None:
    name = str(value)
    if "\\" in name:
        return f"is {value!r}: back-slashes are not POSIX separators"
    if name.startswith("/") or ".." in name.split("/"):
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
    Column("landmarks", "string"),
    Column("face_score", "Float64"),
    Column("status", "string", allowed=STATUSES),
    Column("licence", "string"),
)


class ManifestMetadata(BaseModel):
    """What ``metadata.json`` beside a manifest says about it.

    Attributes:
        schema_version: version of the manifest's schema (``schema`` in the file).
        root: folder the paths are relative to, as given when it was written; a
            relative one is relative to the manifest's own folder.
        policy: how splits were made: ``group`` (drawn, what belongs together on one side),
            ``identity`` or ``group+identity`` (drawn by person, crossing fakes set aside),
            ``official`` (as published, even where identities are shared), a protocol by its name,
            ``given`` or ``none``.
        split_seed: seed of the split, None where nothing was drawn.
        counts: rows per split and label, for the reader's eye.
        content_hash: SHA-256 over the rows.
        extraction: how the pictures were taken out of media, None where they came as they are.
        parent: content hash of the manifest that these rows were added to; None for no such one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: int = Field(default=1, alias="schema", ge=1, le=1)
    root: str = "."
    policy: str = "none"
    split_seed: int | None = None
    counts: dict[str, dict[str, int]] = {}
    content_hash: str = ""
    extraction: Extraction | None = None
    parent: str | None = None


@dataclass(frozen=True)
class Manifest:
    """Rows and the folder their paths are relative to.

    Attributes:
        rows: a table with the columns of :data:`COLUMNS`, indexed 0..n-1. ``status`` is empty for
            media to be used; an item in which no face was found, or that cannot be read, is a row
            all the same, and says so there.
        root: the folder ``path`` is relative to.
        origin: the file or folder the rows were read from, for messages.
        policy, extraction: see :class:`ManifestMetadata`.
    """

    rows: pd.DataFrame
    root: Path
    origin: Path
    policy: str = "none"
    extraction: Extraction | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def with_rows(self, rows: pd.DataFrame, policy: str | None = None) -> Manifest:
        """Return the same manifest with other rows, indexed anew, and another policy if given."""
        rows = rows.reset_index(drop=True)
        return replace(self, rows=rows, policy=policy or self.policy)

    def usable(self) -> NDArray[np.bool_]:
        """Return bool [rows]: those with something to look at."""
        return np.asarray(self.rows["status"].fillna("ok") == "ok", bool)

    def framed(self) -> NDArray[np.bool_]:
        """Return bool [rows]: the pictures that are a part of an item, a frame or a face of it.

        They have a frame number or a face track. All of one ``video_id`` are one item, of a kind
        that ``kinds`` tells; any other row is an item of its own.
        """
        rows = self.rows
        numbered = rows["frame"].notna() | rows["track_id"].notna()
        return np.asarray((rows["media_type"] == "image") & numbered, bool)

    def kinds(self) -> NDArray[np.object_]:
        """Return what each row's item is, object [rows]: ``video`` or ``image``.

        Frames of a clip are a video. Faces that were cut out of a picture have no frame number,
        and each has a track of its own: they are an image. Faces that were cut out of clips so
        need frame numbers: without them, each in a track of its own, they are taken for images.
        """
        rows, framed = self.rows, self.framed()
        seen_again = rows.duplicated(["video_id", "track_id"], keep=False)
        moving = framed & (rows["frame"].notna() | seen_again)
        clips = set(rows.loc[moving, "video_id"])
        video = (rows["media_type"] == "video") | (framed & rows["video_id"].isin(clips))
        return np.where(video, "video", rows["media_type"].astype(object))

    def items(self) -> NDArray[np.int64]:
        """Return the number of each row's item, int64 [rows]; not all numbers are in use."""
        count = len(self.rows)
        codes, _ = pd.factorize(self.rows["video_id"])
        return np.where(self.framed(), codes, np.arange(count) + count).astype(np.int64)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return rows per split and label, with ``unknown`` for no label."""
        names = {0: "real", 1: "fake", -1: "unknown"}
        labels = self.rows["label"].fillna(-1).astype(int).map(names)
        splits = self.rows["split"].fillna("unsplit").astype(str)
        result: dict[str, dict[str, int]] = {}
        for (split, label), count in sorted(Counter(zip(splits, labels, strict=True)).items()):
            result.setdefault(split, {})[label] = count
        return result

    def content_hash(self) -> str:
        """Return the SHA-256 over all rows, independent of file format and row order."""
        hashes = pd.util.hash_pandas_object(self.rows.astype("string").fillna(""), index=False)
        return hashlib.sha256(hashes.sort_values().to_numpy().tobytes()).hexdigest()


def joint_policy(policies: Iterable[str]) -> str:
    """Return the policy of splits of several origins together.

    Official splits stay so: where they leak, reports have to say it. What was drawn in different
    ways is ``given``.
    """
    found = set(policies) - {"none"}
    if "official" in found or len(found) == 1:
        return "official" if "official" in found else found.pop()
    return "given" if found else "none"


def manifest_rows(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return checked rows: declared columns, typed, no path twice per frame and track.

    Paths are normalised (``./a//b.jpg`` is ``a/b.jpg``), and rows are indexed 0..n-1.

    Args:
        frame: as :func:`~deepfake_lightning.schemas.table.read_table` returns it; its index
            counts lines below the header.
        path: where it comes from, for messages.

    Raises:
        TableError: what is wrong, with file, row and column; also an item with two labels.
    """
    rows = check_table(frame, COLUMNS, path)
    odd = rows["path"].str.contains(_ODD_SPELLING)
    rows.loc[odd, "path"] = [str(PurePosixPath(name)) for name in rows.loc[odd, "path"]]
    key = ["path", "frame", "track_id"]
    twice = rows.duplicated(key, keep="first")
    if twice.any():
        name = rows.loc[twice, "path"].iloc[0]
        group = rows.groupby(key, dropna=False).ngroup()
        first = first_line(group == group[twice].iloc[0])
        raise TableError(
            f"{path}, row {first_line(twice)}, column path: {name!r} stands in row {first} already"
            + and_more(twice, "duplicates"),
            why="a picture counted twice falsifies every figure",
            next_step="remove one of the rows",
        )
    _refuse_two_labels(rows, path)
    return rows.reset_index(drop=True)


def _refuse_two_labels(rows: pd.DataFrame, path: Path) -> None:
    """Refuse an item that is real in one row and fake in another: it has one score."""
    first = rows["label"].groupby(rows["video_id"]).transform("first")
    wrong = (rows["label"] != first).fillna(False)
    if wrong.any():
        item, label = rows.loc[wrong, ["video_id", "label"]].iloc[0]
        other = first_line((rows["video_id"] == item) & rows["label"].notna())
        raise TableError(
            f"{path}, row {first_line(wrong)}, column label: is {label} for the item {item!r}, "
            f"which has another label in row {other}{and_more(wrong, 'rows')}",
            why="the rows of one item (video_id) are scored as one",
            next_step="correct the label, or give real and fake pictures a video_id each",
        )


def has_metadata(folder: Path) -> bool:
    """Return whether the ``metadata.json`` in a folder is a manifest's and not a foreign one."""
    try:
        record: Any = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and type(record.get("schema")) is int  # and not a bool


def read_manifest(path: Path) -> Manifest:
    """Read a manifest and the ``metadata.json`` beside it (absent: schema 1, own folder).

    Raises:
        TableError: the file, row and column that is wrong, or a schema from the future.
    """
    metadata = _read_metadata(path.parent / METADATA)
    rows = manifest_rows(read_table(path), path)
    root = (path.parent / metadata.root).resolve()
    return Manifest(rows, root, path, metadata.policy, metadata.extraction)


def _read_metadata(path: Path) -> ManifestMetadata:
    if not path.exists():
        return ManifestMetadata()
    try:
        record: Any = json.loads(path.read_text(encoding="utf-8"))
        schema = record.get("schema") if isinstance(record, dict) else None
        if isinstance(schema, int) and schema > 1:
            raise TableError(
                f"{path}: schema {schema} is newer than this version reads (1)",
                next_step="upgrade deepfake-lightning",
            )
        return ManifestMetadata.model_validate(record)
    except (ValidationError, ValueError) as error:
        raise TableError(
            f"{path} is not a manifest's metadata: {error}",
            next_step="restore it, or keep the manifest and a foreign file of that name apart",
        ) from error


def write_manifest(
    manifest: Manifest,
    path: Path,
    *,
    policy: str | None = None,
    split_seed: int | None = None,
    parent: str | None = None,
) -> None:
    """Write rows (CSV or Parquet, by suffix) and ``metadata.json`` beside them, each atomically.

    Args:
        manifest: what to write.
        path: the table's file.
        policy: how the splits were made; None: as the manifest says.
        split_seed: the seed they were drawn with.
        parent: content hash of the manifest that rows were added to.

    Raises:
        TableError: the rows break the schema.
        StorageError: the disk refused.
    """
    rows = manifest_rows(manifest.rows.reset_index(drop=True), path)
    write_table(path, rows)
    root = manifest.root.resolve()
    folder = path.parent.resolve()
    metadata = ManifestMetadata(
        root=root.relative_to(folder).as_posix() if root.is_relative_to(folder) else str(root),
        policy=policy or manifest.policy,
        split_seed=split_seed,
        counts=manifest.with_rows(rows).counts(),
        content_hash=manifest.with_rows(rows).content_hash(),
        extraction=manifest.extraction,
        parent=parent,
    )
    left_out = {"parent"} if parent is None else None  # versions before this one know no such key
    record = metadata.model_dump(mode="json", by_alias=True, exclude=left_out)
    write_json(path.parent / METADATA, record)
