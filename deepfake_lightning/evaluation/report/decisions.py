"""What becomes of each item: its calibrated score, and whether it is called manipulated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake_lightning.evaluation.levels import Levels, calibrated_logits
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.inference.verdicts import verdict
from deepfake_lightning.schemas import ItemCalibration
from deepfake_lightning.schemas.calibration import KINDS, MediaType


@dataclass(frozen=True)
class Decided:
    """The items of an evaluation, decided as production would.

    Attributes:
        kind: [items] kind of media, None where it is not known.
        fitted: the calibration of each kind that has one.
        calibrated: float64 [items], log-odds over the temperature; NaN without a score. Where
            scores only rank, the scores.
        called: bool [items], called manipulated: from the operating threshold on, or from
            probability 0.5 where nothing was fitted; all False where scores only rank.
        floor: float64 [items], the calibrated log-odds from which on that is so.
        verdict: [items] what users are told; None without a calibration.
        decides: whether anything is decided at all: scores that only rank have no threshold.
    """

    kind: NDArray[np.object_]
    fitted: dict[MediaType, ItemCalibration]
    calibrated: NDArray[np.float64]
    called: NDArray[np.bool_]
    floor: NDArray[np.float64]
    verdict: NDArray[np.object_]
    decides: bool


def decide(subject: Subject, levels: Levels) -> Decided:
    """Return what becomes of the items of a subject."""
    items = levels.items
    logit = items["logit"].to_numpy(np.float64, na_value=np.nan)
    known = items["media_type"].isin(KINDS).to_numpy(bool)
    kind: NDArray[np.object_] = items["media_type"].to_numpy(object).copy()
    kind[~known] = None
    decides = subject.scale == "logit"
    fitted: dict[MediaType, ItemCalibration] = {}
    for name in KINDS if decides else ():
        one = subject.calibration.of(name)
        if one is not None:
            fitted[name] = one
    calibrated, floor = calibrated_logits(subject, items), np.zeros(len(items))
    for name, one in fitted.items():
        floor[kind == name] = one.indicated_from
    with np.errstate(invalid="ignore"):
        called = (calibrated >= floor) & decides
    verdicts = [
        verdict(None if pd.isna(value) else float(value), fitted.get(of)) if of in fitted else None
        for value, of in zip(logit, kind, strict=True)
    ]
    said = np.array(verdicts, dtype=object)
    return Decided(kind, fitted, calibrated, called, floor, said, decides)
