"""Labelled media that somebody put below the workspace's ``data``: which of them are new."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfake_lightning.errors import DataError
from deepfake_lightning.schemas import SCORED_SPLITS, Manifest
from deepfake_lightning.storage import Workspace

FOLDERS = ("images", "videos")
_KEPT = ("target_id", "source_id", "method", "dataset", "compression", "licence", "video_id",
         "group_id")  # fmt: skip


@dataclass(frozen=True)
class DroppedFile:
    """A labelled file.

    Attributes:
        path: where it is.
        label: 0 real, 1 fake.
        media_type: ``image`` or ``video``.
        fields: columns of the manifest that say more of it: people, data set, method, licence.
        changed_us: when it came to be there, microseconds since 1970, UTC.
    """

    path: Path
    label: int
    media_type: str
    fields: dict[str, Any]
    changed_us: int


def new_files(workspace: Workspace, since_us: int) -> list[Path]:
    """Return the media below ``data/images`` and ``data/videos`` that came after a moment.

    A file comes when it is written, moved or copied there, whatever time it carries.
    """
    from deepfake_lightning.data.layouts.class_folders import media_below

    found = [path for name in FOLDERS if (workspace.data / name).is_dir()
             for path in media_below(workspace.data / name)]  # fmt: skip
    return [path for path in found if _changed_us(path) > since_us]


def key_of(path: Path) -> str:
    """Return what a file is called among collected items: no request has such an id."""
    return f"file-{hashlib.sha256(str(path).encode()).hexdigest()[:32]}"


def dropped_files(
    workspace: Workspace,
    since_us: int,
    known: Callable[[], Collection[Path]],
    group_pattern: str | None = None,
) -> tuple[list[DroppedFile], Counter[str]]:
    """Return the labelled ones of :func:`new_files`, and why others are left out.

    Args:
        workspace: whose.
        since_us: only what came after it, microseconds since 1970, UTC.
        known: gives the files that are trained on already, resolved; asked only if there are new
            ones.
        group_pattern: as training took it.
    """
    from deepfake_lightning.data.layouts import read_media

    new = {path.resolve() for path in new_files(workspace, since_us)}
    new -= set(known()) if new else set()
    found: list[DroppedFile] = []
    left_out: Counter[str] = Counter()
    for name in FOLDERS:
        folder = workspace.data / name
        here = {path for path in new if path.is_relative_to(folder.resolve())}
        if not here:
            continue
        try:
            manifest = read_media(folder, group_pattern=group_pattern)
        except DataError as error:
            left_out[f"files whose labels cannot be told: {error.what}"] += len(here)
            continue
        taken = list(_taken(manifest, here, left_out))
        found += taken
        listed = {(manifest.root / path).resolve() for path in manifest.rows["path"]}
        left_out["files that the folder's own list does not name"] += len(here - listed)
    return found, +left_out


def _taken(
    manifest: Manifest, here: Collection[Path], left_out: Counter[str]
) -> Iterator[DroppedFile]:
    rows = manifest.rows
    plain = rows.astype(object).where(rows.notna(), None)
    for row in plain.to_dict("records"):
        path = (manifest.root / row["path"]).resolve()
        if path not in here:
            continue
        if row["label"] is None:
            left_out["files without a label"] += 1
        elif row["split"] in SCORED_SPLITS:
            left_out["files that belong to a scored split of their own"] += 1
        else:
            fields = {name: row[name] for name in _KEPT}
            yield DroppedFile(path, row["label"], row["media_type"], fields, _changed_us(path))


def _changed_us(path: Path) -> int:
    try:
        return path.stat().st_ctime_ns // 1000
    except OSError:  # it went meanwhile
        return 0
