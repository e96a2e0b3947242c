"""The loop: from what production showed to a version that may take its place, or a reason why not.

One loop at a time works in a workspace. What is done is noted step by step: a loop whose process
was killed is taken up by the next one, at the step that it was at, and so is one in which something
failed after the training. Production goes on as it is until the last step changes it, in one move.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from deepfake_lightning.errors import DeepfakeLightningError, StorageError, UsageError
from deepfake_lightning.monitoring.log import PredictionLog
from deepfake_lightning.registry.registering import user
from deepfake_lightning.retraining.alerting import tell_failure
from deepfake_lightning.retraining.base import Base, base_of, serving
from deepfake_lightning.retraining.collecting import NewItems, find_new
from deepfake_lightning.retraining.erasing import clear_closed, sweep
from deepfake_lightning.retraining.observing import observe, with_labels
from deepfake_lightning.retraining.policy import RetrainPolicy
from deepfake_lightning.retraining.record import (
    MOST_DEATHS,
    LoopRecord,
    Loops,
    Step,
    StepRecord,
)
from deepfake_lightning.retraining.steps import STEPS, Progress, Refused, Work, drop_erased
from deepfake_lightning.retraining.triggers import Trigger, judge
from deepfake_lightning.storage import Workspace, lock

logger = logging.getLogger(__name__)

_ORDER: tuple[Step, ...] = get_args(Step)


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
    """

    trigger: Trigger
    base: Base
    new: NewItems
    unfinished: LoopRecord | None
    has_log: bool


def look(setting: Setting, by_hand: str | None = None) -> Look:
    """Return whether a detector is to be trained again; nothing is changed.

    Raises:
        UsageError: nothing serves, or its training is not in the workspace.
        StorageError: the log could not be read.
        DataError: the record of a loop is damaged.
    """
    with opened(setting.log_place) as log:
        return _looked(setting, log, by_hand)


@dataclass(frozen=True)
class Ended:
    """What a call came to.

    Attributes:
        look: what was found; None where a loop was gone on with.
        loop: as it ended; None where nothing was to be done.
    """

    look: Look | None
    loop: LoopRecord | None


def retrain(setting: Setting, by_hand: str | None = None, *, fresh: bool = False) -> Ended:
    """Decide once, and train if it is due; or go on with a loop that was interrupted.

    Args:
        setting: where and how.
        by_hand: the reason of whoever asks for a training; None where nobody does.
        fresh: begin anew, and not with a loop that was interrupted or has failed.

    Raises:
        KeyboardInterrupt: somebody ended it; the next call goes on.
        UsageError: another loop is at work, nothing serves, or its training is not there.
        DeepfakeLightningError: what stopped the loop; it is noted, and told to the channels of the
            alerts.
    """
    with _sole(setting.workspace), opened(setting.log_place) as log:
        if log is not None:
            sweep(setting.workspace, log)
        loops, seen = Loops(setting.workspace), None
        record = None if fresh else unfinished(loops, setting.environment)
        if record is not None and record.outcome is None and record.deaths >= MOST_DEATHS:
            raise _given_up(setting, loops, record)
        if record is None or record.outcome is not None:
            seen = _looked(setting, log, by_hand)
            if not seen.trigger.fires or (record is None and not seen.new.items):
                return Ended(seen, None)
        if record is None and seen is not None:
            _close(loops, setting)
            record = loops.begin(setting.environment, seen.base.version, setting.by or user(),
                                 seen.trigger.to_dict(), setting.clock())  # fmt: skip
            clear_closed(setting.workspace)
        assert record is not None
        policy = RetrainPolicy.model_validate(record.trigger["policy"])
        base = base_of(setting.workspace, record.base, policy)
        work = Work(setting.workspace, record, base, policy, log, setting.workers,
                    setting.environ, setting.progress)  # fmt: skip
        return Ended(seen, _worked(setting, loops, work))


def unfinished(loops: Loops, environment: str) -> LoopRecord | None:
    """Return the loop to go on with: interrupted, or failed after a training that is of use."""
    last = loops.latest(environment)
    return last if last is not None and last.goes_on else None


@contextmanager
def opened(place: str | Path) -> Iterator[PredictionLog | None]:
    """Give the prediction log; None where nothing has written one yet.

    Raises:
        StorageError: it cannot be opened.
    """
    is_file = isinstance(place, Path) or "://" not in place
    if is_file and not Path(place).is_file():
        yield None
        return
    with PredictionLog(place) as log:
        yield log


