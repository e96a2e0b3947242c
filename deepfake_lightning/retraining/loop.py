"""The loop: from what production showed to a version that may take its place, or a reason why not.

One loop at a time works in a workspace. What is done is noted step by step: a loop whose process
was killed is taken up by the next one, at the step that it was at, and so is one in which something
failed after the training, or the training's own process died. Production goes on as it is until the
last step changes it, in one move.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import get_args

from deepfake_lightning.errors import BusyError, DeepfakeLightningError, StorageError
from deepfake_lightning.monitoring.log import existing_log
from deepfake_lightning.registry.registering import user
from deepfake_lightning.retraining.alerting import tell, tell_again
from deepfake_lightning.retraining.base import base_of
from deepfake_lightning.retraining.erasing import clear_closed, sweep
from deepfake_lightning.retraining.looking import Look, Setting, look_with, unfinished
from deepfake_lightning.retraining.policy import RetrainPolicy
from deepfake_lightning.retraining.record import (
    MOST_DEATHS,
    LoopRecord,
    Loops,
    Step,
    StepRecord,
)
from deepfake_lightning.retraining.steps import STEPS, drop_erased, is_whole
from deepfake_lightning.retraining.work import Refused, Work
from deepfake_lightning.storage import Workspace, lock

_ORDER: tuple[Step, ...] = get_args(Step)


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
        BusyError: another loop is at work.
        UsageError: nothing serves, or its training is not there.
        DeepfakeLightningError: what stopped the loop; it is noted, and told to the channels of the
            alerts.
    """
    with _sole(setting.workspace), existing_log(setting.log_place) as log:
        tell_again(setting.workspace, now_us=setting.clock())
        if log is not None:
            sweep(setting.workspace, log)
        loops, seen = Loops(setting.workspace), None
        record = None if fresh else unfinished(loops, setting.environment)
        if record is not None and record.outcome is None and record.deaths >= MOST_DEATHS:
            raise _given_up(setting, loops, record)
        if record is None or record.outcome is not None:
            seen = look_with(setting, log, by_hand)
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


def _close(loops: Loops, setting: Setting) -> None:
    """End a loop that was interrupted and is not gone on with."""
    last = loops.latest(setting.environment)
    if last is not None and last.outcome is None:
        update = {"outcome": "failed", "finished_us": setting.clock(),
                  "note": "another one was begun in its place"}  # fmt: skip
        loops.keep(last.model_copy(update=update))


def _given_up(setting: Setting, loops: Loops, record: LoopRecord) -> StorageError:
    """End a loop whose process died again and again, and tell so; return the error to raise."""
    step = record.at_step
    note = f"its process died {record.deaths} times at this step"
    update = {"outcome": "failed", "finished_us": setting.clock(), "step": step, "note": note,
              "failures": record.failures + 1}  # fmt: skip
    tell(setting.workspace, loops.keep(record.model_copy(update=update)), now_us=setting.clock())
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
    begun = {"attempts": work.record.attempts + 1, "deaths": deaths + 1, "resumes": False,
             "outcome": None, "finished_us": None, "note": ""}  # fmt: skip
    work.record = loops.keep(work.record.model_copy(update=begun))
    step: Step = "collect"
    try:
        for step in _ORDER:
            if step == "goal" and work.policy.goal == "staging":
                continue
            if step == "train" and (drop_erased(work) or _is_torn(work)):
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
        # A death of the training's own process, or a full disk: what it has learnt is of use.
        resumes = step == "train" and isinstance(error, StorageError)
        work.record = work.record.model_copy(update={"resumes": resumes})
        _ended(loops, work, "failed", setting.clock(), step, note)
        clear_closed(setting.workspace)
        raise
    return _ended(loops, work, "done", setting.clock(), None, "")


def _is_torn(work: Work) -> bool:
    """Return whether something was erased since the data were merged that are to be trained on."""
    return {"merge", "train"} & set(work.record.steps) == {"merge"} and not is_whole(work)


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
    update = {"outcome": outcome, "finished_us": at_us, "step": step, "note": note,
              "failures": failures}  # fmt: skip
    ended = loops.keep(work.record.model_copy(update=update))
    tell(work.workspace, ended, now_us=at_us)
    return ended


@contextmanager
def _sole(workspace: Workspace) -> Iterator[None]:
    """Be the only loop of a workspace.

    Raises:
        BusyError: another one is at work.
    """
    guard = lock(Loops(workspace).guard, timeout=0.5)
    try:
        guard.__enter__()
    except StorageError as error:
        if "locked by another" not in error.what:
            raise
        raise BusyError(
            "another retraining is at work in this workspace",
            why="two of them would train on the same media, and deploy over each other",
            next_step="wait for it to end; deepfake-lightning retrain --dry_run true shows it",
        ) from error
    try:
        yield
    finally:
        guard.__exit__(None, None, None)
