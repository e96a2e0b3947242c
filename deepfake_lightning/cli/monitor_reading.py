"""What ``monitor`` shows, read from the log and the workspace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deepfake_lightning.errors import StorageError, UsageError
from deepfake_lightning.monitoring.alerts import Alert, read_alerts
from deepfake_lightning.monitoring.drift import DriftRecord, read_drift
from deepfake_lightning.monitoring.log import PredictionLog
from deepfake_lightning.monitoring.log.records import Variant
from deepfake_lightning.monitoring.log.rollups import make_rollups
from deepfake_lightning.monitoring.windows import (
    AuditedQuality,
    Period,
    RecentPrediction,
    Scope,
    Series,
    Window,
    audited_quality,
    parse_period,
    read_series,
    read_window,
    recent_predictions,
)
from deepfake_lightning.storage import Workspace

_DRIFT_RECORDS = 50


@dataclass(frozen=True)
class Shown:
    """What is on the screen at a time.

    Attributes:
        log: name of the prediction log.
        now_us: when it was read.
        window, series, audited: of the period.
        drift: the latest judged window of each version.
        alerts: as the last round left them; firing first.
        latest: the latest requests.
    """

    log: str
    now_us: int
    window: Window
    series: Series
    audited: Mapping[tuple[str, Variant], AuditedQuality]
    drift: Mapping[str, DriftRecord]
    alerts: tuple[Alert, ...]
    latest: tuple[RecentPrediction, ...]


def read_shown(
    log: PredictionLog, workspace: Workspace, period: str, scope: Scope, *, now_us: int
) -> Shown:
    """Return what there is to show.

    Raises:
        StorageError: the log could not be read.
        DataError: the state of the alerts is damaged.
    """
    chosen = parse_period(period, now_us=now_us)
    found = read_drift(log, environment=scope.environment, version=scope.version,
                       last=_DRIFT_RECORDS)  # fmt: skip
    return Shown(
        log=log.name,
        now_us=now_us,
        window=read_window(log, chosen, scope),
        series=read_series(log, chosen, scope),
        audited=audited_quality(log, chosen, scope),
        drift={one.version: one for one in found if one.score is not None},
        alerts=tuple(
            one for one in read_alerts(workspace)
            if one.open and one.environment in (None, scope.environment)
        ),
        latest=tuple(recent_predictions(log, scope)),
    )  # fmt: skip


def is_there(place: str | Path) -> bool:
    """Whether there is a log: a database may be, a file has to be."""
    return (isinstance(place, str) and "://" in place) or Path(place).is_file()


def missing(place: str | Path) -> UsageError:
    """Return what is to be said where there is no log."""
    return UsageError(
        f"there is no prediction log at {place}",
        why="no server has answered a request of this workspace yet",
        next_step="deepfake-lightning serve --env production; or pass --workspace or --log",
    )


@contextmanager
def existing(place: str | Path) -> Iterator[PredictionLog]:
    """Open a log, and make none.

    Raises:
        UsageError: there is none, or its address cannot work.
        StorageError: it cannot be opened.
    """
    if not is_there(place):
        raise missing(place)
    with PredictionLog(place) as log:
        yield log


def sum_up(log: PredictionLog) -> None:
    """Make the roll-ups that are due, so that the last minutes are in; a log that is busy waits."""
    try:
        make_rollups(log)
    except StorageError:  # a full disk, a log that may only be read: ``stale_minutes`` tells
        return


def only_version(log: PredictionLog, period: Period, scope: Scope) -> str:
    """Return the version that answered in a period.

    Raises:
        UsageError: none did, or several.
    """
    window = read_window(log, period, scope)
    found = [version for version, variant in window.by_version if version and variant == "serving"]
    if len(found) == 1:
        return found[0]
    raise UsageError(
        f"{scope.environment} had {'no' if not found else 'several'} versions answering in the "
        f"{period.says}",
        next_step=f"pass --version, one of {', '.join(found)}" if found else "pass --period",
    )
