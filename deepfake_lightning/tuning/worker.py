"""A process of a sweep: it trains one trial after another until all are taken.

Started by :func:`deepfake_lightning.tuning.run_sweep` as ``python -m
deepfake_lightning.tuning.worker``, which writes a ``Job`` as JSON to its standard input.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from deepfake_lightning.processes import end_with_parent
from deepfake_lightning.storage import Workspace, write_json
from deepfake_lightning.tuning.job import DONE, INTERRUPTED, WRONG, Job

if TYPE_CHECKING:
    import optuna

    from deepfake_lightning.tuning.sweep import Sweep

_FAILURES_AT_FIRST = 3


def main() -> int:
    """Run a worker; what it prints goes into its log."""
    job = Job(**json.loads(sys.stdin.read()))
    end_with_parent()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, _interrupt)
    sys.path.append(str(Path.cwd()))  # callbacks of one's own, as for `fit`
    from deepfake_lightning.errors import DeepfakeLightningError
    from deepfake_lightning.tuning.claiming import present
    from deepfake_lightning.tuning.trial import TrialInterrupted

    try:
        with present(job.folder, job.name):
            work(job)
    except DeepfakeLightningError as error:
        said = {"kind": type(error).__name__, "what": error.what, "why": error.why,
                "next_step": error.next_step}  # fmt: skip
        write_json(job.error_file, said)
        return WRONG
    except (TrialInterrupted, KeyboardInterrupt):
        return INTERRUPTED
    return DONE


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def work(job: Job) -> None:
    """Take trials and train them until there are none, or time is up.

    Raises:
        DeepfakeLightningError: it is wrong with every trial.
        TrialInterrupted: the process was told to end.
    """
    from deepfake_lightning.tuning.claiming import Desk
    from deepfake_lightning.tuning.space import distributions, setting
    from deepfake_lightning.tuning.study import open_storage, open_study, pruner_for, quiet_optuna
    from deepfake_lightning.tuning.sweep import Sweep
    from deepfake_lightning.tuning.trial import Setting, SweepData, run_trial

    until = None if job.seconds is None else time.monotonic() + job.seconds
    sweep = Sweep(**job.sweep)
    with quiet_optuna():
        storage = open_storage(sweep.storage, job.folder, waits=True)
        study = open_study(sweep, storage)
        study.pruner = pruner_for(sweep, setting(job.settings, "trainer.max_epochs"))
        desk = Desk(sweep, study, job.folder, storage)
        within = distributions(sweep.space, job.settings)
        common = Setting(sweep, Workspace(Path(job.workspace)), SweepData(study), _devices(job))
        while until is None or time.monotonic() < until:
            trial = desk.claim(job.name, within)
            if trial is None:
                return
            with _heartbeat(storage, trial):
                run_trial(common, study, trial)
            _stop_if_all_fail(sweep, study)


def _devices(job: Job) -> str | None:
    """Return the device of a worker's trials: with several GPUs, its own."""
    trainer = job.settings["trainer"]
    if trainer["devices"] != "auto":
        return None
    import torch

    count = torch.cuda.device_count()
    if trainer["accelerator"] in ("auto", "gpu", "cuda") and count > 1:
        return f"[{job.place % count}]"
    return "1"


@contextmanager
def _heartbeat(storage: optuna.storages.BaseStorage, trial: optuna.Trial) -> Iterator[None]:
    """Tell a database every minute that a trial is alive, for those on other machines."""
    from deepfake_lightning.errors import StorageError
    from deepfake_lightning.tuning.database import HEARTBEAT_SECONDS, PatientStorage

    if not isinstance(storage, PatientStorage):
        yield
        return
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            with suppress(StorageError):  # which the training will meet, too
                storage.record_heartbeat(trial._trial_id)

    storage.record_heartbeat(trial._trial_id)
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _stop_if_all_fail(sweep: Sweep, study: optuna.Study) -> None:
    """End a sweep whose first trials have all failed: the next would, too."""
    from optuna.trial import TrialState

    from deepfake_lightning.errors import UsageError

    trials = study.get_trials(deepcopy=False)
    if any(one.state in (TrialState.COMPLETE, TrialState.PRUNED) for one in trials):
        return
    failed = [one for one in trials if "reason" in one.user_attrs]
    if len(failed) >= _FAILURES_AT_FIRST:
        raise UsageError(
            f"the first {len(failed)} trials have all failed: {failed[-1].user_attrs['reason']}",
            why="the next ones would fail, too",
            next_step=f"run the base alone: deepfake-lightning fit --config {sweep.base}",
        )


if __name__ == "__main__":
    sys.exit(main())
