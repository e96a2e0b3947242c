"""The cells of another detector's table: scores as numbers, labels as 0 and 1."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from deepfake_lightning.errors import TableError
from deepfake_lightning.evaluation.subjects.cells import as_text, cell_error
from deepfake_lightning.schemas import LABELS

SUREST = 1e-7
"""What a probability of 0 is taken for, or the smallest other one where that is smaller."""

_FAKE, _REAL = ("1", "fake"), ("0", "real")


def peer_scores(path: Path, cells: pd.Series, column: str) -> pd.Series:
    """Return scores as Float64, missing ones missing; each exactly as it is written.

    Raises:
        TableError: one is no finite number.
    """
    numbers = [_number(cell) for cell in cells]
    values = np.array([math.nan if number is None else number for number in numbers], float)
    missing = np.array([number is None for number in numbers], bool)
    wrong = pd.Series(~np.isfinite(values) & ~missing, cells.index)
    if wrong.any():
        found = str(cells[wrong].iloc[0])
        comma = ": decimals are written with a point" if "," in found else ""
        raise cell_error(
            path, wrong, column, f"is {found!r}, not a finite number{comma}",
            "correct it, or leave the cell empty where the item has no score",
        )  # fmt: skip
    scores: pd.Series = pd.Series(pd.array(values, dtype="Float64"), index=cells.index)
    return scores.mask(pd.Series(missing, cells.index))


def _number(cell: object) -> float | None:
    """Return a number, NaN for what is none, None for nothing."""
    if cell is None or cell is pd.NA or (isinstance(cell, float) and math.isnan(cell)):
        # A table's own NaN is a cell without a value; one that is written out is text in a CSV.
        return None
    text = str(cell).strip()
    if not text:
        return None
    try:
        return float("nan" if "_" in text or isinstance(cell, bool) else text)
    except ValueError:
        return math.nan


def log_odds(path: Path, scores: pd.Series, column: str) -> tuple[pd.Series, list[str]]:
    """Return probabilities as natural log-odds, and what is to be said of it.

    0 and 1 would be infinite: they become :data:`SUREST` and its complement, or the surest other
    probability where one is surer, so that the order stays.

    Raises:
        TableError: one is not in [0, 1].
    """
    outside = (~scores.between(0, 1)) & scores.notna()
    if outside.any():
        raise cell_error(
            path, outside, column, f"is {scores[outside].iloc[0]:g}, no probability",
            "say what the scores are: --columns scale=logit (log-odds of fake), or scale=rank "
            "(higher means fake, and no more)",
        )  # fmt: skip
    p = scores.to_numpy(float, na_value=np.nan)
    inner = p[(p > 0) & (p < 1)]
    low = min(SUREST, float(inner.min(initial=1.0)))
    high = max(1.0 - SUREST, float(inner.max(initial=0.0)))
    sure = int(((p == 0) | (p == 1)).sum())
    clipped = np.clip(p, low, high)
    logits = pd.array(np.log(clipped) - np.log1p(-clipped), dtype="Float64")
    notes = [f"{sure:,} scores of exactly 0 or 1 are taken for {SUREST:g} and 1 - {SUREST:g}"]
    found: pd.Series = pd.Series(logits, index=scores.index)
    return found.mask(scores.isna()), notes if sure else []


def peer_labels(
    path: Path, cells: pd.Series, column: str, fake: Collection[str], real: Collection[str]
) -> tuple[pd.Series, list[str]]:
    """Return labels, 0 and 1, empty ones missing, and what is to be said of them.

    Args:
        path: the table.
        cells: the column.
        column: its name.
        fake: the labels that mean it, in any case; none: the well-known ones.
        real: likewise.

    Raises:
        TableError: what some labels mean is not clear.
    """
    texts = as_text(cells).str.strip()
    texts = texts.mask(texts == "").str.casefold().str.replace(r"^([01])\.0+$", r"\1", regex=True)
    there = sorted(texts.dropna().unique())
    fakes, reals = _meanings(there, _folded(fake), _folded(real))
    if both := sorted(fakes & reals):
        raise _unclear(path, column, f"{both[0]!r} is said to mean both fake and real")
    unknown = [each for each in there if each not in fakes | reals]
    if unknown:
        raise _unclear(
            path, column, f"what the label {unknown[0]!r} means is not known (labels there: "
            f"{', '.join(map(repr, there[:10]))}{', ...' if len(there) > 10 else ''})",
        )  # fmt: skip
    labels = pd.Series(pd.NA, cells.index, dtype="Int64")
    labels = labels.mask(texts.isin(list(fakes)).fillna(False), LABELS["fake"])
    labels = labels.mask(texts.isin(list(reals)).fillna(False), LABELS["real"])
    none = int(labels.isna().sum())
    notes = [f"{none:,} rows have no label and are in no figure"] if none else []
    guessed = [(each, "fake") for each in sorted(fakes - _folded(fake) - set(_FAKE))]
    guessed += [(each, "real") for each in sorted(reals - _folded(real) - set(_REAL))]
    return labels, [*notes, *(f"the label {each!r} is taken for {kind}" for each, kind in guessed)]


def _folded(names: Collection[str]) -> set[str]:
    return {each.strip().casefold() for each in names}


def _meanings(there: Sequence[str], fake: set[str], real: set[str]) -> tuple[set[str], set[str]]:
    """Return which labels mean fake and real; of two labels, who knows one knows the other."""
    known = fake | real
    others = {each for each in there if each not in known}
    other = others if len(others) == 1 and len(there) > len(others) else set()
    if fake and not real:
        return fake, other or set(_REAL) - fake
    if real and not fake:
        return other or set(_FAKE) - real, real
    return fake or set(_FAKE), real or set(_REAL)


def _unclear(path: Path, column: str, fault: str) -> TableError:
    return TableError(
        f"{path}, column {column}: {fault}",
        why="an item that is taken for the wrong class falsifies every figure",
        next_step="say what they mean: --columns 'fake=FAKE|synthetic,real=REAL'; leave cells "
        "empty where it is not known",
    )
