"""From a predictions table to what is measured: frames, tracks and items, each with its group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake_lightning.errors import DataError
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.metrics import item_scores
from deepfake_lightning.schemas.predictions import COLUMNS

LevelName = Literal["frame", "track", "item"]
LEVELS: tuple[LevelName, ...] = ("frame", "track", "item")
_OF_FACES = ("schema", "track_id", "frame", "timestamp_ms", "box", "logit", "status", "reason")
_STATUS_ORDER = ("ok", "no_face", "unreadable")


@dataclass(frozen=True)
class Level:
    """The scored, labelled samples of one level, N of them.

    Attributes:
        logit: float64 [N].
        label: int64 [N], 0 real, 1 fake.
        group: int64 [N]; samples of one group (the same people) are not independent.
        item: int64 [N], the row of :attr:`Levels.items` that a sample belongs to.
    """

    logit: NDArray[np.float64]
    label: NDArray[np.int64]
    group: NDArray[np.int64]
    item: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.logit)

    def select(self, chosen: NDArray[Any]) -> Level:
        """Return the samples that a mask or positions choose."""
        return Level(self.logit[chosen], self.label[chosen], self.group[chosen], self.item[chosen])


@dataclass(frozen=True)
class Levels:
    """A predictions table at its three levels.

    Attributes:
        items: one row an item, also of those without a score: the columns of the predictions
            table that are an item's (``video_id``, ``path``, ``label``, ``method``, ...) and
            ``status``, ``reason``, ``logit``, ``faces``, ``tracks``, ``group`` (int64).
        frame, track, item: the samples with a score and a label.
    """

    items: pd.DataFrame
    frame: Level
    track: Level
    item: Level

    def of(self, name: LevelName) -> Level:
        """Return a level by name."""
        level: Level = getattr(self, name)
        return level


def levels_of(subject: Subject) -> Levels:
    """Return the levels of a subject's predictions.

    A frame is a scored face in a frame; a track's logit is the highest mean over ``window``
    consecutive frames, an item's the highest of its tracks. Groups are those of ``group_id``
    within a data set; an item without one is a group of its own.

    Raises:
        DataError: an item has rows of two labels, or there is no item.
    """
    rows = subject.predictions.reset_index(drop=True)
    if rows.empty:
        raise DataError(
            f"{subject.name}: there are no predictions", next_step="score at least one item"
        )
    code, names = pd.factorize(rows["video_id"], sort=True)
    items = _items(rows, code, names)
    scored = np.flatnonzero((rows["status"] == "ok").to_numpy(bool))
    logit = rows["logit"].to_numpy(np.float64, na_value=np.nan)[scored]
    item = code[scored].astype(np.int64)
    track = rows["track_id"].fillna(-1).to_numpy(np.int64)[scored]
    frame = rows["frame"].fillna(-1).to_numpy(np.int64)[scored]
    keys, place = np.unique(np.stack([item, track]), axis=1, return_inverse=True)
    place = place.reshape(-1)
    _, track_logit = item_scores(logit, place, np.zeros_like(place), frame, subject.window)
    ids, item_logit = item_scores(logit, item, track, frame, subject.window)
    count = len(items)
    items["logit"] = pd.array([None] * count, dtype="Float64")
    items.loc[ids, "logit"] = item_logit
    items["faces"] = np.bincount(item, minlength=count)
    items["tracks"] = np.bincount(keys[0].astype(np.int64), minlength=count)
    return Levels(
        items,
        _level(items, logit, item),
        _level(items, track_logit, keys[0].astype(np.int64)),
        _level(items, item_logit, ids.astype(np.int64)),
    )


def _items(rows: pd.DataFrame, code: NDArray[np.int64], names: pd.Index) -> pd.DataFrame:
    """Return one row an item, in the order of their names: what is known of it, and its status."""
    order = {status: place for place, status in enumerate(_STATUS_ORDER)}
    best = rows["status"].map(order).to_numpy(np.int64)
    # The row that says most of the item comes first: a scored one, where there is one.
    first = pd.Series(best).groupby(code).idxmin().to_numpy()
    own = [name for name in rows.columns if name not in _OF_FACES or name in ("status", "reason")]
    items = rows.loc[first, own].reset_index(drop=True)
    items["label"] = _labels(rows, code, names)
    dataset = items["dataset"].fillna("").astype(str)
    alone = items["group_id"].isna()
    group = ("g\t" + dataset + "\t" + items["group_id"].astype("string")).where(
        ~alone, "i\t" + items["video_id"].astype("string")
    )
    items["group"] = pd.factorize(group, sort=True)[0].astype(np.int64)
    return items


def _labels(rows: pd.DataFrame, code: NDArray[np.int64], names: pd.Index) -> pd.Series:
    known = rows["label"].groupby(code)
    low, high = known.min(), known.max()
    torn = (low != high).fillna(False)
    if torn.any():
        raise DataError(
            f"{int(torn.sum())} of {len(names)} items have rows of two labels, the first is"
            f" {names[int(np.flatnonzero(torn)[0])]}",
            why="an item is measured as real or as fake, not both",
            next_step="give all rows of an item one label, or make them separate items",
        )
    return low.astype("Int64").reset_index(drop=True)


def _level(items: pd.DataFrame, logit: NDArray[np.float64], item: NDArray[np.int64]) -> Level:
    label = items["label"].fillna(-1).to_numpy(np.int64)[item]
    known = label >= 0
    group = items["group"].to_numpy(np.int64)[item]
    return Level(logit[known], label[known], group[known], item[known])


def extra_columns(items: pd.DataFrame) -> list[str]:
    """Return the columns that are no predictions table's own: those a user has added."""
    own = {column.name for column in COLUMNS} | {"logit", "faces", "tracks", "group"}
    return [str(name) for name in items.columns if name not in own]
