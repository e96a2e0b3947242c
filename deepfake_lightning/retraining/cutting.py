"""New media as the training's data are: face crops taken the same way, or media as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from deepfake_lightning.data.extraction import Source, extract
from deepfake_lightning.retraining.collecting import REQUESTS, NewItem
from deepfake_lightning.retraining.erasing import CUT, MEDIA
from deepfake_lightning.schemas import Extraction, Manifest, Preprocess
from deepfake_lightning.schemas.manifest import COLUMNS

Progress = Callable[[str, int, int], None]

_SAID = {"no_face": "no face was found in it", "unreadable": "cannot be read"}


def cut(
    items: Sequence[NewItem],
    base: Manifest,
    preprocess: Preprocess,
    folder: Path,
    *,
    face: str = "auto",
    workers: int | None = None,
    progress: Progress = lambda what, done, total: None,
) -> tuple[pd.DataFrame, Counter[str]]:
    """Return rows of new items, without a split, and why others have none.

    Where the training's pictures were extracted by this package, faces are found and cut out of
    all new media as they were then. Where they are crops of unknown making, new pictures are taken
    as they are, and clips are cut as the detector cuts them. Where it looks for faces by itself, or
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
    how = _extraction(base, preprocess, face)
    cut_out = [one for one in items if how is not None and _is_cut(one, base)]
    chosen = {one.key for one in cut_out}
    records = [_row(one, f"{MEDIA}/{one.media}") for one in items if one.key not in chosen]
    left_out: Counter[str] = Counter()
    if cut_out and how is not None:
        records += _crops(cut_out, how, folder, workers, progress, left_out)
    return pd.DataFrame(records, columns=[column.name for column in COLUMNS]), left_out


def _extraction(base: Manifest, preprocess: Preprocess, face: str) -> Extraction | None:
    """Return how faces are cut out; None where media are taken as they come."""
    from deepfake_lightning.data.face_input import input_kind

    if base.extraction is not None:
        return base.extraction.model_copy(update={"balance": False})
    mode: Any = face
    if input_kind(base, mode) != "crop":
        return None
    return Extraction(faces=preprocess.faces, margin=preprocess.margin,
                      sampling=preprocess.sampling, size=max(224, preprocess.size))  # fmt: skip


def _is_cut(one: NewItem, base: Manifest) -> bool:
    return base.extraction is not None or one.media_type == "video"


def _crops(
    items: Sequence[NewItem], how: Extraction, folder: Path, workers: int | None,
    progress: Progress, left_out: Counter[str],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    sources = sorted((_source(one, folder) for one in items), key=lambda one: one.key)
    done, total = 0, len(sources)

    def advance(_: object) -> None:
        nonlocal done
        done += 1
        progress("looking for faces", done, total)

    found = extract(sources, [folder / MEDIA], folder / CUT, how, workers=workers, prune=True,
                    progress=advance)  # fmt: skip
    manifest = found.manifest
    for entry in found.failures:
        left_out[_SAID[entry.outcome.status]] += 1
    if manifest is not None:
        rows = manifest.rows[manifest.usable()]
        for row in rows.astype(object).where(rows.notna(), None).to_dict("records"):
            yield {**row, "path": f"{CUT}/{row['path']}"}


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
        "dataset": REQUESTS, "group_id": one.key, **known, "video_id": f"retrain/{one.key}",
        "path": path, "label": one.label, "media_type": one.media_type,
    }  # fmt: skip
