"""What is known when it is decided whether to train again."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
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
from deepfake_lightning.retraining.dropped import key_of, new_files
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
    known_files: Callable[[], Collection[Path]] = frozenset,
    by_hand: str | None = None,
) -> Observed:
    """Return what is known, but for new labels, which :func:`with_labels` adds.

    Args:
        log: the prediction log; None where there is none.
        workspace: whose.
        environment: whose version it is about.
        version: that serves there.
        now_us: the time, microseconds since 1970, UTC.
        known_files: gives the files of the training data, resolved; they are not new.
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
    files = new_files(workspace, since)
    if files:
        files = _fresh(files, known_files(), _collected(loops, had_turn))
    versions = Environment(workspace, environment).record().versions
    observed = Observed(
        now_us, version, since, files=len(files), by_hand=by_hand,
        last=None if last is None or last.outcome is None
        else LastLoop(last.finished_us or last.started_us, last.outcome),
        sharing=versions if len(versions) > 1 else (),
    )  # fmt: skip
    if log is None:
        return observed
    return replace(
        observed,
        quality=_quality(log, workspace, environment, version, now_us),
        drift=_drift(log, environment, version, since),
    )


def with_labels(observed: Observed, found: NewItems) -> Observed:
    """Return what is known, with the labels that came since the latest training."""
    real, fake = found.new_labels(observed.since_us)
    return replace(observed, real=real, fake=fake)


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


def _fresh(files: Sequence[Path], known: Collection[Path], collected: set[str]) -> list[Path]:
    """Return the files that nothing was trained on: a change of rights makes no file new."""
    places = [path.resolve() for path in files]
    return [path for path in places if path not in known and key_of(path) not in collected]


def _collected(loops: Loops, records: Sequence[LoopRecord]) -> set[str]:
    """Return the keys of all that loops have collected."""
    keys: set[str] = set()
    for one in records:
        path = loops.folder(one.number) / COLLECTED
        if path.is_file():
            keys.update(item["key"] for item in json.loads(path.read_text("utf-8"))["items"])
    return keys


def _quality(
    log: LogDatabase, workspace: Workspace, environment: str, version: str, now_us: int
) -> Quality | None:
    """Return the audited quality of the kind of media that is furthest below its own figure."""
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
    return max(found, key=lambda one: (one.reference or 0.0) - one.high, default=None)


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
