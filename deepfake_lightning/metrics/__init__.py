"""Numbers that say how good a detector is, as pure numpy functions without torch.

``classification`` holds decisions and rankings, ``calibration`` the worth of the stated
probabilities, ``aggregation`` the way from frames to items. Real is 0, fake is 1, higher scores
mean fake; a result the data leave undefined is ``None``; input that cannot be measured raises
:class:`~deepfake_lightning.errors.DataError`.
"""

from deepfake_lightning.metrics.aggregation import item_labels, item_scores
from deepfake_lightning.metrics.calibration import (
    ReliabilityCurve,
    brier,
    expected_calibration_error,
    reliability,
)
from deepfake_lightning.metrics.classification import (
    METRIC_NAMES,
    Confusion,
    accuracy,
    auroc,
    average_precision,
    confusion,
    equal_error_rate,
    f1,
    log_loss,
    precision,
    recall,
    roc_curve,
    sigmoid,
    summary,
    tpr_at_fpr,
)

__all__ = [
    "METRIC_NAMES",
    "Confusion",
    "ReliabilityCurve",
    "accuracy",
    "auroc",
    "average_precision",
    "brier",
    "confusion",
    "equal_error_rate",
    "expected_calibration_error",
    "f1",
    "item_labels",
    "item_scores",
    "log_loss",
    "precision",
    "recall",
    "reliability",
    "roc_curve",
    "sigmoid",
    "summary",
    "tpr_at_fpr",
]
