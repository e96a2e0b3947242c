"""New media as the training's data are: face crops taken the same way, or media as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from deepfake_lightning.data.extraction import Source, extract
from deepfake_lightning.data.face_input import FaceMode
from deepfake_lightning.retraining.erasing import CUT, MEDIA, WHOLE
from deepfake_lightning.retraining.new_items import ITEM, REQUESTS, NewItem
from deepfake_lightning.retraining.taking import NO_FACE, UNREADABLE, Takes, Way
from deepfake_lightning.schemas import Extraction, Manifest, Preprocess
from deepfake_lightning.schemas.manifest import COLUMNS

Progress = Callable[[str, int, int], None]

_SAID = {"no_face": NO_FACE, "unreadable": UNREADABLE}
_MADE: tuple[tuple[Way, str], ...] = (("cut", CUT), ("whole", WHOLE))


def cut(
    items: Sequence[NewItem],
    base: Manifest,
    preprocess: Preprocess,
    folder: Path,
    *,
    face: FaceMode = "auto",
    workers: int | None = None,
    progress: Progress = lambda what, done, total: None,
) -> tuple[pd.DataFrame, Counter[str]]:
    """Return rows of new items, without a split, and why others have none.

    Where the training's pictures were extracted by this package, faces are found and cut out of
    new media as they were then. Where they are crops of unknown making, pictures that are crops are
    taken as they are, and faces are cut out of others, and of clips, as the detector cuts them.
    What was sent as a crop is never cropped again. Where the training looks for faces by itself, or
    takes whole frames, media are as they come.

    Args:
        items: whose media lie in ``folder``.
        base: the data of the training.
        preprocess: of the detector.
        folder: of the loop; crops come to lie there, too. Done again, it goes on.
        face: the training's ``data.face``.
        workers: processes; None: as many as there are cores.
        progress: told what is done, how much of it, and how much there is.

    Raises:
        StorageError: the disk refused.
    """
    takes = Takes(base, preprocess, face)
    chosen: dict[Way, list[NewItem]] = {"as_it_is": [], "cut": [], "whole": []}
    left_out: Counter[str] = Counter()
    for number, one in enumerate(items):
        progress("looking at new media", number, len(items))
        way, why_not = takes.way(one, folder / MEDIA / one.media)
        if way is None:
            left_out[why_not] += 1
        else:
            chosen[way].append(one)
    records = [_row(one, f"{MEDIA}/{one.media}") for one in chosen["as_it_is"]]
    for way, name in _MADE:
        if chosen[way]:
            how = takes.extraction(way)
            records += _made(chosen[way], how, folder, name, workers, progress, left_out)
    return pd.DataFrame(records, columns=[column.name for column in COLUMNS]), left_out


def _made(
    items: Sequence[NewItem], how: Extraction, folder: Path, name: str, workers: int | None,
    progress: Progress, left_out: Counter[str],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    sources = sorted((_source(one, folder) for one in items), key=lambda one: one.key)
    done, total = 0, len(sources)

    def advance(_: object) -> None:
        nonlocal done
        done += 1
        progress("looking for faces", done, total)

    found = extract(sources, [folder / MEDIA], folder / name, how, workers=workers, prune=True,
                    progress=advance)  # fmt: skip
    manifest = found.manifest
    for entry in found.failures:
        left_out[_SAID[entry.outcome.status]] += 1
    if manifest is not None:
        rows = manifest.rows[manifest.usable()]
        for row in rows.astype(object).where(rows.notna(), None).to_dict("records"):
            yield {**row, "path": f"{name}/{row['path']}"}


def _source(one: NewItem, folder: Path) -> Source:
    row = _row(one, "")
    fields = {name: row.get(name) for name in _FIELDS} | {"media_type": one.media_type}
    return Source(f"{REQUESTS if one.request else 'files'}/{one.key}", folder / MEDIA / one.media,
                  fields)  # fmt: skip


_FIELDS = ("label", "video_id", "group_id", "target_id", "source_id", "method", "dataset",
           "compression", "split", "licence")  # fmt: skip


def _row(one: NewItem, path: str) -> dict[str, Any]:
    known = {name: value for name, value in one.fields.items() if value is not None}
    return {
        "dataset": REQUESTS, "group_id": one.key, **known, "video_id": f"{ITEM}{one.key}",
        "path": path, "label": one.label, "media_type": one.media_type,
    }  # fmt: skip
