"""All metrics of one set of scores at once."""

from __future__ import annotations

from deepfake_lightning.metrics.calibration import brier, expected_calibration_error
from deepfake_lightning.metrics.checks import FloatArray, IntArray, check_pairs, sigmoid
from deepfake_lightning.metrics.classification import (
    accuracy,
    balanced_accuracy,
    count,
    f1,
    log_loss,
    precision,
    recall,
)
from deepfake_lightning.metrics.ranking import area, crossing, highest_tpr, precision_area, rank

METRIC_NAMES: tuple[str, ...] = (
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "auroc",
    "average_precision",
    "eer",
    "tpr_at_fpr_1",
    "tpr_at_fpr_01",
    "log_loss",
    "brier",
    "ece",
)
"""The keys of :func:`summary`, in its order."""

RANKING: frozenset[str] = frozenset(
    {"auroc", "average_precision", "eer", "tpr_at_fpr_1", "tpr_at_fpr_01"}
)
"""Those of :data:`METRIC_NAMES` that the order of the scores alone decides."""

LOWER_IS_BETTER: frozenset[str] = frozenset({"eer", "log_loss", "brier", "ece"})
"""Those of :data:`METRIC_NAMES` that are errors; of all others more is better."""

FPR_LIMITS: dict[str, float] = {"tpr_at_fpr_1": 0.01, "tpr_at_fpr_01": 0.001}
"""The share of false alarms that is allowed: 1 % and 0.1 % of the real samples."""


def summary(logits: FloatArray, labels: IntArray) -> dict[str, float | None]:
    """Every metric of :data:`METRIC_NAMES` in that order, with one sort.

    A sample is called fake where its logit is at or above 0. Ranking uses the logits, since
    probabilities round to equal near 0 and 1. A metric the data leave undefined is None.
    """
    values, fake = check_pairs(logits, labels, "logits")
    counts = count(values >= 0, fake)
    curve = rank(values, labels, "logits")
    probabilities = sigmoid(values)
    found = (
        accuracy(counts),
        balanced_accuracy(counts),
        precision(counts),
        recall(counts),
        f1(counts),
        None if curve is None else float(area(curve)),
        None if curve is None else float(precision_area(curve)),
        None if curve is None else float(crossing(curve)),
        *(None if curve is None else float(highest_tpr(curve, x)) for x in FPR_LIMITS.values()),
        log_loss(values, labels),
        brier(probabilities, labels),
        expected_calibration_error(probabilities, labels),
    )
    return dict(zip(METRIC_NAMES, found, strict=True))
