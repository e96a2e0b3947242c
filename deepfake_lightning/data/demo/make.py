"""Write the demo data set: clips or pictures, and the rows of its manifest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from deepfake_lightning.data.demo.clips import CRF, QUALITY, write_clip, write_picture
from deepfake_lightning.data.demo.recipe import LATER, METHODS, Method
from deepfake_lightning.data.demo.shoot import Clip, clips_of, clusters
from deepfake_lightning.errors import DataError
from deepfake_lightning.processes import available_cores
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
    media: Literal["videos", "pictures"] = "videos",
    methods: Sequence[str] = METHODS,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Draw, forge and write the demo data set.

    Identities come in clusters of two (the last one of three where the number
    is odd); a fake's source is of its target's cluster, so clusters are the
    groups that a split must not tear apart. Every fake is forged from the same
    drawing as the real clip of its number, then both pass the same chain.

    Args:
        out: folder to write into, ``videos/`` or ``images/``; the caller sees to
            it that it is fresh.
        identities: number of identities, at least ``MIN_IDENTITIES``.
        clips: number of real clips of each identity, and of fakes of each.
        frames: frames of each clip, at 12 per second; of a picture one is drawn.
        seed: same seed and numbers, same clips and rows on one machine, on however many cores.
        media: ``pictures`` has one frame in the place of each clip.
        methods: of forgery, of ``METHODS`` and ``LATER``, which take turns.
        progress: called with clips done and clips in all, in turn, for every clip.

    Returns:
        The rows of the manifest, one a clip, columns ``COLUMNS``; ``path`` is
        relative to ``out``. The manifest file is not written.

    Raises:
        DataError: a number is too small, or a method unknown.
    """
    _check(identities, clips, frames)
    forgeries = _known(methods)
    many = frames if media == "videos" else 1

    def made(cluster: list[int]) -> list[dict[str, Any]]:
        drawn = clips_of(cluster, clips, many, seed, forgeries)
        return [_write(out, clip, media) for clip in drawn]

    rows: list[dict[str, Any]] = []
    with (
        ThreadPoolExecutor(available_cores()) as pool,  # numpy and cv2 release the lock
        closing(pool.map(made, clusters(identities))) as by_cluster,  # type: ignore[type-var]
    ):
        for of_cluster in by_cluster:
            for row in of_cluster:
                rows.append(row)
                if progress is not None:
                    progress(len(rows), 2 * identities * clips)
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


def _known(methods: Sequence[str]) -> list[Method]:
    """Return the methods, once each is known."""
    known = {str(method): method for method in (*METHODS, *LATER)}
    unknown = [name for name in methods if name not in known]
    if unknown or not methods:
        raise DataError(
            f"There is no forging of drawn faces called {', '.join(unknown) or 'nothing'}.",
            why=f"There are {', '.join(known)}.",
            next_step="Name one or more of these, with commas between them.",
        )
    return [known[name] for name in methods]


def _write(out: Path, clip: Clip, media: Literal["videos", "pictures"]) -> dict[str, Any]:
    """Write one clip, or the picture in its place; return its manifest row."""
    moving = media == "videos"
    path = f"videos/{clip.stem}.mp4" if moving else f"images/{clip.stem}.jpg"
    if moving:
        write_clip(out / path, clip.frames)
    else:
        write_picture(out / path, clip.frames[0])
    return {
        "path": path,
        "label": clip.label,
        "media_type": "video" if moving else "image",
        "video_id": f"{DATASET}/{clip.stem}",
        "group_id": clip.group,
        "target_id": clip.target.name,
        "source_id": clip.source.name if clip.source else None,
        "method": clip.method,
        "dataset": DATASET,
        "compression": f"h264-crf{CRF}" if moving else f"jpeg-q{QUALITY}",
        "split": None,
        "licence": LICENCE,
    }
