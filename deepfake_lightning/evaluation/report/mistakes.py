"""The items that a detector got most wrong, and, where asked for, what their faces look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake_lightning.errors import MediaError
from deepfake_lightning.evaluation.levels import Levels
from deepfake_lightning.evaluation.report.decisions import Decided
from deepfake_lightning.evaluation.report.record import Mistake
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.inference.verdicts import probability
from deepfake_lightning.media import media_kind, open_video, read_image

SIDE = 192
"""Longer side of a picture in a page, pixels."""

_QUALITY = 85


def worst_mistakes(
    subject: Subject, levels: Levels, decided: Decided, most: int
) -> tuple[Mistake, ...]:
    """Return the reals with the highest and the fakes with the lowest scores, half each.

    Of what is called right none is listed: a detector without mistakes has none. Where scores only
    rank, the reals above the median of the fakes and the fakes below that of the reals are.
    """
    level, items = levels.item, levels.items
    value = decided.calibrated[level.item]
    fake = level.label == 1
    if decided.decides:
        wrong = decided.called[level.item] != fake
    else:
        middles = [np.median(value[of]) if of.any() else np.nan for of in (~fake, fake)]
        wrong = np.where(fake, value < middles[0], value > middles[1])
    found = []
    for of, sign in ((~fake, -1.0), (fake, 1.0)):
        places = np.flatnonzero(of & wrong)
        order = np.argsort(sign * value[places], kind="stable")[: max(most // 2, 0)]
        found += [_mistake(subject, items, decided, int(level.item[p])) for p in places[order]]
    return tuple(found)


def _mistake(subject: Subject, items: pd.DataFrame, decided: Decided, item: int) -> Mistake:
    row = items.iloc[item]
    rows = subject.predictions
    faces = rows[(rows["video_id"] == row["video_id"]) & (rows["status"] == "ok")]
    highest = faces.loc[faces["logit"].astype(float).idxmax()]
    return Mistake(
        item=str(row["video_id"]),
        path=str(highest["path"]),
        label=int(row["label"]),
        probability=probability(float(decided.calibrated[item])) if decided.decides else None,
        score=float(row["logit"]),
        verdict=decided.verdict[item],
        method=_known(row["method"]),
        dataset=_known(row["dataset"]),
        frame=None if pd.isna(highest["frame"]) else int(highest["frame"]),
        track=None if pd.isna(highest["track_id"]) else int(highest["track_id"]),
    )


def _known(value: object) -> str | None:
    return None if pd.isna(value) else str(value)


def with_pictures(mistakes: Sequence[Mistake], subject: Subject) -> tuple[Mistake, ...]:
    """Return the mistakes with a picture each, where the media are still there.

    Args:
        mistakes: of the subject.
        subject: its ``data["root"]`` is the folder that paths are relative to; where it is not
            known, as of tables, there are no pictures: a stranger's table opens no files here.
    """
    if not subject.data.get("root"):
        return tuple(mistakes)
    root = Path(str(subject.data["root"]))
    return tuple(replace(one, picture=_picture(root / one.path, one, subject)) for one in mistakes)


def _picture(path: Path, one: Mistake, subject: Subject) -> bytes | None:
    try:
        image = _frame(path, one.frame)
    except MediaError:
        return None
    if (box := _box(subject.predictions, one)) is not None:
        image = _around(image, box)
    scale = SIDE / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    return bytes(data) if done else None


def _frame(path: Path, number: int | None) -> NDArray[np.uint8]:
    if media_kind(path) == "image":
        return read_image(path)
    with open_video(path) as video:
        frames = list(video.read(np.array([number or 0], np.int64)))
    if not frames:
        raise MediaError(f"{path} has no frame {number or 0}")
    return frames[0].image


def _box(rows: pd.DataFrame, one: Mistake) -> NDArray[np.float64] | None:
    """Return x, y, width and height of the face, in pixels; None for a whole picture."""
    chosen = rows["video_id"] == one.item
    for name, value in (("frame", one.frame), ("track_id", one.track)):
        chosen &= rows[name].isna() if value is None else (rows[name] == value).fillna(False)
    boxes = rows.loc[chosen, "box"].dropna()
    if boxes.empty:
        return None
    try:
        numbers = np.asarray(str(boxes.iloc[0]).split(","), np.float64)
    except ValueError:
        return None
    return numbers if numbers.shape == (4,) and np.isfinite(numbers).all() else None


def _around(image: NDArray[np.uint8], box: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the face with some of its surroundings."""
    height, width = image.shape[:2]
    start, size = box[:2], box[2:]
    left, top = np.floor(np.maximum(start - size / 4, 0)).astype(int)
    right, bottom = np.ceil(np.minimum(start + 1.25 * size, [width, height])).astype(int)
    cut = image[top:bottom, left:right]
    return cut if cut.size else image
