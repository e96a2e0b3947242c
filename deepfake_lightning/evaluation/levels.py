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
from deepfake_lightning.schemas.calibration import KINDS
from deepfake_lightning.schemas.predictions import COLUMNS

LevelName = Literal["frame", "track", "item"]
WILDEST = 1e6
"""What log-odds of detectors stay below, by far."""

LEVELS: tuple[LevelName, ...] = ("frame", "track", "item")
_OF_FACES = ("schema", "track_id", "frame", "timestamp_ms", "box", "logit", "status", "reason")
_OF_ROWS = ("path", "status", "reason", "label", "version", "bundle", "video_id")
_ONE_FOR_ALL = ("group_id", "dataset", "method", "compression", "media_type")
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
        notes: what a reader has to know of them, in sentences.
    """

    items: pd.DataFrame
    frame: Level
    track: Level
    item: Level
    notes: tuple[str, ...] = ()

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
        DataError: there is no item, one has rows of two labels, groups, data sets, methods or kinds
            of media, or a score is none.
    """
    rows = subject.predictions.reset_index(drop=True)
    if rows.empty:
        raise DataError(
            f"{subject.name}: there are no predictions", next_step="score at least one item"
        )
    code, names = pd.factorize(rows["video_id"], sort=True)
    items, notes = _items(rows, code, names)
    items["group"] = _groups(items)
    scored = np.flatnonzero((rows["status"] == "ok").to_numpy(bool))
    logit = rows["logit"].to_numpy(np.float64, na_value=np.nan)[scored]
    if subject.scale == "logit" and np.abs(logit).max(initial=0.0) > WILDEST:
        raise DataError(
            f"{subject.name}: a score of {logit[np.abs(logit).argmax()]:g} is no log-odds",
            why="probabilities and losses of it are beyond what numbers can tell apart",
            next_step="say what the scores are: --columns scale=rank (higher means fake)",
        )
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
        (*notes, *_grouping(items)),
    )


def _items(
    rows: pd.DataFrame, code: NDArray[np.int64], names: pd.Index
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return one row an item, in the order of their names, and what is to be said of them."""
    order = {status: place for place, status in enumerate(_STATUS_ORDER)}
    # The row that says most of the item comes first: a scored one, where there is one.
    best = np.argsort(rows["status"].map(order).to_numpy(np.int64), kind="stable")
    rows, code = rows.iloc[best], code[best]
    own = [name for name in rows.columns if name not in _OF_FACES]
    by_item = rows[own].groupby(code)
    items = by_item.first().reset_index(drop=True)  # the first value that is not missing
    _, first = np.unique(code, return_index=True)
    for name in ("status", "reason"):  # both of one row: a scored item has no reason
        items[name] = rows[name].iloc[first].reset_index(drop=True)
    items["label"] = _labels(rows, code, names)
    varying = [name for name in own if name not in _OF_ROWS and (by_item[name].nunique() > 1).any()]
    for name in sorted(set(varying) & set(_ONE_FOR_ALL)):
        torn = names[int(np.flatnonzero(by_item[name].nunique() > 1)[0])]
        raise _torn(name, torn)
    others = [name for name in varying if name not in _ONE_FOR_ALL]
    notes = [f"{name} differs within items: results are not broken down by it" for name in others]
    return items.drop(columns=others), tuple(notes)


def _torn(column: str, item: str) -> DataError:
    return DataError(
        f"rows of one item, {item}, have several values of {column}",
        why="an item is of one group, data set, method and kind of media",
        next_step="give all rows of an item one value, or make them separate items",
    )


def _groups(items: pd.DataFrame) -> NDArray[np.int64]:
    dataset = items["dataset"].fillna("").astype(str)
    group = ("g\t" + dataset + "\t" + items["group_id"].astype("string")).where(
        items["group_id"].notna(), "i\t" + items["video_id"].astype("string")
    )
    return np.asarray(pd.factorize(group, sort=True)[0], np.int64)


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


def _grouping(items: pd.DataFrame) -> list[str]:
    if items["group_id"].notna().any():
        return []
    return [
        "nothing says which items show the same people (group_id): each counts as a group of its"
        " own, and intervals are too narrow where people stand in several items"
    ]


def calibrated_logits(subject: Subject, items: pd.DataFrame) -> NDArray[np.float64]:
    """Return the logits of items over the temperature of their kind of media; NaN without a score.

    They are float64 [M], for the M rows of :attr:`Levels.items`. An item of unknown kind, and a
    mere ranking, stays as it is.
    """
    logit = np.array(items["logit"].to_numpy(np.float64, na_value=np.nan))
    if subject.scale == "rank":
        return logit
    kind = items["media_type"].astype("string").fillna("")
    for media_type in KINDS:
        fitted = subject.calibration.of(media_type)
        if fitted is not None:
            logit[(kind == media_type).to_numpy(bool)] /= fitted.temperature
    return logit


def extra_columns(items: pd.DataFrame) -> list[str]:
    """Return the columns that are no predictions table's own: those a user has added."""
    own = {column.name for column in COLUMNS} | {"logit", "faces", "tracks", "group"}
    return [str(name) for name in items.columns if name not in own]
