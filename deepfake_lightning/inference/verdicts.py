"""From an item's logit to a probability and a verdict: pure, and the only place for it."""

from __future__ import annotations

import math

from deepfake_lightning.schemas.assessment import Verdict
from deepfake_lightning.schemas.calibration import ItemCalibration


def calibrated(logit: float, calibration: ItemCalibration | None) -> float:
    """Return the calibrated log-odds: the logit over the temperature."""
    return logit / calibration.temperature if calibration is not None else logit


def probability(log_odds: float) -> float:
    """Return the sigmoid, without overflow for any finite number."""
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-log_odds))
    odds = math.exp(log_odds)
    return odds / (1.0 + odds)


def verdict(logit: float | None, calibration: ItemCalibration | None) -> Verdict | None:
    """Return what a score comes to.

    Args:
        logit: the item's; None where there was nothing to score.
        calibration: of the item's kind of media; None where there is none.

    Returns:
        ``not_assessable`` without a score; None for a score without calibration; else where the
        calibrated log-odds lie: from ``indicated_from`` on ``manipulation_indicated``, below
        ``clear_below`` ``no_indication``, in between ``inconclusive``.
    """
    if logit is None:
        return "not_assessable"
    if calibration is None:
        return None
    value = calibrated(logit, calibration)
    if value >= calibration.indicated_from:
        return "manipulation_indicated"
    return "no_indication" if value < calibration.clear_below else "inconclusive"
