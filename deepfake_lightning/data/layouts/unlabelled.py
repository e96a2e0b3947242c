"""Media of which nothing is known but where they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from deepfake_lightning.media import media_kind
from deepfake_lightning.schemas import Manifest
from deepfake_lightning.schemas.manifest import COLUMNS


def unlabelled(root: Path | None, media: Sequence[Path]) -> Manifest:
    """Return a manifest of media without labels; each is an item and a group of its own.

    Args:
        root: the folder they are below, which names the data set; None for files of anywhere,
            which are of none.
        media: files.
    """
    names = [(path.relative_to(root) if root else path).as_posix() for path in media]
    dataset = (root.resolve().name or "media") if root else None
    items = [f"{dataset}/{name}" if dataset else name for name in names]  # suffix: told apart
    known = {
        "path": names,
        "media_type": [media_kind(path) for path in media],
        "video_id": items,
        "group_id": items,
        "dataset": dataset,
    }
    rows = pd.DataFrame(known, index=range(len(names)))
    for column in COLUMNS:
        if column.name not in rows:
            rows[column.name] = pd.Series(pd.NA, index=rows.index, dtype=column.dtype)
    return Manifest(rows, root or Path(), root or Path())
