"""What Prometheus reads of the workspace: room on its disks, and alerts as they were judged last.

What lies in the workspace is the same for all processes of a server: it is read when it is asked
for, and nobody counts it.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from deepfake_lightning.errors import DeepfakeLightningError
from deepfake_lightning.monitoring.alerts.machine import disks_of
from deepfake_lightning.monitoring.alerts.state import AlertState, read_state
from deepfake_lightning.serving.settings import Settings
from deepfake_lightning.storage import Workspace


class WorkspaceMetrics(Collector):
    """Gauges of a workspace. What cannot be read there is left out.

    Args:
        settings: of the server whose workspace and log these are.
    """

    def __init__(self, settings: Settings) -> None:
        self._workspace = Workspace(settings.workspace)
        self._log = settings.log_place
        self._environment = settings.environment

    def describe(self) -> Iterable[Metric]:
        """Return them without values."""
        return _families()

    def collect(self) -> Iterable[Metric]:
        """Return them as they are now."""
        used, firing, judged = _families()
        for disk in disks_of(self._workspace, self._log):
            if disk.used is not None:
                used.add_metric([disk.name], disk.used)
        try:
            state = read_state(self._workspace)
        except DeepfakeLightningError:
            state = AlertState()
        for alert in state.alerts:
            if alert.open:
                labels = [alert.environment or "", alert.rule, alert.subject, alert.severity]
                firing.add_metric(labels, float(alert.state == "firing"))
        if (own := self._environment) is not None:  # 0 where they were never judged: a rule fires
            judged.add_metric([own], state.rounds.get(own, 0) / 1e6)
        return used, firing, judged


def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
    return (
        GaugeMetricFamily(
            "deepfake_disk_used_ratio", "Share that is used of the disks that the workspace and "
            "the prediction log's file lie on.", labels=["disk"],
        ),
        GaugeMetricFamily(
            "deepfake_alert_firing", "1 for an alert that fires, 0 for one that is pending, as "
            "`monitor` or the dashboard judged it last.",
            labels=["environment", "rule", "subject", "severity"],
        ),
        GaugeMetricFamily(
            "deepfake_alerts_judged_timestamp_seconds", "When the alerts of the environment "
            "that is served were judged last, seconds since 1970, UTC; 0: never.",
            labels=["environment"],
        ),
    )  # fmt: skip
