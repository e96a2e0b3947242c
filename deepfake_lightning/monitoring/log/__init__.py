"""What production did: the prediction log. Knows no torch and no web framework."""

from deepfake_lightning.monitoring.log.existing import existing_log, is_missing
from deepfake_lightning.monitoring.log.prediction_log import PredictionLog
from deepfake_lightning.monitoring.log.projection import projection_of
from deepfake_lightning.monitoring.log.records import (
    ItemScore,
    Label,
    LoggedRequest,
    item_score,
    with_result,
)
from deepfake_lightning.monitoring.log.request_ids import new_request_id
from deepfake_lightning.monitoring.log.writer import LogWriter

__all__ = [
    "ItemScore",
    "Label",
    "LogWriter",
    "LoggedRequest",
    "PredictionLog",
    "existing_log",
    "is_missing",
    "item_score",
    "new_request_id",
    "projection_of",
    "with_result",
]
