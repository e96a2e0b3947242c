"""Alerts: policy in, alerts out, and who is told of them.

``policy`` has rules and ``channels``, ``policy_files`` reads them. ``measuring`` takes the figures
(``traffic``, ``detection``, ``machine``), a ``situation``; ``judging`` makes alerts of it,
a pure function of policy, situation, what was before, and the time. ``state`` and ``history`` keep
them in files beside the log, which work while the log does not. ``delivering`` sends messages
through ``sending``, ``webhook`` and ``mail``, until they arrive. ``checking`` does all that once,
``rounds`` each minute; ``acting`` is what people do: acknowledge, silence. ``incidents`` are what
other parts of the program report, such as a retraining that failed.
"""

from deepfake_lightning.monitoring.alerts.acting import acknowledge, silence
from deepfake_lightning.monitoring.alerts.checking import check_alerts
from deepfake_lightning.monitoring.alerts.history import alert_history
from deepfake_lightning.monitoring.alerts.policy import AlertPolicy, AlertRule
from deepfake_lightning.monitoring.alerts.policy_files import policy_of
from deepfake_lightning.monitoring.alerts.records import Alert, AlertEvent, AlertRound, Silence
from deepfake_lightning.monitoring.alerts.rounds import Rounds
from deepfake_lightning.monitoring.alerts.state import read_alerts

__all__ = [
    "Alert",
    "AlertEvent",
    "AlertPolicy",
    "AlertRound",
    "AlertRule",
    "Rounds",
    "Silence",
    "acknowledge",
    "alert_history",
    "check_alerts",
    "policy_of",
    "read_alerts",
    "silence",
]
