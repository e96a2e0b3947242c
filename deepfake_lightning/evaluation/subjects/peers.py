"""The scores of any other detector: a table of items and scores, read as a predictions table."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from deepfake_lightning.errors import TableError
from deepfake_lightning.evaluation.subject import Scale
from deepfake_lightning.evaluation.subjects.cells import (
    RESERVED,
    as_text,
    cell_error,
    read_cells,
    scalars,
)
from deepfake_lightning.evaluation.subjects.peer_columns import (
    PeerColumns,
    PeerScale,
    mapped_columns,
)
from deepfake_lightning.evaluation.subjects.peer_values import log_odds, peer_labels, peer_scores
from deepfake_lightning.schemas.predictions import predictions_rows

__all__ = ["PeerColumns", "PeerTable", "read_peer"]

_SCALE_OF: dict[str, PeerScale] = {
    "prob": "probability", "probability": "probability", "logit": "logit",
}  # fmt: skip
# Column of a mapping -> column of a predictions table.
_TEXTS = {"group": "group_id", "method": "method", "dataset": "dataset",
          "compression": "compression", "media_type": "media_type"}  # fmt: skip
_NUMBERS = {"track": "track_id", "frame": "frame"}


class PeerTable(NamedTuple):
    """A table of another detector.

    Attributes:
        rows: a checked predictions table, and the columns that are not mapped, as they are.
        notes: what a reader has to know of it, in sentences.
        scale: what its ``logit`` is.
    """

    rows: pd.DataFrame
    notes: list[str]
    scale: Scale


def read_peer(
    path: Path, columns: PeerColumns | None = None, frame: pd.DataFrame | None = None
) -> PeerTable:
    """Read the scores of another detector (CSV, Parquet, or JSON: a list of rows).

    Probabilities become natural log-odds. A row without a score is an item without one.

    Args:
        path: the table.
        columns: which hold what; id, score and label are found by well-known names as well.
        frame: its cells, where they have been read.

    Raises:
        TableError: the file, row and column that is wrong.
    """
    frame = read_cells(path) if frame is None else frame
    mapped, notes = mapped_columns(path, list(frame.columns), columns or PeerColumns())
    assert mapped.id is not None and mapped.score is not None
    if frame.empty:
        raise TableError(f"{path} has no rows", next_step="write a row for each scored item")
    scores = peer_scores(path, frame[mapped.score], mapped.score)
    scale, logits, more = _scaled(path, mapped, scores)
    notes += more
    lost = logits.isna()
    if lost.any():
        notes.append(f"{int(lost.sum()):,} rows have no score: they count as unreadable")
    rows = _known(path, frame, mapped)
    if mapped.label is not None:
        rows["label"], more = peer_labels(
            path, frame[mapped.label], mapped.label, mapped.fake, mapped.real
        )
        notes += more
    rows["logit"] = logits
    rows["status"] = pd.Series("ok", frame.index).where(~lost, "unreadable")
    rows["reason"] = pd.Series(pd.NA, frame.index, dtype="string").mask(
        lost, f"{path.name} has no score"
    )
    checked = predictions_rows(rows, path)
    _refuse_twice(path, rows, mapped)
    return PeerTable(*_with_others(checked, frame, mapped, notes), scale)


def _scaled(
    path: Path, mapped: PeerColumns, scores: pd.Series
) -> tuple[Scale, pd.Series, list[str]]:
    """Return the scale of the table to be, its logits, and what was done to the scores."""
    column = str(mapped.score)
    scale, notes = mapped.scale, []
    if scale is None:
        inside = bool(scores.dropna().between(0, 1).all())
        scale = _SCALE_OF.get(column) or ("probability" if inside else "rank")
        meaning = {"logit": "log-odds", "probability": "probabilities of fake",
                   "rank": "numbers that only rank: higher means fake"}[scale]  # fmt: skip
        notes.append(f"the scores in {column} are taken for {meaning}")
    if scale != "probability":
        return scale, scores, notes
    logits, more = log_odds(path, scores, column)
    return "logit", logits, [*notes, *more]


def _known(path: Path, frame: pd.DataFrame, mapped: PeerColumns) -> pd.DataFrame:
    """Return the columns of a predictions table that say what a row is of."""
    names = as_text(frame[str(mapped.id)])
    empty = names.isna() | (names.str.strip() == "").fillna(False)
    if empty.any():
        raise cell_error(path, empty, str(mapped.id), "is empty", "name the item of each score")
    rows = pd.DataFrame({"schema": 1, "video_id": names, "path": names}, index=frame.index)
    held = mapped.named()
    for name, own in _TEXTS.items():
        if name in held:
            rows[own] = as_text(frame[held[name]])
    for name, own in _NUMBERS.items():
        if name in held:
            numbers = pd.to_numeric(as_text(frame[held[name]]), errors="coerce").astype("Float64")
            wrong = frame[held[name]].notna() & (numbers.isna() | (numbers != numbers.round()))
            if wrong.any():
                found = as_text(frame[held[name]])[wrong].iloc[0]
                raise cell_error(path, wrong, held[name], f"is {found!r}", "write whole numbers")
            rows[own] = numbers
    return rows


def _refuse_twice(path: Path, rows: pd.DataFrame, mapped: PeerColumns) -> None:
    keys = ["video_id", *(own for own in _NUMBERS.values() if own in rows)]
    twice = rows.duplicated(keys)
    if twice.any():
        name = rows.loc[twice, "video_id"].iloc[0]
        raise cell_error(
            path, twice, str(mapped.id), f"{name!r} has a score already",
            "remove one row, or say what tells them apart: --columns frame=COLUMN,track=COLUMN",
            "an item that counts twice falsifies every figure",
        )  # fmt: skip


def _with_others(
    rows: pd.DataFrame, frame: pd.DataFrame, mapped: PeerColumns, notes: list[str]
) -> tuple[pd.DataFrame, list[str]]:
    """Return rows with the columns that are not mapped, under names that mean nothing else."""
    used = set(mapped.named().values())
    others: dict[str, pd.Series] = {}
    for name in (name for name in frame.columns if name not in used):
        own = name
        while own in RESERVED or own in others or (own != name and own in frame.columns):
            own = f"their_{own}"
        if own != name:
            notes.append(f"the column {name} is not used, and is called {own} here")
        others[own] = scalars(frame[name]).reset_index(drop=True)
    return pd.concat([rows, pd.DataFrame(others, index=rows.index)], axis=1), notes
