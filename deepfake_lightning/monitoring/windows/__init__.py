"""Figures of a period: from roll-ups, from the end of an index, or from what was reviewed.

``periods`` reads times, ``scope`` says whose requests, ``figures`` are those of sums. ``window``
reads them of a period, ``series`` of its steps, ``recent`` lists the latest requests, ``audited``
says how good the verdicts were. No answer scans the rows of the log.
"""

from deepfake_lightning.monitoring.windows.audited import (
    AuditedQuality,
    Estimate,
    audited_quality,
)
from deepfake_lightning.monitoring.windows.figures import VERDICTS, Figures, figures
from deepfake_lightning.monitoring.windows.periods import Period, parse_period
from deepfake_lightning.monitoring.windows.recent import RecentPrediction, recent_predictions
from deepfake_lightning.monitoring.windows.scope import UNKNOWN, Scope, version_of
from deepfake_lightning.monitoring.windows.series import Series, read_series
from deepfake_lightning.monitoring.windows.window import Window, lost_in, read_window

__all__ = [
    "UNKNOWN",
    "VERDICTS",
    "AuditedQuality",
    "Estimate",
    "Figures",
    "Period",
    "RecentPrediction",
    "Scope",
    "Series",
    "Window",
    "audited_quality",
    "figures",
    "lost_in",
    "parse_period",
    "read_series",
    "read_window",
    "recent_predictions",
    "version_of",
]
