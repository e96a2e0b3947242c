"""What moved, said in sentences: from where to where, in units."""

from __future__ import annotations

from collections.abc import Collection

from deepfake_lightning.monitoring.drift.policy import EMBEDDING, SCORE
from deepfake_lightning.monitoring.drift.records import DriftRecord, FeatureDrift

_UNITS = {
    "score": "", "brightness": " grey levels", "contrast": " grey levels",
    "saturation": " grey levels", "sharpness": " grey levels squared", "noise": " grey levels",
    "blockiness": "",
}  # fmt: skip
_QUANTILES = {0.1: "the lowest tenth ends at", 0.5: "the median is",
              0.9: "the highest tenth begins at"}  # fmt: skip


def why(record: DriftRecord, again: Collection[str]) -> tuple[str, ...]:
    """Return why a judged window has moved or not, the largest move first.

    Args:
        record: with its features.
        again: those that had moved in the window before, too.
    """
    moved = [one for name in record.moved_features if (one := record.of(name)) is not None]
    if moved:
        return tuple(_moved(one, record.severity, one.feature in again) for one in moved)
    compared = [one for one in record.features if one.p is not None]
    largest = max(compared, key=lambda one: one.effect / one.limit, default=None)
    if largest is None:
        return ("nothing could be compared",)
    return (f"nothing has moved; the most is {largest.feature}, {_far(largest, record.severity)}"
            f"{_by_chance(largest)}",)  # fmt: skip


def unjudged(record: DriftRecord, fewest: int) -> str:
    """Return why a window was not judged that ended for its length."""
    days = (record.end_us - record.start_us) / 86_400_000_000
    return (
        f"not judged: {record.sampled:,} items with a score in {days:.3g} days, and {fewest:,} are "
        "needed"
    )


def _moved(one: FeatureDrift, severity: float | None, again: bool) -> str:
    twice = ", as in the window before" if again else ""
    if one.feature == EMBEDDING:
        return f"what the network sees is another: {_far(one, severity)}{twice}"
    return f"{_subject(one)}: {_from_to(one)} ({_far(one, severity)}){twice}"


def _subject(one: FeatureDrift) -> str:
    assert one.before is not None and one.after is not None
    way = "rose" if one.after > one.before else "fell"
    spread = {(0.1, True): "reaches less far down", (0.1, False): "reaches further down",
              (0.9, True): "reaches further up", (0.9, False): "reaches less far up"}  # fmt: skip
    name = "the score" if one.feature == SCORE else one.feature
    return f"{name} {spread.get((one.quantile or 0.5, one.after > one.before), way)}"


def _from_to(one: FeatureDrift) -> str:
    assert one.before is not None and one.after is not None and one.quantile is not None
    of = " log-odds of fake, before calibration" if one.feature == SCORE else _UNITS[one.feature]
    return f"{_QUANTILES[one.quantile]} {one.after:.3g}{of}, not {one.before:.3g}"


def _far(one: FeatureDrift, severity: float | None) -> str:
    if one.feature == EMBEDDING and severity is not None:
        return (
            f"a classifier tells the window's items from the reference's with an AUC of "
            f"{severity:.2f}; 0.5 is chance, the limit {0.5 + one.limit / 2:.2f}"
        )
    return f"Kolmogorov-Smirnov distance {one.effect:.2f}, limit {one.limit:g}"


def _by_chance(one: FeatureDrift) -> str:
    return "; that may be chance" if one.effect > one.limit else ""
