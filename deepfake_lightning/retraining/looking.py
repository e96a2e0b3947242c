"""A look at production, after which a detector is trained again, or not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from deepfake_lightning.monitoring.log import PredictionLog, existing_log
from deepfake_lightning.retraining.base import Base, base_of, serving
from deepfake_lightning.retraining.collecting import find_new
from deepfake_lightning.retraining.new_items import NewItems
from deepfake_lightning.retraining.observing import observe
from deepfake_lightning.retraining.policy import RetrainPolicy
from deepfake_lightning.retraining.record import LoopRecord, Loops
from deepfake_lightning.retraining.triggers import Trigger, judge
from deepfake_lightning.retraining.work import Progress
from deepfake_lightning.storage import Workspace, is_locked


def now_us() -> int:
    """Return the time in microseconds since 1970, UTC."""
    return time.time_ns() // 1000


@dataclass(frozen=True)
class Setting:
    """Where a loop works, and how.

    Attributes:
        workspace: whose.
        environment: whose version is trained again.
        log_place: of the prediction log, a path or URL.
        policy: when, on what and how.
        by: who asks; None: the user of this process.
        workers: processes; None: as many as there are cores.
        environ: variables of the process that trains, beside this one's.
        progress: told what is done, how much of it, and how much there is (0: unknown).
        clock: the time in microseconds since 1970, UTC.
    """

    workspace: Workspace
    environment: str
    log_place: str | Path
    policy: RetrainPolicy
    by: str | None = None
    workers: int | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    progress: Progress = lambda what, done, total: None
    clock: Callable[[], int] = now_us


@dataclass(frozen=True)
class Look:
    """What was found when it was looked whether to train.

    Attributes:
        trigger: whether to, and why.
        base: the version that serves.
        new: what there is to train on.
        unfinished: a loop to go on with, whatever the trigger says; None where there is none.
        has_log: whether there is a prediction log.
        busy: whether another process is at work in the workspace.
        at_work: the loop that it is at, of whatever environment; None where it has not begun one.
    """

    trigger: Trigger
    base: Base
    new: NewItems
    unfinished: LoopRecord | None
    has_log: bool
    busy: bool = False
    at_work: LoopRecord | None = None


def look(setting: Setting, by_hand: str | None = None) -> Look:
    """Return whether a detector is to be trained again; nothing is changed.

    Raises:
        UsageError: nothing serves, or its training is not in the workspace.
        StorageError: the log could not be read.
        DataError: the record of a loop is damaged.
    """
    with existing_log(setting.log_place) as log:
        found, loops = look_with(setting, log, by_hand), Loops(setting.workspace)
    if not is_locked(loops.guard):
        return found
    return replace(found, busy=True, at_work=loops.last_under_way(),
                   unfinished=unfinished(loops, setting.environment))  # fmt: skip


def look_with(setting: Setting, log: PredictionLog | None, by_hand: str | None) -> Look:
    """Return what :func:`look` does, with a log that is open; None where there is none."""
    place, environment, policy = setting.workspace, setting.environment, setting.policy
    setting.progress("looking at production", 0, 0)
    base = base_of(place, serving(place, environment), policy)
    new = find_new(
        log, place, environment, policy, files_since_us=base.began_us,
        known_files=base.files, learnt=base.learnt(), group_pattern=base.data.get("group_pattern"),
    )  # fmt: skip
    observed = observe(
        log, place, environment, base.version, now_us=setting.clock(), new=new, by_hand=by_hand,
        least_labels=policy.performance.labels if policy.performance is not None else 0,
    )  # fmt: skip
    trigger = judge(policy, observed)
    going = unfinished(Loops(place), environment)
    return Look(trigger, base, new, going, log is not None)


def unfinished(loops: Loops, environment: str) -> LoopRecord | None:
    """Return the loop to go on with: interrupted, or failed after a training that is of use."""
    last = loops.latest(environment)
    return last if last is not None and last.goes_on else None
