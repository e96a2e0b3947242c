"""Numbers that say how good a detector is, as pure numpy functions without torch.

``classification`` holds decisions, ``ranking`` what the order of the scores says, ``calibration``
the worth of the stated probabilities, ``summary`` all of them, ``aggregation`` the way from frames
to items. How sure they are: ``bootstrap`` draws groups; ``intervals``, ``shares`` (with ``gaps``
between them) and ``comparison`` (with ``delong`` and ``holm``) read the draws. What is set from
them: ``temperature`` and ``thresholds``. What may be looked at again and again while it comes in:
``sequential`` and ``sample_ratio``.

Real is 0, fake is 1, higher scores mean fake; a result the data leave undefined is ``None``; input
that cannot be measured raises :class:`~deepfake_lightning.errors.DataError`.
"""

from deepfake_lightning.metrics.aggregation import item_labels, item_scores
from deepfake_lightning.metrics.bootstrap import summary_draws
from deepfake_lightning.metrics.calibration import (
    ReliabilityCurve,
    brier,
    expected_calibration_error,
    reliability,
)
from deepfake_lightning.metrics.checks import sigmoid
from deepfake_lightning.metrics.classification import (
    Confusion,
    accuracy,
    balanced_accuracy,
    confusion,
    f1,
    log_loss,
    precision,
    recall,
)
from deepfake_lightning.metrics.comparison import COMPARED, PairedDifference, compare_summaries
from deepfake_lightning.metrics.delong import PairedAUC, delong
from deepfake_lightning.metrics.gaps import share_gap
from deepfake_lightning.metrics.holm import holm
from deepfake_lightning.metrics.intervals import summary_intervals
from deepfake_lightning.metrics.ranking import (
    auroc,
    average_precision,
    equal_error_rate,
    roc_curve,
    tpr_at_fpr,
)
from deepfake_lightning.metrics.sample_ratio import sample_ratio_p
from deepfake_lightning.metrics.sequential import (
    AnytimeTest,
    Looks,
    anytime_test,
    mixture_p,
    mixture_radius,
    observations_needed,
    paired_looks,
    two_sample_looks,
)
from deepfake_lightning.metrics.shares import Interval, share_interval
from deepfake_lightning.metrics.summary import LOWER_IS_BETTER, METRIC_NAMES, RANKING, summary
from deepfake_lightning.metrics.temperature import fit_temperature
from deepfake_lightning.metrics.thresholds import (
    confident_threshold,
    conformal_floor,
    conformal_threshold,
    expected_precision,
    items_needed,
)

__all__ = [
    "COMPARED",
    "LOWER_IS_BETTER",
    "METRIC_NAMES",
    "RANKING",
    "AnytimeTest",
    "Confusion",
    "Interval",
    "Looks",
    "PairedAUC",
    "PairedDifference",
    "ReliabilityCurve",
    "accuracy",
    "anytime_test",
    "auroc",
    "average_precision",
    "balanced_accuracy",
    "brier",
    "compare_summaries",
    "confident_threshold",
    "conformal_floor",
    "conformal_threshold",
    "confusion",
    "delong",
    "equal_error_rate",
    "expected_calibration_error",
    "expected_precision",
    "f1",
    "fit_temperature",
    "holm",
    "item_labels",
    "item_scores",
    "items_needed",
    "log_loss",
    "mixture_p",
    "mixture_radius",
    "observations_needed",
    "paired_looks",
    "precision",
    "recall",
    "reliability",
    "roc_curve",
    "sample_ratio_p",
    "share_gap",
    "share_interval",
    "sigmoid",
    "summary",
    "summary_draws",
    "summary_intervals",
    "tpr_at_fpr",
    "two_sample_looks",
]
