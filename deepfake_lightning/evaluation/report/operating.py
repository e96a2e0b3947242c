"""Thresholds and verdicts: what was promised, and what they do on these data."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.evaluation.levels import Levels
from deepfake_lightning.evaluation.report.decisions import Decided
from deepfake_lightning.evaluation.report.record import KindResult, ThresholdResult
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.metrics import (
    Interval,
    brier,
    expected_calibration_error,
    expected_precision,
    log_loss,
    share_interval,
    sigmoid,
)
from deepfake_lightning.schemas import ItemCalibration
from deepfake_lightning.schemas.calibration import KINDS, MediaType, OperatingThreshold

Float64Array = NDArray[np.float64]


class _Items(NamedTuple):
    """Scored, labelled items of one kind: calibrated log-odds, label and group, [N] each."""

    value: Float64Array
    fake: NDArray[np.bool_]
    group: NDArray[np.int64]


def kind_results(
    subject: Subject, levels: Levels, decided: Decided, prevalence: float, draws: int, seed: int
) -> tuple[KindResult, ...]:
    """Return how items are decided, by kind of media; nothing where scores only rank."""
    if not decided.decides:
        return ()
    found = []
    for kind in (*KINDS, None):
        of_kind = np.array([one == kind for one in decided.kind], bool)
        if of_kind.any():
            found.append(_kind(levels, decided, kind, of_kind, prevalence, draws, seed))
    return tuple(found)


def _kind(
    levels: Levels, decided: Decided, kind: MediaType | None, of_kind: NDArray[np.bool_],
    prevalence: float, draws: int, seed: int,
) -> KindResult:  # fmt: skip
    table, level = levels.items, levels.item
    chosen = of_kind[level.item]
    items = _Items(
        decided.calibrated[level.item][chosen], level.label[chosen] == 1, level.group[chosen]
    )
    fitted = decided.fitted.get(kind) if kind is not None else None
    labels = table["label"].map({0: "real", 1: "fake"})
    said = Counter(zip(labels[of_kind], decided.verdict[of_kind], strict=True))
    return KindResult(
        kind=kind,
        real=int((~items.fake).sum()),
        fake=int(items.fake.sum()),
        temperature=None if fitted is None else fitted.temperature,
        before=_calibration_error(level.logit[chosen], items.fake),
        after=_calibration_error(items.value, items.fake),
        thresholds=tuple(
            _threshold(one, items, prevalence, draws, seed, decides)
            for one, decides in _thresholds(fitted)
        ),
        verdicts={}
        if fitted is None
        else {
            label: {str(v): n for (of, v), n in sorted(said.items(), key=str) if of == label}
            for label in ("real", "fake")
        },
    )


def _calibration_error(logit: Float64Array, fake: NDArray[np.bool_]) -> dict[str, float | None]:
    labels, p = fake.astype(np.int64), sigmoid(logit)
    return {
        "log_loss": log_loss(logit, labels),
        "brier": brier(p, labels),
        "ece": expected_calibration_error(p, labels),
    }


def _thresholds(fitted: ItemCalibration | None) -> list[tuple[OperatingThreshold | float, bool]]:
    """Return the thresholds to measure, and whether verdicts rest on them."""
    if fitted is None:
        return [(0.0, True)]
    if not fitted.thresholds:  # fitted before thresholds were recorded
        return [(fitted.indicated_from, True)]
    return [(one, one == fitted.operating) for one in fitted.thresholds]


def _threshold(
    one: OperatingThreshold | float, items: _Items, prevalence: float, draws: int, seed: int,
    decides: bool,
) -> ThresholdResult:  # fmt: skip
    promised = one if isinstance(one, OperatingThreshold) else None
    value = one.threshold if isinstance(one, OperatingThreshold) else one
    above = items.value >= value
    reals, fakes = ~items.fake, items.fake
    alarms = share_interval(above[reals], items.group[reals], draws=draws, seed=seed)
    found = share_interval(above[fakes], items.group[fakes], draws=draws, seed=seed)
    return ThresholdResult(
        probability=float(sigmoid(np.array([value]))[0]),
        promised=promised,
        false_alarms=alarms,
        found=found,
        precision=_precision(found, alarms, promised, prevalence),
        decides=decides,
    )


def _precision(
    found: Interval, alarms: Interval, promised: OperatingThreshold | None, prevalence: float
) -> float | None:
    if found.value is None or alarms.value is None:
        return None
    fpr = alarms.high if promised is None else max(alarms.value, promised.max_fpr)
    return None if fpr is None else expected_precision(found.value, fpr, prevalence)
