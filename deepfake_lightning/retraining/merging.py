"""New items added to the data of a training: hashed, named after their parent, and apart.

Most groups of new items go to ``train``, the others into the *new slice*, which is never trained
on: which of both, a hash of the group tells, so that it is the same in the next loop. Requests
that the parent trains on with a label that was corrected since get the right one, or go. The scored
splits of the parent stay as they are, row for row. The manifest's root is a folder of links: to
what lies in the parent's root, under the same names, and to the loop's own media.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake_lightning.data.splits import identity_groups, identity_names
from deepfake_lightning.errors import DataError, StorageError
from deepfake_lightning.retraining.copies import without_copies
from deepfake_lightning.retraining.erasing import CUT, MEDIA, WHOLE
from deepfake_lightning.retraining.new_items import ITEM, REQUESTS
from deepfake_lightning.schemas import SCORED_SPLITS, Manifest, read_manifest, write_manifest

DATA, SLICE = "data/manifest.parquet", "slice/manifest.parquet"
SLICE_SPLIT = "test"
"""What the split of the new slice is called: it is scored as one."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Merged:
    """What came of it.

    Attributes:
        parent, content_hash: of the manifest that was added to, and of the new one.
        train, slice: new items of each label in ``train`` and in the new slice, ``real``, ``fake``.
        left_out: why others are in neither -> how many.
        relabelled, withdrawn: how many requests that the parent was trained on have another label
            now, and how many none.
    """

    parent: str
    content_hash: str
    train: dict[str, int]
    slice: dict[str, int]
    left_out: dict[str, int]
    relabelled: int = 0
    withdrawn: int = 0

    @property
    def new(self) -> int:
        """How many new items are trained on."""
        return sum(self.train.values())


