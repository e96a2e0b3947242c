"""``monitor --check``: drift and alerts judged once, for cron."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from deepfake_lightning.cli.monitor_reading import missing, sum_up
from deepfake_lightning.cli.printable import say
from deepfake_lightning.errors import DeepfakeLightningError, StorageError
from deepfake_lightning.monitoring.alerts import AlertRound, check_alerts
from deepfake_lightning.monitoring.alerts.machine import opened
from deepfake_lightning.monitoring.alerts.state import sole_round
from deepfake_lightning.monitoring.drift import DriftRecord, check_drift
from deepfake_lightning.schemas.environment import read_environment
from deepfake_lightning.steps import steps
from deepfake_lightning.storage import Workspace

if TYPE_CHECKING:
    from deepfake_lightning.monitoring.alerts import Alert

FIRING = 4
Progress = Callable[[str, int, int], None]
_WAIT_S = 60.0


def check_once(
    workspace: Workspace, place: str | Path, environment: str, *, now_us: int, json: bool
) -> int:
    """Judge once, print what was found, and return the exit code.

    Raises:
        UsageError: a policy or an address cannot work.
        DataError: the state of the alerts is damaged.
        StorageError: another process was at it for a minute.
    """
    console = Console(stderr=json)
    with steps(console) as progress:
        drift, fault = _drift(workspace, place, environment, now_us, progress)
        progress("alerts", 0, 0)
        found = check_alerts(workspace, place, environment=environment, now_us=now_us)
    damaged = _damaged(workspace, environment)
    if json:
        judged = [one.to_dict() for one in drift]
        record = {**found.to_dict(), "drift": judged, "drift_fault": fault,
                  "environment_fault": damaged}  # fmt: skip
        sys.stdout.write(dumps(record, allow_nan=False) + "\n")
    else:
        told = [f"drift is not judged: {fault}"] if fault else []
        told += [f"what serves is not known: {damaged}"] if damaged else []
        say(console, [*told, *lines(environment, found, drift)])
    if found.fault or ((fault or damaged) and not found.firing):
        return 1
    return FIRING if found.firing else 0


def _damaged(workspace: Workspace, environment: str) -> str | None:
    """Return what is wrong with an environment's file; None where it is well, or not there."""
    path = workspace.environments / f"{environment}.json"
    try:
        if path.is_file():
            read_environment(path)
    except DeepfakeLightningError as error:
        return error.what
    return None


def _drift(
    workspace: Workspace, place: str | Path, environment: str, now_us: int, progress: Progress
) -> tuple[list[DriftRecord], str | None]:
    """Return the windows that were judged, and what went wrong: alerts are judged all the same."""
    try:
        with sole_round(workspace, seconds=_WAIT_S), opened(place) as (log, why):
            if log is None:
                return [], why or f"{missing(place).what}: start a server, or pass --log"
            sum_up(log)
            found = check_drift(
                log, workspace, environment=environment, now_us=now_us,
                progress=lambda done, total: progress("drift", done, total),
            )  # fmt: skip
            return found, None
    except StorageError as error:
        return [], error.what


def lines(environment: str, found: AlertRound, drift: list[DriftRecord]) -> Iterator[str]:
    """Return a round in sentences."""
    for record in drift:
        score = "not judged" if record.score is None else f"drift score {record.score:.2f}"
        yield f"drift: {record.version}: {score}{_moved(record)}"
        if record.moved or record.score is None:
            yield from (f"  {reason}" for reason in record.reasons)
    for alert in found.firing:
        yield from _alert(alert)
    pending = sum(one.state == "pending" for one in found.alerts)
    yield f"{environment}: {len(found.firing):,} firing, {pending:,} pending"
    for one in found.undelivered:
        state = "given up" if one.given_up else "is tried again"
        yield f"not delivered by {one.channel}, {state}: {one.fault}"
    if found.fault:
        yield f"the state of alerts could not be kept: {found.fault}"
    yield (
        "next: deepfake-lightning alerts list"
        if found.alerts
        else (f"next: deepfake-lightning monitor --env {environment}")
    )


def _moved(record: DriftRecord) -> str:
    if not record.moved:
        return ""
    names = ", ".join(record.moved_features)
    return f", {'drifting' if record.confirmed else 'moved in this window'}: {names}"


def _alert(alert: Alert) -> Iterator[str]:
    seen = f" ({alert.acknowledged_by} has seen it)" if alert.acknowledged_by else ""
    yield f"{alert.severity}: {alert.subject}: {alert.says}{seen}"
    if alert.next_step:
        yield f"  {alert.next_step}"
