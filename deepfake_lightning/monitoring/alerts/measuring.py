"""The figures that rules are about, as they are now."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from deepfake_lightning.errors import StorageError
from deepfake_lightning.monitoring.alerts.detection import measure_drift, measure_quality
from deepfake_lightning.monitoring.alerts.machine import (
    Place,
    Stall,
    catch_up,
    measure_disk,
    measure_log,
    opened,
)
from deepfake_lightning.monitoring.alerts.policy import AlertRule, Measure
from deepfake_lightning.monitoring.alerts.records import Alert
from deepfake_lightning.monitoring.alerts.situation import Measurement, Situation
from deepfake_lightning.monitoring.alerts.source import Source, versions_serving
from deepfake_lightning.monitoring.alerts.traffic import (
    measure_errors,
    measure_latency,
    measure_refusals,
    measure_silence,
)
from deepfake_lightning.storage import Workspace

_OF_LOG: dict[Measure, Callable[[AlertRule, Source], list[Measurement]]] = {
    "balanced_accuracy": measure_quality,
    "latency_p95": measure_latency,
    "error_rate": measure_errors,
    "refusal_rate": measure_refusals,
    "drift": measure_drift,
    "no_traffic": measure_silence,
}
_GAPS_MINUTES = 15.0  # looked back, where no rule says it


def measure(
    workspace: Workspace,
    place: Place,
    rules: Sequence[AlertRule],
    *,
    environment: str,
    now_us: int,
    alerts: Sequence[Alert] = (),
) -> Situation:
    """Return what is found for the rules of an environment.

    A log that cannot be opened or written is a finding, too; what it would tell is unknown then.
    What has changed since it was last added up is added up first.

    Args:
        workspace: whose.
        place: of the prediction log. One that does not exist tells nothing; where versions serve
            it ought to be there, and that it is not is a finding.
        rules: of the policy; those for other environments are left out.
        environment: whose requests.
        now_us: the time, microseconds since 1970, UTC.
        alerts: as they stood before: what was before an outage is known from when it began.

    Raises:
        UsageError: the log's address cannot work.
    """
    wanted = [one for one in rules
              if one.environments is None or environment in one.environments]  # fmt: skip
    serving = versions_serving(workspace, environment)
    found: list[Measurement] = []
    for rule in wanted:
        if rule.measure == "disk":
            found += measure_disk(rule, workspace, place)
    whole = False
    with opened(place) as (log, fault):
        if log is None and fault is None and serving:
            fault = f"{', '.join(sorted(serving))} serves in {environment}, and there is no {place}"
        stall = Stall(fault) if fault else catch_up(log, now_us, _window(wanted)) if log else None
        for rule in wanted if stall is not None else ():
            if rule.measure == "log_stalled":
                found.append(measure_log(rule, stall or Stall()))
        if log is not None and stall is not None and stall.fault is None:
            source = Source(workspace, environment, log, now_us, serving, stall.behind,
                            tuple(one for one in alerts if one.open))  # fmt: skip
            of_log, whole = _of_log(wanted, source)
            found += of_log
    return Situation(environment, tuple(found), serving, whole)


def _window(rules: Sequence[AlertRule]) -> float:
    windows = [one.window_minutes for one in rules if one.measure == "log_stalled"]
    return max(windows, default=_GAPS_MINUTES)


def _of_log(rules: Sequence[AlertRule], source: Source) -> tuple[list[Measurement], bool]:
    """Return what the log tells, and whether that is all."""
    found: list[Measurement] = []
    whole = not source.behind
    for rule in rules:
        if rule.measure in _OF_LOG:
            try:
                found += _OF_LOG[rule.measure](rule, source)
            except StorageError:
                whole = False  # it went away meanwhile; the next round says so
    return found, whole
