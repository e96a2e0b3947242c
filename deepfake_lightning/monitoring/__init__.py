"""What production did: the prediction log. Knows no torch and no web framework."""

from deepfake_lightning.monitoring.log_writer import LogWriter
from deepfake_lightning.monitoring.prediction_log import PredictionLog
from deepfake_lightning.monitoring.projection import projection_of
from deepfake_lightning.monitoring.records import (
    ItemScore,
    Label,
    LoggedRequest,
    item_score,
    with_result,
)
from deepfake_lightning.monitoring.request_ids import new_request_id

__all__ = [
    "ItemScore",
    "Label",
    "LogWriter",
    "LoggedRequest",
    "PredictionLog",
    "item_score",
    "new_request_id",
    "projection_of",
    "with_result",
]