def _looked(setting: Setting, log: PredictionLog | None, by_hand: str | None) -> Look:
    place, environment, policy = setting.workspace, setting.environment, setting.policy
    setting.progress("looking at production", 0, 0)
    base = base_of(place, serving(place, environment), policy)
    new = find_new(
        log, place, environment, policy, files_since_us=base.trained_us,
        known_files=base.files, group_pattern=base.data.get("group_pattern"),
    )  # fmt: skip
    observed = observe(log, place, environment, base.version, now_us=setting.clock(),
                       known_files=base.files, by_hand=by_hand)  # fmt: skip
    trigger = judge(policy, with_labels(observed, new))
    going = unfinished(Loops(place), environment)
    return Look(trigger, base, new, going, log is not None)


def _close(loops: Loops, setting: Setting) -> None:
    """End a loop that was interrupted and is not gone on with."""
    last = loops.latest(setting.environment)
    if last is not None and last.outcome is None:
        update = {"outcome": "failed", "finished_us": setting.clock(),
                  "note": "another one was begun in its place"}  # fmt: skip
        loops.keep(last.model_copy(update=update))


def _given_up(setting: Setting, loops: Loops, record: LoopRecord) -> StorageError:
    """End a loop whose process died again and again, and tell so; return the error to raise."""
    step = next(one for one in _ORDER if one not in record.steps)
    note = f"its process died {record.deaths} times at this step"
    update = {"outcome": "failed", "finished_us": setting.clock(), "step": step, "note": note,
              "failures": record.failures + 1}  # fmt: skip
    tell_failure(setting.workspace, loops.keep(record.model_copy(update=update)))
    clear_closed(setting.workspace)
    return StorageError(
        f"loop {record.number} is given up at the step {step}: {note}",
        why="something kills it each time, as a rule the lack of memory",
        next_step=f"look at {loops.folder(record.number)}, then deepfake-lightning retrain "
        f"--env {record.environment} --reason again, which begins anew",
    )


def _worked(setting: Setting, loops: Loops, work: Work) -> LoopRecord:
    """Do the steps that are not done."""
    deaths = work.record.deaths
    begun = {"attempts": work.record.attempts + 1, "deaths": deaths + 1,
             "outcome": None, "finished_us": None, "note": ""}  # fmt: skip
    work.record = loops.keep(work.record.model_copy(update=begun))
    step: Step = "collect"
    try:
        for step in _ORDER:
            if step == "goal" and work.policy.goal == "staging":
                continue
            if step == "train" and drop_erased(work):
                _do("merge", setting, loops, work)  # without what was erased since
            if step not in work.record.steps:
                _do(step, setting, loops, work)
    except Refused as refused:
        ended = _ended(loops, work, "refused", setting.clock(), step, str(refused))
        clear_closed(setting.workspace)
        return ended
    except KeyboardInterrupt:  # somebody's wish, and no death
        loops.keep(_alive(work.record, deaths))
        raise
    except Exception as error:
        note = error.what if isinstance(error, DeepfakeLightningError) else repr(error)
        work.record = _alive(work.record, deaths)
        failed = _ended(loops, work, "failed", setting.clock(), step, note)
        tell_failure(setting.workspace, failed)
        clear_closed(setting.workspace)
        raise
    return _ended(loops, work, "done", setting.clock(), None, "")


def _alive(record: LoopRecord, deaths: int) -> LoopRecord:
    """Return the record of a process that ends by itself, and found so many deaths."""
    return record.model_copy(update={"deaths": min(record.deaths, deaths)})


def _do(step: Step, setting: Setting, loops: Loops, work: Work) -> None:
    started = setting.clock()
    result = STEPS[step](work)
    done = StepRecord(started_us=started, finished_us=setting.clock(), result=result)
    update = {"steps": {**work.record.steps, step: done}, "deaths": 0,
              "version": result.get("version", work.record.version)}  # fmt: skip
    work.record = loops.keep(work.record.model_copy(update=update))
    if result.get("goes") is False:
        raise Refused("; ".join(result["says"]))


def _ended(
    loops: Loops, work: Work, outcome: str, at_us: int, step: Step | None, note: str
) -> LoopRecord:
    failures = work.record.failures + (outcome == "failed")
    return loops.keep(
        work.record.model_copy(
            update={"outcome": outcome, "finished_us": at_us, "step": step, "note": note,
                    "failures": failures}
        )
    )  # fmt: skip


@contextmanager
def _sole(workspace: Workspace) -> Iterator[None]:
    """Be the only loop of a workspace.

    Raises:
        UsageError: another one is at work.
    """
    guard = lock(workspace.retraining / "loop", timeout=0.5)
    try:
        guard.__enter__()
    except StorageError as error:
        if "locked by another" not in error.what:
            raise
        raise UsageError(
            "another retraining is at work in this workspace",
            why="two of them would train on the same media, and deploy over each other",
            next_step="wait for it to end; deepfake-lightning retrain --dry_run true shows it",
        ) from error
    try:
        yield
    finally:
        guard.__exit__(None, None, None)
