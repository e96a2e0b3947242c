"""Subjects of which it is known what a report has to say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.schemas import Calibration, ItemCalibration
from deepfake_lightning.schemas.calibration import OperatingThreshold
from deepfake_lightning.schemas.predictions import predictions_rows


@pytest.fixture
def make_subject() -> Callable[..., Subject]:
    """Return a function that makes a subject of logits and labels; columns by keyword."""

    def make(logits: Any, labels: Any, *, columns: Any = None, **fields: Any) -> Subject:
        count = len(labels)
        kinds = ["fake" if label == 1 else "real" for label in labels]
        names = [f"{kind}/{number:04d}" for number, kind in enumerate(kinds)]
        missing = pd.isna(pd.Series(logits, dtype=object))
        rows = {
            "schema": 1,
            "path": [f"{name}.jpg" for name in names],
            "video_id": names,
            "group_id": [f"p{number // 2}" for number in range(count)],
            "dataset": "set",
            "media_type": "image",
            "label": pd.array(labels, dtype="Int64"),
            "logit": pd.array(logits, dtype="Float64"),
            "status": ["no_face" if lost else "ok" for lost in missing],
            **(columns or {}),
        }
        own = {name for name in rows if name.startswith("x_")}
        frame = predictions_rows(
            pd.DataFrame({k: v for k, v in rows.items() if k not in own}), Path("t")
        )
        return Subject("v1", frame.assign(**{name: rows[name] for name in own}), **fields)

    return make


@pytest.fixture
def noisy(make_subject: Callable[..., Subject]) -> Callable[..., Subject]:
    """Return a function that makes a detector of ``count`` pictures, half of them fake."""

    def make(count: int = 200, seed: int = 0, **fields: Any) -> Subject:
        labels = np.tile([0, 1], count // 2)
        logits = np.random.default_rng(seed).normal(size=count) * 2 + (2 * labels - 1) * 1.5
        return make_subject(logits, labels, **fields)

    return make


@pytest.fixture
def fitted() -> Calibration:
    """Return a calibration of pictures: temperature 2, manipulated from 1, clear below -0.5."""
    thresholds = [
        OperatingThreshold(max_fpr=0.05, threshold=1.0, tpr=0.6, false_alarms=4),
        OperatingThreshold(
            max_fpr=0.05, guarantee="confidence", confidence=0.95, threshold=1.25, tpr=0.5,
            false_alarms=1,
        ),
    ]  # fmt: skip
    return Calibration(
        image=ItemCalibration(
            temperature=2.0, indicated_from=1.0, clear_below=-0.5, items=200, reals=100, fakes=100,
            operating=thresholds[0], thresholds=tuple(thresholds), max_miss=0.05,
        )
    )  # fmt: skip
