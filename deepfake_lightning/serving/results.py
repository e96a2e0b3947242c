"""What a client is told of an assessment: each face and track with its score, and the limits."""

from __future__ import annotations

from typing import Any

from deepfake_lightning.inference.verdicts import calibrated, probability, verdict
from deepfake_lightning.schemas import Assessment, Calibration
from deepfake_lightning.schemas.assessment import plain
from deepfake_lightning.schemas.calibration import ItemCalibration

_NOT_SAID = ("name", "quality")  # there is no name; quality is for drift, not for callers


def result_of(
    request_id: str, found: Assessment, calibration: Calibration, environment: str | None
) -> dict[str, Any]:
    """Return the answer, plain JSON types.

    Args:
        request_id: names it for feedback, logs and erasing.
        found: the assessment.
        calibration: of the detector.
        environment: that was asked, None where a version is served.
    """
    fitted = calibration.of(found.media_type) if found.media_type else None
    record = {key: value for key, value in found.to_dict().items() if key not in _NOT_SAID}
    record["thresholds"] = _thresholds(fitted)
    record["tracks"] = [
        {**plain(each), "score": probability(calibrated(each.logit, fitted)),
         "verdict": verdict(each.logit, fitted)}
        for each in found.tracks
    ]  # fmt: skip
    record["faces"] = [
        {**plain(each), "score": probability(calibrated(each.logit, fitted))}
        for each in found.faces
    ]
    return {"request_id": request_id, "environment": environment, **record}


def _thresholds(fitted: ItemCalibration | None) -> dict[str, float] | None:
    """Return where verdicts begin, on the scale of the scores; None without calibration."""
    if fitted is None:
        return None
    return {
        "indicated_from": probability(fitted.indicated_from),
        "clear_below": probability(fitted.clear_below),
    }
