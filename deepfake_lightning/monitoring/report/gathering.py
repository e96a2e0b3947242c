"""A report's content, from the log and the workspace."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import ValidationError

from deepfake_lightning.monitoring.alerts import alert_history, read_alerts
from deepfake_lightning.monitoring.alerts.detection import own_figure, read_measured
from deepfake_lightning.monitoring.alerts.source import Source
from deepfake_lightning.monitoring.drift import read_drift
from deepfake_lightning.monitoring.log import PredictionLog
from deepfake_lightning.monitoring.report.record import MonitoringReport, OwnQuality
from deepfake_lightning.monitoring.review import policy_of, queue_counts
from deepfake_lightning.monitoring.windows import (
    Period,
    Scope,
    audited_quality,
    read_series,
    read_window,
)
from deepfake_lightning.storage import Workspace

STEPS = 7
Progress = Callable[[str, int, int], None]


def gather(
    log: PredictionLog,
    workspace: Workspace,
    period: Period,
    scope: Scope,
    *,
    now_us: int,
    progress: Progress = lambda what, done, total: None,
) -> MonitoringReport:
    """Return what there is to report of a period. Nothing is judged or changed.

    Args:
        log: of which.
        workspace: whose alerts and registry.
        period: which.
        scope: whose requests.
        now_us: the time, microseconds since 1970, UTC.
        progress: told what is read, steps done, and steps to do.

    Raises:
        StorageError: the log could not be read.
        DataError: the state of the alerts is damaged.
    """
    progress("figures", 0, STEPS)
    window = read_window(log, period, scope)
    progress("figures over time", 1, STEPS)
    series = read_series(log, period, scope)
    progress("reviewed requests", 2, STEPS)
    both = Scope(scope.environment, scope.version, None, scope.media_type)
    audited = audited_quality(log, period, both)
    progress("review queue", 3, STEPS)
    queue = queue_counts(log, period, scope.environment, policy=policy_of(workspace))
    progress("drift", 4, STEPS)
    drift = read_drift(log, period, environment=scope.environment, version=scope.version)
    progress("alerts", 5, STEPS)
    whose = (None, scope.environment)  # what all environments share has None
    alerts = [
        one
        for one in read_alerts(workspace)
        if scope.environment is None or one.environment in whose
    ]
    events = [
        one
        for one in alert_history(workspace, period)
        if scope.environment is None or one.alert.environment in whose
    ]
    progress("the registry", 6, STEPS)
    versions = {version for version, _ in window.by_version if version}
    return MonitoringReport(
        log=log.name,
        made_us=now_us,
        window=window,
        series=series,
        audited=audited,
        own={name: own for name in sorted(versions) if (own := _own(log, workspace, name, now_us))},
        queue={state: number for state, number in queue.items()},
        drift=tuple(drift),
        alerts=tuple(
            one for one in alerts
            if one.open or (one.resolved_us or 0) >= period.start_us
        ),
        events=tuple(events),
    )  # fmt: skip


def _own(
    log: PredictionLog, workspace: Workspace, version: str, now_us: int
) -> tuple[OwnQuality, ...]:
    source = Source(workspace, "", log, now_us, None, False)
    try:
        measured = read_measured(source, version)
    except (OSError, ValueError, ValidationError):  # a version of another registry
        return ()
    found = []
    for media in ("image", "video"):
        one = own_figure(measured, media) if measured is not None else None
        if one is not None:
            found.append(OwnQuality(media, one.balanced_accuracy.value, one.recall.value,
                                    one.fpr.value))  # fmt: skip
    return tuple(found)
