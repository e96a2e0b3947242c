"""From the scores of calibration items to a temperature and thresholds: pure, without torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.errors import DataError
from deepfake_lightning.metrics import (
    confident_threshold,
    conformal_floor,
    conformal_threshold,
    fit_temperature,
    items_needed,
)
from deepfake_lightning.metrics.temperature import TEMPERATURES
from deepfake_lightning.schemas.calibration import (
    CalibrationPolicy,
    Guarantee,
    ItemCalibration,
    OperatingThreshold,
    percent,
)

Float64Array = NDArray[np.float64]

FINEST_FIRST = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Shares of false alarms that are tried where none is asked for."""
ALSO_RECORDED = (0.001, 0.01, 0.05, 0.1)
_MISSES = (0.05, 0.1, 0.2)
_USUAL_CONFIDENCE = 0.95
_MARGINAL: Guarantee = "marginal"


def fit_items(
    logits: NDArray[np.floating],
    labels: NDArray[np.integer],
    policy: CalibrationPolicy | None = None,
    *,
    groups: int | None = None,
    unscored: int = 0,
    noun: str = "items",
) -> ItemCalibration:
    """Fit the calibration of one kind of media.

    A marginal threshold is that of split conformal prediction (Vovk et al. 2005; Angelopoulos &
    Bates 2021, arXiv 2107.07511) on the real items, and on the fake ones for the lower end of the
    band; one at a confidence is the exact binomial bound of order statistics (Wilks 1941).
    Where a detector is good, all but ``max_miss`` of the fakes score above the threshold for real
    items; the band is then empty: ``clear_below`` is ``min(floor, indicated_from)``, so that no
    item is two things at once, and only fewer fakes are missed than were allowed.

    Args:
        logits: float [N], one for each item, natural log-odds.
        labels: int [N], 0 real and 1 fake.
        policy: what is wanted; None: the default.
        groups: see :class:`~deepfake_lightning.schemas.ItemCalibration`.
        unscored: likewise.
        noun: what the items are called in messages, in the plural.

    Raises:
        DataError: a class is missing, or there are too few items for what is wanted; it says how
            many there are, how many are needed, and what they allow.
    """
    policy = policy or CalibrationPolicy()
    values, fake = np.asarray(logits, np.float64), np.asarray(labels) == 1
    counts = {"real": int((~fake).sum()), "fake": int(fake.sum())}
    fpr, miss = check_enough(counts["real"], counts["fake"], policy, noun)
    temperature = _temperature(values, fake)
    values = values / temperature
    operating = _threshold(values, fake, fpr, policy.guarantee, policy.confidence)
    floor = conformal_floor(values[fake], miss)
    return ItemCalibration(
        temperature=temperature,
        indicated_from=operating.threshold,
        clear_below=min(floor, operating.threshold),
        items=len(values),
        reals=counts["real"],
        fakes=counts["fake"],
        groups=groups,
        unscored=unscored,
        operating=operating,
        thresholds=_all_thresholds(values, fake, operating, policy),
        max_miss=miss,
        inconclusive=int(((values >= floor) & (values < operating.threshold)).sum()),
    )


def check_enough(
    reals: int, fakes: int, policy: CalibrationPolicy, noun: str = "items"
) -> tuple[float, float]:
    """Return the shares of false alarms and of misses that so many items are used for.

    Raises:
        DataError: they are too few for what is wanted; it says how many are needed.
    """
    fpr = _allowed(reals, "real", noun, "fpr", policy.fpr, FINEST_FIRST, policy)
    return fpr, _allowed(fakes, "fake", noun, "max_miss", policy.max_miss, _MISSES)


def _temperature(values: Float64Array, fake: NDArray[np.bool_]) -> float:
    """Return the temperature; 1 where the sign of the logit tells all items apart.

    Any greater certainty suits such items better, without end: they do not tell how sure to be.
    """
    found = fit_temperature(values, fake.astype(np.int64))
    assert found is not None  # both classes are there
    return 1.0 if found <= TEMPERATURES[0] else found


def _allowed(
    count: int,
    label: str,
    noun: str,
    flag: str,
    wanted: float | None,
    shares: Sequence[float],
    policy: CalibrationPolicy | None = None,
) -> float:
    """Return the share that is wanted, or else the first of some that so many items allow."""
    guarantee, confidence = (
        (policy.guarantee, policy.confidence) if policy else (_MARGINAL, _USUAL_CONFIDENCE)
    )
    at = f" at {percent(confidence)} confidence" if guarantee == "confidence" else ""
    allowed = [s for s in shares if items_needed(s, guarantee, confidence) <= count]
    if wanted is None and allowed:
        return allowed[0]
    share = shares[-1] if wanted is None else wanted
    needed = items_needed(share, guarantee, confidence)
    if needed <= count:
        return share
    finest = f", which allow {percent(allowed[0])}" if allowed else ""
    raise DataError(
        f"{flag} {percent(share)}{at} needs {needed:,} {label} {noun} to calibrate on, and there "
        f"are {count:,}{finest}",
        why="a threshold that is taken from fewer items does not keep its promise",
        next_step=(f"pass --{flag} {allowed[0]:g}, or " if allowed else "")
        + "train with a larger calib split (--data.splits)",
    )


def _threshold(
    values: Float64Array, fake: NDArray[np.bool_], fpr: float, guarantee: Guarantee, sure: float
) -> OperatingThreshold:
    if guarantee == "confidence":
        threshold = confident_threshold(values[~fake], fpr, sure)
    else:
        threshold = conformal_threshold(values[~fake], fpr)
    return OperatingThreshold(
        max_fpr=fpr,
        guarantee=guarantee,
        confidence=sure if guarantee == "confidence" else None,
        threshold=threshold,
        tpr=float((values[fake] >= threshold).mean()),
        false_alarms=int((values[~fake] >= threshold).sum()),
    )


def _all_thresholds(
    values: Float64Array,
    fake: NDArray[np.bool_],
    operating: OperatingThreshold,
    policy: CalibrationPolicy,
) -> tuple[OperatingThreshold, ...]:
    """Return the thresholds that the real items allow, the strictest first."""
    reals = int((~fake).sum())
    wanted: list[tuple[float, Guarantee]] = [
        (fpr, guarantee) for fpr in ALSO_RECORDED for guarantee in ("marginal", "confidence")
    ]
    found = [
        _threshold(values, fake, fpr, guarantee, policy.confidence)
        for fpr, guarantee in wanted
        if (fpr, guarantee) != (operating.max_fpr, operating.guarantee)
        and items_needed(fpr, guarantee, policy.confidence) <= reals
    ]
    return tuple(
        sorted([*found, operating], key=lambda one: (one.max_fpr, one.guarantee == _MARGINAL))
    )
