"""Drift: whether what comes in is still like what a detector was measured on.

``policy`` says when, ``windows`` finds the windows in the roll-ups, ``sampling`` reads some items
of one, ``reference`` what they are compared with (``baseline`` sets one from production),
``judging`` compares, ``wording`` says it, ``check`` does all of it and keeps ``records``,
``examples`` looks up the requests behind them. The numbers are those of ``metrics.drift``.
"""

from deepfake_lightning.monitoring.drift.baseline import Baseline, read_baseline, set_baseline
from deepfake_lightning.monitoring.drift.check import check_drift
from deepfake_lightning.monitoring.drift.examples import examples
from deepfake_lightning.monitoring.drift.policy import (
    FEATURES,
    DriftLimits,
    DriftPolicy,
    policy_of,
)
from deepfake_lightning.monitoring.drift.records import DriftRecord, FeatureDrift, read_drift

__all__ = [
    "FEATURES",
    "Baseline",
    "DriftLimits",
    "DriftPolicy",
    "DriftRecord",
    "FeatureDrift",
    "check_drift",
    "examples",
    "policy_of",
    "read_baseline",
    "read_drift",
    "set_baseline",
]
