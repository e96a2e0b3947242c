"""What a calibration is, in words for a person: on the console and in the model card. No torch."""

from __future__ import annotations

import numpy as np

from deepfake_lightning.bundle.reliability import BeforeAfter
from deepfake_lightning.metrics import expected_precision, sigmoid
from deepfake_lightning.schemas import ItemCalibration
from deepfake_lightning.schemas.calibration import OperatingThreshold, percent

UNTOLD = "the items are told apart without a mistake: how sure to be cannot be fitted"


def probability(log_odds: float) -> str:
    """Return calibrated log-odds as a probability, as :func:`shown_probability` writes it."""
    return shown_probability(float(sigmoid(np.asarray([log_odds]))[0]))


def shown_probability(value: float) -> str:
    """Return a probability with digits enough to tell it from 0 and 1."""
    for digits in (3, 4, 5, 6):
        shown = f"{value:.{digits}f}"
        if 0 < float(shown) < 1:
            return shown
    return "under 0.000001" if value < 0.5 else "over 0.999999"


def short_guarantee(threshold: OperatingThreshold) -> str:
    """Return how a threshold's share of false alarms holds, in a few words."""
    if threshold.confidence is None:
        return "on average"
    return f"{percent(threshold.confidence)} confidence"


def precision(threshold: OperatingThreshold, prevalence: float) -> str:
    """Return which share of what is called manipulated is, where a share of all is.

    It takes the share of fakes that was found on ``calib``, and as many false alarms as are
    allowed.

    Args:
        threshold: the threshold.
        prevalence: share of fakes among the items that come, [0, 1].
    """
    found = expected_precision(threshold.tpr, threshold.max_fpr, prevalence)
    return "undefined" if found is None else f"{100 * found:.0f} %"


def counted(fitted: ItemCalibration) -> str:
    """Return what a calibration was fitted on."""
    parts = [f"{fitted.items:,} items"]
    if fitted.reals is not None and fitted.fakes is not None:
        groups = f" in {fitted.groups:,} groups" if fitted.groups is not None else ""
        parts.append(f"{fitted.reals:,} real{groups}, {fitted.fakes:,} fake")
    if fitted.unscored:
        parts.append(f"{fitted.unscored:,} more have no score")
    return "; ".join(parts)


def temperature(fitted: ItemCalibration, found: BeforeAfter | None) -> str:
    """Return the temperature, and what it did to the items that it was fitted on."""
    text = f"temperature {fitted.temperature:.3f}"
    if fitted.temperature == 1.0:
        return f"{text}: {UNTOLD}"
    if found is None:
        return text
    (loss, loss_after), (error, error_after) = found.log_loss, found.ece
    return (
        f"{text}: log loss {loss:.3f} -> {loss_after:.3f}, calibration error {error:.3f} -> "
        f"{error_after:.3f}, on the items that it was fitted on"
    )


def warnings(fitted: ItemCalibration, noun: str) -> list[str]:
    """Return why a calibration's guarantee is weaker than it says."""
    if fitted.groups is None or fitted.reals is None or fitted.groups >= fitted.reals:
        return []
    return [
        f"the {fitted.reals:,} real {noun} are of {fitted.groups:,} groups, so of as many people "
        "at most: they are no independent draws, and the guarantee is weaker than it says"
    ]


def band(fitted: ItemCalibration) -> list[str]:
    """Return the verdicts and the calibrated probabilities where they begin, a line each."""
    low, high = probability(fitted.clear_below), probability(fitted.indicated_from)
    lines = [f"from {high}: manipulation indicated"]
    if fitted.clear_below < fitted.indicated_from:
        share = ""
        if fitted.inconclusive is not None:
            share = f" ({percent_of(fitted.inconclusive, fitted.items)} of these items)"
        lines.append(f"from {low} to {high}: inconclusive, ask a person{share}")
    else:
        lines.append("nothing is inconclusive")
    missed = ""
    if fitted.max_miss is not None:
        missed = f"; at most {percent(fitted.max_miss)} of known fakes lie there"
    return [*lines, f"below {low}: no indication, never 'real'{missed}"]


def percent_of(part: int, whole: int) -> str:
    """Return a share as it is read, rounded: 3 of 8 is ``38 %``."""
    return f"{100 * part / whole:.0f} %"
