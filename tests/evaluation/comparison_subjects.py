"""Detectors of which it is known which is better, for the tests of comparisons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.schemas.predictions import predictions_rows


def subject(
    name: str, shift: float = 1.0, seed: int = 1, *, items: int = 400, **fields: Any
) -> Subject:
    """Return a detector of items in groups of four; the larger the shift the better it is.

    All detectors see the same items, hard and easy ones; each has noise of its own.
    """
    labels = np.tile([0, 1], -(-items // 2))[:items]
    shared = np.random.default_rng(0)
    hard = shared.normal(size=items) + shared.normal(size=items)[np.arange(items) // 4] / 2
    own = np.random.default_rng(seed).normal(size=items)
    return of_logits(name, shift * (2 * labels - 1) + hard + own, labels, **fields)


def of_logits(name: str, logits: Any, labels: Any, **fields: Any) -> Subject:
    kinds = ["fake" if label else "real" for label in labels]
    names = [f"{kind}/clip_{number:04d}" for number, kind in enumerate(kinds)]
    rows = {
        "schema": 1,
        "path": [f"{one}.mp4" for one in names],
        "video_id": [f"set/{one}" for one in names],
        "group_id": [f"p{number // 4}" for number in range(len(names))],
        "dataset": "set",
        "media_type": "video",
        "label": labels,
        "logit": logits,
        "status": "ok",
    }
    return Subject(name, predictions_rows(pd.DataFrame(rows), Path(name)), **fields)


def changed(one: Subject, rows: slice, **cells: Any) -> Subject:
    """Return the subject with cells of some rows changed."""
    table = one.predictions.copy()
    for column, value in cells.items():
        table.loc[table.index[rows], column] = value
    return Subject(**{**vars(one), "predictions": table})
