"""What is known when it is decided whether to train again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from deepfake_lightning.bundle.load import EVALUATION
from deepfake_lightning.deployment.environment import Environment, main_version
from deepfake_lightning.monitoring.alerts.detection import own_figure
from deepfake_lightning.monitoring.drift import read_drift
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.windows import AuditedQuality, Period, Scope, audited_quality
from deepfake_lightning.registry import Registry
from deepfake_lightning.retraining.new_items import NewItems
from deepfake_lightning.retraining.record import COLLECTED, LoopRecord, Loops
from deepfake_lightning.retraining.triggers import LastLoop, Observed, Quality
from deepfake_lightning.schemas.calibration import MediaType
from deepfake_lightning.schemas.measured import Measured
from deepfake_lightning.storage import Workspace

_DAY_US = 86_400_000_000
_WINDOW_DAYS = 30
_SHORTEST_US = 5 * 60 * 1_000_000  # of a period


def observe(
    log: LogDatabase | None,
    workspace: Workspace,
    environment: str,
    version: str,
    *,
    now_us: int,
    new: NewItems,
    least_labels: int,
    by_hand: str | None = None,
) -> Observed:
    """Return what is known.

    Args:
        log: the prediction log; None where there is none.
        workspace: whose.
        environment: whose version it is about.
        version: that serves there.
        now_us: the time, microseconds since 1970, UTC.
        new: what there is to train on.
        least_labels: audited ones of which it can be told how good a version is.
        by_hand: the reason of whoever asks for a training; None where nobody does.

    Raises:
        StorageError: the log could not be read.
        DataError: the record of a loop is damaged.
    """
    loops = Loops(workspace)
    ended = [one for one in loops.all(environment) if one.outcome is not None]
    last = ended[-1] if ended else None
    had_turn = [one for one in ended if one.outcome != "failed"]
    since = had_turn[-1].started_us if had_turn else None
    if since is None:
        registered = Registry(workspace).get(version).registration.registered
        since = round(datetime.fromisoformat(registered).timestamp() * 1e6)
    real, fake = new.new_labels(since)
    versions = Environment(workspace, environment).record().versions
    observed = Observed(
        now_us, version, since, real=real, fake=fake, by_hand=by_hand,
        files=_fresh(new, since, _collected(loops, had_turn)),
        last=None if last is None or last.outcome is None
        else LastLoop(last.finished_us or last.started_us, last.outcome),
        sharing=versions if len(versions) > 1 else (),
    )  # fmt: skip
    if log is None:
        return observed
    return replace(
        observed,
        quality=_quality(log, workspace, environment, version, now_us, least_labels),
        drift=_drift(log, environment, version, since),
    )


def serves_since(workspace: Workspace, environment: str, version: str) -> int | None:
    """Return from when on a version has had most of the traffic without a break, microseconds.

    None where the history does not tell.
    """
    since = None
    for one in Environment(workspace, environment).history.done(environment):
        if main_version(one.after) != version:
            since = None
        elif since is None:
            since = round(datetime.fromisoformat(one.at).timestamp() * 1e6)
    return since


def _fresh(new: NewItems, since_us: int, collected: set[str]) -> int:
    """Return how many files had no turn yet: a change of rights makes no file new."""
    files = [one for one in new.items if not one.request and one.ts_us > since_us]
    return sum(one.key not in collected for one in files)


def _collected(loops: Loops, records: Sequence[LoopRecord]) -> set[str]:
    """Return the keys of all that loops have collected."""
    keys: set[str] = set()
    for one in records:
        path = loops.folder(one.number) / COLLECTED
        if path.is_file():
            keys.update(item["key"] for item in json.loads(path.read_text("utf-8"))["items"])
    return keys


def _quality(
    log: LogDatabase,
    workspace: Workspace,
    environment: str,
    version: str,
    now_us: int,
    least_labels: int,
) -> Quality | None:
    """Return the audited quality of the kind of media that is furthest below its own figure.

    Kinds with enough labels go first.
    """
    start = max(now_us - _WINDOW_DAYS * _DAY_US, serves_since(workspace, environment, version) or 0)
    period = Period(min(start, now_us - _SHORTEST_US), now_us)
    measured = _measured(workspace, version)
    found: list[Quality] = []
    kinds: tuple[MediaType, ...] = ("image", "video")
    for media in kinds:
        scope = Scope(environment=environment, version=version, media_type=media)
        audited = audited_quality(log, period, scope).get((version, "serving"))
        own = None if measured is None else own_figure(measured, media)
        reference = None if own is None else own.balanced_accuracy.value
        if audited is not None and audited.balanced_accuracy is not None:
            found.append(_compared(audited, reference))
    return max(
        found, default=None,
        key=lambda one: (one.labels >= least_labels, (one.reference or 0.0) - one.high),
    )  # fmt: skip


def _compared(audited: AuditedQuality, reference: float | None) -> Quality:
    figure = audited.balanced_accuracy
    assert figure is not None
    return Quality(figure.value, figure.low, figure.high, audited.labels, reference)


def _measured(workspace: Workspace, version: str) -> Measured | None:
    path: Path = Registry(workspace).folder(version) / EVALUATION
    try:
        return Measured.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):  # it was not measured
        return None


def _drift(log: LogDatabase, environment: str, version: str, since_us: int) -> tuple[str, ...]:
    """Return what has moved in the latest window, if the one before says so, too."""
    for one in read_drift(log, environment=environment, version=version, last=1):
        if one.confirmed and one.end_us > since_us:
            return one.reasons or ("drift is confirmed",)
    return ()
