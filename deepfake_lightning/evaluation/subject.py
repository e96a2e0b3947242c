"""What is evaluated: the scores of one detector on labelled items, and where both come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from deepfake_lightning.data.audit import Finding
from deepfake_lightning.evaluation.robustness.record import DegradedScores
from deepfake_lightning.schemas import Calibration

Scale = Literal["logit", "rank"]
"""``logit``: natural log-odds of fake, 0 decides; ``rank``: higher means fake, and no more."""


@dataclass(frozen=True)
class Subject:
    """The scores of one detector on one split, and their provenance.

    Attributes:
        name: of the detector, as reports call it: a version, a file's name.
        predictions: a checked predictions table: a row a scored face, one of every item without a
            score. It may have further columns, by which results can be broken down.
        window: frames over which scores are averaged before a track's highest mean is its score.
        calibration: from an item's logit to a verdict; the identity where there is none.
        scale: what ``logit`` is.
        model: what is known of the detector, plain JSON types; ``digest`` tells it from others.
        data: what is known of the data, plain JSON types: ``origin``, ``root`` (the folder that
            paths are relative to; none where it is not known), ``split``, ``content_hash``,
            ``split_policy``, ``looks``, ...
        notes: what a reader has to know of these scores, in sentences.
        findings: of the data's audit; None where none was made.
        is_demo: the detector was trained on drawn faces.
        degraded: scores of some of the items under degradations; None where none were made.
    """

    name: str
    predictions: pd.DataFrame
    window: int = 8
    calibration: Calibration = field(default_factory=Calibration)
    scale: Scale = "logit"
    model: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] | None = None
    is_demo: bool = False
    degraded: DegradedScores | None = None