def merge(
    rows: pd.DataFrame,
    base: Manifest,
    folder: Path,
    name: str,
    *,
    share: float,
    corrected: Mapping[str, int | None] | None = None,
    workers: int | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Merged:
    """Write ``data/manifest.parquet`` and ``slice/manifest.parquet`` below a loop's folder.

    Args:
        rows: of new items, with paths relative to ``folder``, preferred ones first.
        base: the data that they are added to.
        folder: of the loop.
        name: of the loop.
        share: of the new groups, 0 to 1, that are the new slice.
        corrected: ids of requests that ``base`` may train on -> their label now, or None.
        workers: threads; None: as many as there are cores.
        progress: told what is done, how much of it, and how much there is.

    Raises:
        DataError: the parent's scored splits would not be what they were, or most of its files are
            gone.
        StorageError: the disk refused.
    """
    parent, given = base.content_hash(), base
    base, relabelled, withdrawn = _put_right(base, corrected or {})
    fresh, left_out = without_copies(rows, folder, base, workers=workers, progress=progress)
    fresh, seen = _unseen(fresh, base, left_out)
    groups = _named(fresh, name)
    held_out = np.array([in_slice(one, share) for one in groups], bool) & ~seen
    scored = base.rows["split"].isin(SCORED_SPLITS).fillna(False).to_numpy(bool)
    there = _files_there(base)
    _check_files(base, there)
    kept = base.rows[scored | there]
    own = fresh.assign(
        path=[f"{name}/{path}" for path in fresh["path"]],
        group_id=groups, split=np.where(held_out, SLICE_SPLIT, "train"),
    )  # fmt: skip
    left_out["old ones whose files are gone"] += len(base) - len(kept)
    root = _view(folder, base, name)
    data = Manifest(pd.concat([kept, own[~held_out]], ignore_index=True), root, folder / DATA,
                    base.policy, base.extraction)  # fmt: skip
    write_manifest(data, folder / DATA, parent=parent)
    part = Manifest(own[held_out], root, folder / SLICE, "given", base.extraction)
    write_manifest(part, folder / SLICE, parent=parent)
    written = read_manifest(folder / DATA)
    _check(given, written)
    return Merged(parent, written.content_hash(), _items(own[~held_out]), _items(own[held_out]),
                  dict(+left_out), relabelled, withdrawn)  # fmt: skip


def in_slice(group: str, share: float) -> bool:
    """Return whether a group of new items is in the new slice: the same in every loop."""
    digest = hashlib.blake2b(group.encode(), digest_size=8, person=b"retrain-slice").digest()
    return (int.from_bytes(digest) >> 11) / 2**53 < share


def _put_right(base: Manifest, corrected: Mapping[str, int | None]) -> tuple[Manifest, int, int]:
    """Return what is trained on with the labels that requests have now, and how many changed."""
    rows = base.rows.copy()
    key = rows["video_id"].astype(str).str.removeprefix(ITEM)
    own = (rows["split"] == "train") & (rows["dataset"] == REQUESTS) & key.isin(set(corrected))
    now = key[own].map(corrected)
    gone = now[now.isna()]
    rows.loc[now.dropna().index, "label"] = now.dropna().astype(int)
    counts = key[now.dropna().index].nunique(), key[gone.index].nunique()
    return base.with_rows(rows.drop(index=gone.index)), *counts


def _unseen(
    rows: pd.DataFrame, base: Manifest, left_out: Counter[str]
) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Return the rows whose people stand in no scored split, and which are trained on already."""
    scored = base.rows["split"].isin(SCORED_SPLITS).fillna(False).to_numpy(bool)
    trained = (base.rows["split"] == "train").fillna(False).to_numpy(bool)
    if rows.empty:
        return rows, np.zeros(0, bool)
    component = identity_groups(rows)
    in_scored = np.isin(component, component[_stand_in(rows, base.rows[scored])])
    left_out["show people of a scored split"] += rows["video_id"][in_scored].nunique()
    in_train = np.isin(component, component[_stand_in(rows, base.rows[trained])])
    return rows[~in_scored].reset_index(drop=True), in_train[~in_scored]


def _stand_in(rows: pd.DataFrame, others: pd.DataFrame) -> NDArray[np.bool_]:
    names = set(pd.concat(identity_names(others)).dropna())
    found = np.zeros(len(rows), bool)
    for one in identity_names(rows):
        found |= one.isin(names).fillna(False).to_numpy(bool)
    return found


def _named(rows: pd.DataFrame, name: str) -> list[str]:
    """Return the group of each row: that of the first item, by name, that belongs to it."""
    if rows.empty:
        return []
    component = pd.Series(identity_groups(rows))
    # A data set's own name of a group ties its people together, and so stays.
    own = rows["group_id"].astype(str)
    return list(own.groupby(component.to_numpy()).transform("min"))


def _files_there(base: Manifest) -> NDArray[np.bool_]:
    """Return which rows of a manifest have their file: what was erased since has none."""
    there = {path: (base.root / path).exists() for path in base.rows["path"].unique()}
    return np.array([there[path] for path in base.rows["path"]], bool)


def _check_files(base: Manifest, there: NDArray[np.bool_]) -> None:
    """Refuse to train on what is left where most is gone: a disk is missing, nobody erased it."""
    gone = int((~there).sum())
    if gone > len(there) / 2:
        raise DataError(
            f"{gone:,} of the {len(there):,} files that {base.origin} lists are gone",
            why="a version that is trained on what is left would forget all else",
            next_step=f"mount the disk, or copy them back to {base.root}",
        )


def _view(folder: Path, base: Manifest, name: str) -> Path:
    """Return a folder in which the parent's media and the loop's have their names."""
    root = folder / "data"
    try:
        (root / name).mkdir(parents=True, exist_ok=True)
        for kind in (MEDIA, CUT, WHOLE):
            _link(root / name / kind, Path("..", "..", kind))
        for top in sorted({PurePosixPath(path).parts[0] for path in base.rows["path"]}):
            _link(root / top, base.root / top)
    except OSError as error:
        raise StorageError(
            f"{root} could not be written: {error.strerror or error}",
            next_step="free space or fix permissions there, then run the command again",
        ) from error
    return root


def _link(path: Path, target: Path) -> None:
    if path.is_symlink() and path.readlink() == target:
        return
    aside = path.with_name(f".{path.name}")
    aside.unlink(missing_ok=True)
    aside.symlink_to(target)
    aside.replace(path)


def _check(base: Manifest, merged: Manifest) -> None:
    """Hold the scored splits of what was written against the parent's, row for row."""

    def scored(rows: pd.DataFrame) -> pd.DataFrame:
        return rows[rows["split"].isin(SCORED_SPLITS).fillna(False)].reset_index(drop=True)

    before, after = scored(base.rows), scored(merged.rows)
    if not before.equals(after):
        raise DataError(
            f"{merged.origin}: the scored splits are not those of {base.origin}",
            why="figures of two versions could not be compared",
            next_step="restore the parent's manifest and its metadata.json",
        )


def _items(rows: pd.DataFrame) -> dict[str, int]:
    counts: Any = rows.drop_duplicates("video_id")["label"].value_counts()
    return {name: int(counts.get(label, 0)) for label, name in enumerate(("real", "fake"))}
