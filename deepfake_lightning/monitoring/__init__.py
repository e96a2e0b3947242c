"""What production did: the prediction log. Knows no torch and no web framework."""

from deepfake_lightning.monitoring.prediction_log import ItemScore, LoggedRequest, PredictionLog

__all__ = ["ItemScore", "LoggedRequest", "PredictionLog"]
