"""Statistics of files as columns of numbers that a linear model can be fitted on."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_MOST_WORDS, _FEWEST_OF_A_WORD = 20, 5
_FEW_VALUES = 10  # sizes and frame rates with so few values are words as well


def encoded(values: pd.Series, scale: str) -> FloatArray:
    """Return [N, columns] standardised, without any where the statistic does not vary.

    No label is looked at, so it need not be done within the folds.
    """
    if scale == "word":
        return _one_hot(values.astype("string").fillna("none"))
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64)
    there = np.isfinite(numbers)
    distinct = np.unique(numbers[there])
    if not there.any():
        return np.empty((len(values), 0))
    parts = [_one_hot(pd.Series(there.astype(str)))]
    if len(distinct) > 1:
        known = np.where(there, numbers, np.median(numbers[there]))
        known = np.log(np.maximum(known, 1e-6)) if scale == "log" else known
        parts.append(_standardised(known[:, None]))
        if 2 < len(distinct) <= _FEW_VALUES:
            parts.append(_one_hot(pd.Series(numbers).astype("string").fillna("none")))
    return np.hstack(parts)


def _one_hot(words: pd.Series) -> FloatArray:
    """Return a column for each word that is common enough; rare ones count as one another."""
    counts = words.value_counts()
    common = counts.index[:_MOST_WORDS][counts.iloc[:_MOST_WORDS] >= _FEWEST_OF_A_WORD]
    words = words.where(words.isin(common), "(rare)")
    table = pd.get_dummies(words, dtype=np.float64)
    if table.shape[1] < 2:
        return np.empty((len(words), 0))
    table = table.iloc[:, 1:] if table.shape[1] == 2 else table
    return _standardised(table.to_numpy())


def _standardised(columns: FloatArray) -> FloatArray:
    from sklearn.preprocessing import StandardScaler  # a second that other commands do without

    return np.asarray(StandardScaler().fit_transform(columns), np.float64)
