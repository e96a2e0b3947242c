"""Which new items are copies of what is trained on already, or of each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake_lightning.data.audit.fingerprints import WORDS, fingerprint, near_pairs
from deepfake_lightning.data.audit.measure import measure_files
from deepfake_lightning.data.splits.identities import components
from deepfake_lightning.errors import DataError
from deepfake_lightning.media import read_image
from deepfake_lightning.processes import count_workers
from deepfake_lightning.schemas import Manifest

Progress = Callable[[str, int, int], None]


def without_copies(
    rows: pd.DataFrame,
    root: Path,
    base: Manifest,
    *,
    workers: int | None = None,
    progress: Progress = lambda what, done, total: None,
) -> tuple[pd.DataFrame, Counter[str]]:
    """Return the rows of items that are new, and why others are not.

    An item is a copy where one of its pictures looks the same as one of another's
    (``data.audit.fingerprints``). Of new items that are copies of each other the first is kept, if
    their labels agree, and else none.

    Args:
        rows: of new items, in the order in which they are preferred.
        root: the folder their paths are relative to.
        base: the data that they are to be added to.
        workers: threads; None: as many as there are cores.
        progress: told what is done, how much of it, and how much there is.
    """
    own, seen = _fingerprints(rows, root, workers, "looking at new media", progress)
    usable = base.rows[base.usable()].drop_duplicates("path")
    others, known = _fingerprints(usable, base.root, workers, "looking for copies", progress)
    items, _ = pd.factorize(rows["video_id"])
    left_out: Counter[str] = Counter()
    blank = _some(items, ~seen, all_of=True)
    left_out["show next to nothing"] += len(blank)
    rowed = np.flatnonzero(seen)
    near = near_pairs(own[rowed], others[known])
    copies = set(items[rowed[near[:, 0]]].tolist())
    left_out["copies of what is trained on"] += len(copies)
    dropped = blank | copies
    dropped |= _among(items, own, rowed, rows, dropped, left_out)
    kept = ~np.isin(items, sorted(dropped)) & seen
    return rows[kept].reset_index(drop=True), +left_out


def _among(
    items: NDArray[np.int64], own: NDArray[np.uint64], rowed: NDArray[np.int64],
    rows: pd.DataFrame, dropped: set[int], left_out: Counter[str],
) -> set[int]:  # fmt: skip
    """Return the items that are copies of others which are kept, or that contradict theirs."""
    near = near_pairs(own[rowed], own[rowed])
    left, right = items[rowed[near[:, 0]]], items[rowed[near[:, 1]]]
    apart = (left != right) & ~np.isin(left, sorted(dropped)) & ~np.isin(right, sorted(dropped))
    if not apart.any():
        return set()
    number = int(items.max()) + 1
    cluster = components(number, (left[apart], right[apart]))
    labels = rows.groupby(items)["label"].first()
    found: set[int] = set()
    for members in pd.Series(np.arange(number)).groupby(cluster):
        of_it = [one for one in members[1].tolist() if one not in dropped]
        if len(of_it) < 2:
            continue
        agree = labels.loc[of_it].nunique() == 1
        gone = of_it[1:] if agree else of_it
        left_out["copies of other new items" if agree else "copies of each other whose labels"
                 " contradict each other"] += len(gone)  # fmt: skip
        found |= set(gone)
    return found


def _some(items: NDArray[np.int64], marked: NDArray[np.bool_], *, all_of: bool) -> set[int]:
    found = pd.Series(marked).groupby(items)
    chosen = found.all() if all_of else found.any()
    return set(chosen[chosen].index.tolist())


def _fingerprints(
    rows: pd.DataFrame, root: Path, workers: int | None, what: str, progress: Progress
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Return uint64 [N, 4] and whether there is one, bool [N], of each row's file."""
    paths = [root / path for path in rows["path"]]
    videos = (rows["media_type"] == "video").to_numpy(bool)
    found = np.zeros((len(paths), WORDS), np.uint64)
    seen = np.zeros(len(paths), bool)
    with ThreadPoolExecutor(count_workers(workers, 1.0)) as pool:  # cv2 releases the lock
        prints = pool.map(_fingerprint, paths, videos.tolist())
        for place, one in enumerate(prints):
            if one is not None:
                found[place], seen[place] = one, True
            if place % 100 == 0:
                progress(what, place, len(paths))
    return found, seen


def _fingerprint(path: Path, is_video: bool) -> NDArray[np.uint64] | None:
    if is_video:
        return measure_files(([path], True))[0].fingerprint
    try:
        image = read_image(path)
    except (DataError, OSError):
        return None
    return fingerprint(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8))
