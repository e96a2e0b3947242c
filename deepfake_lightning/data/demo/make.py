"""Write the demo data set: clips, and the rows of its manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from deepfake_lightning.data.demo.clips import CRF, write_clip
from deepfake_lightning.data.demo.shoot import Clip, clips_of, clusters
from deepfake_lightning.errors import DataError
from deepfake_lightning.schemas import manifest

DATASET, LICENCE = "demo", "CC0-1.0"
"""What its rows say in these columns: by both together it is known again."""
IDENTITIES, CLIPS, FRAMES = 24, 3, 16
"""Default numbers of identities, of real (and of fake) clips of each, of frames of a clip."""
MIN_IDENTITIES = 8
"""Fewest identities that make enough groups for three parts of a split."""

COLUMNS = tuple(column.name for column in manifest.COLUMNS)
"""Columns of the rows, in order."""


def make_demo(
    out: Path,
    *,
    identities: int = IDENTITIES,
    clips: int = CLIPS,
    frames: int = FRAMES,
    seed: int = 7,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Draw, forge and write the demo data set.

    Identities come in clusters of two (the last one of three where the number
    is odd); a fake's source is of its target's cluster, so clusters are the
    groups that a split must not tear apart. Every fake is forged from the same
    drawing as the real clip of its number, then both pass the same chain.

    Args:
        out: folder to write into, ``videos/``; the caller sees to it that it
            is fresh.
        identities: number of identities, at least ``MIN_IDENTITIES``.
        clips: number of real clips of each identity, and of fakes of each.
        frames: frames of each clip, at 12 per second.
        seed: same seed and numbers, same clips and rows on one machine.
        progress: called with clips done and clips in all after every clip.

    Returns:
        The rows of the manifest, one a clip, columns ``COLUMNS``; ``path`` is
        relative to ``out``. The manifest file is not written.

    Raises:
        DataError: if a number is too small.
    """
    _check(identities, clips, frames)
    rows: list[dict[str, Any]] = []
    total = 2 * identities * clips
    done = 0
    for cluster in clusters(identities):
        for clip in clips_of(cluster, clips, frames, seed):
            rows.append(_write(out, clip))
            done += 1
            if progress is not None:
                progress(done, total)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def is_drawn(rows: pd.DataFrame) -> bool:
    """Return whether some rows of a manifest list the drawn faces of this data set."""
    return bool(((rows["dataset"] == DATASET) & (rows["licence"] == LICENCE)).any())


def _check(identities: int, clips: int, frames: int) -> None:
    if identities < MIN_IDENTITIES:
        raise DataError(
            f"A demo data set of {identities} identities was asked for.",
            why=f"With fewer than {MIN_IDENTITIES} no split holds whole groups on all sides.",
            next_step=f"Ask for {MIN_IDENTITIES} identities or more.",
        )
    if clips < 1 or frames < 1:
        raise DataError(
            f"A demo data set of {clips} clips of {frames} frames was asked for.",
            why="Every identity needs at least one clip of at least one frame.",
            next_step="Ask for one or more of each.",
        )


def _write(out: Path, clip: Clip) -> dict[str, Any]:
    """Write one clip; return its manifest row."""
    path = f"videos/{clip.stem}.mp4"
    write_clip(out / path, clip.frames)
    return {
        "path": path,
        "label": clip.label,
        "media_type": "video",
        "video_id": f"{DATASET}/{clip.stem}",
        "group_id": clip.group,
        "target_id": clip.target.name,
        "source_id": clip.source.name if clip.source else None,
        "method": clip.method,
        "dataset": DATASET,
        "compression": f"h264-crf{CRF}",
        "split": None,
        "licence": LICENCE,
    }
