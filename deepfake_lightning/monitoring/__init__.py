"""What production did: the prediction log. Knows no torch and no web framework."""

from deepfake_lightning.monitoring.prediction_log import PredictionLog
from deepfake_lightning.monitoring.records import (
    ItemScore,
    Label,
    LoggedRequest,
    item_score,
    with_result,
)

__all__ = ["ItemScore", "Label", "LoggedRequest", "PredictionLog", "item_score", "with_result"]
