"""What a reader of a comparison has to know before the verdict is believed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from deepfake_lightning.evaluation.comparison.record import Detector
from deepfake_lightning.evaluation.subject import Subject

TRAINING_VARIANCE = (
    "The variance of training is not in these intervals: two trainings of one recipe differ by"
    " more than chance on the same items in a quarter to half of all pairs. Compare several seeds"
    " before you call a recipe better."
)
ONLY_LIKE_THESE = (
    "A verdict holds for data like these: other manipulations, people, cameras or codecs can turn"
    " it round."
)


def uncalibrated(subjects: Sequence[Subject], names: Sequence[str]) -> list[str]:
    """Return that some have no calibration, which metrics of probabilities do not forgive."""
    raw = [
        name
        for one, name in zip(subjects, names, strict=True)
        if one.scale == "logit" and one.calibration.image is None and one.calibration.video is None
    ]
    return [
        f"Not calibrated: {', '.join(raw)}. Log loss, Brier score and balanced accuracy are of"
        " scores as they came out of training."
    ] * bool(raw)


def notes_on(detectors: Sequence[Detector]) -> list[str]:
    """Return what a reader has to know of detectors and their data, in sentences."""
    notes = [
        f"{one.name} was trained on drawn faces (a demo): its scores say nothing of real ones."
        for one in detectors
        if one.is_demo
    ]
    on_val = [one.name for one in detectors if one.data.get("split") == "val"]
    if on_val:
        notes.append(
            f"These are val data for {', '.join(on_val)}: they chose its checkpoint, which flatters"
            " it. Compare on test."
        )
    ranked = [one.name for one in detectors if one.scale == "rank"]
    if ranked:
        notes.append(
            f"The scores of {', '.join(ranked)} are a ranking, no probabilities: only ranking"
            " metrics are compared."
        )
    digests = Counter(str(one.model["digest"]) for one in detectors if one.model.get("digest"))
    if any(count > 1 for count in digests.values()):
        notes.append("The same detector stands here more than once.")
    hashes = {str(one.data["content_hash"]) for one in detectors if one.data.get("content_hash")}
    if len(hashes) > 1:
        notes.append("They were scored on different data sets; only the common items count.")
    looks = max((int(one.data.get("looks") or 0) for one in detectors), default=0)
    if looks > len(detectors):
        notes.append(
            f"These items have been scored {looks:,} times: what is chosen by them is not measured"
            " by them."
        )
    return [*notes, TRAINING_VARIANCE, ONLY_LIKE_THESE]
