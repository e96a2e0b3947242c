"""Who trains which trial: none twice, none lost when a process is killed."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from deepfake_lightning.storage import lock
from deepfake_lightning.tuning.database import PATIENCE_SECONDS, PatientStorage
from deepfake_lightning.tuning.study import sampler_for
from deepfake_lightning.tuning.sweep import Sweep

_ATTEMPTS = 2  # what kills its process twice is not tried a third time
_NAMELESS_SECONDS = 60.0
_HURRIED_SECONDS = 5.0


@contextmanager
def present(folder: Path, worker: str) -> Iterator[None]:
    """Hold a worker's lock for as long as it lives: the kernel gives it back however it ends."""
    guard = FileLock(_guard(folder, worker))
    Path(guard.lock_file).parent.mkdir(parents=True, exist_ok=True)
    with guard:
        yield


def is_present(folder: Path, worker: str) -> bool:
    """Whether a worker lives.

    Its loader processes inherit the lock; they notice within seconds that it is gone, and end.
    """
    if not _guard(folder, worker).exists():
        return False
    try:
        with FileLock(_guard(folder, worker), timeout=0):
            return False
    except Timeout:
        return True


def _guard(folder: Path, worker: str) -> Path:
    return folder / "workers" / f"{worker}.lock"


def sole_here(folder: Path) -> AbstractContextManager[None]:
    """Let in one process at a time, of those that share the study's folder.

    Raises:
        StorageError: another was in there all the time.
    """
    # Who is in there may be waiting for the database.
    return lock(folder / "trials", timeout=PATIENCE_SECONDS + 60)


@contextmanager
def sole(storage: BaseStorage, folder: Path, study: str) -> Iterator[None]:
    """Let in one process at a time: a lock in the study's folder, and one in the database.

    Machines that share a PostgreSQL database need not share a folder.

    Raises:
        StorageError: another was in there all the time, or the database was away.
    """
    database = storage.alone(study) if isinstance(storage, PatientStorage) else nullcontext()
    with sole_here(folder), database:
        yield


@dataclass(frozen=True)
class Desk:
    """Where trials are handed out, to one process at a time.

    Args:
        sweep: how many trials there are to be.
        study: Optuna's.
        folder: of the study.
        storage: of the study.
    """

    sweep: Sweep
    study: optuna.Study
    folder: Path
    storage: BaseStorage

    def trials(self) -> list[FrozenTrial]:
        """Return all trials as they are stored now."""
        return self.study.get_trials(deepcopy=False)

    def claim(
        self, worker: str, distributions: Mapping[str, BaseDistribution]
    ) -> optuna.Trial | None:
        """Return the next trial for a worker, None where all are taken."""
        with self._alone():
            self._take_up_lost()
            trials = self.trials()
            if taken(trials) >= self.sweep.trials:
                return None
            self.study.sampler = sampler_for(self.sweep, len(trials))
            trial = self.study.ask(dict(distributions))
            owner = {"worker": worker, "host": socket.gethostname(), "pid": os.getpid(),
                     "folder": str(self.folder.absolute())}  # fmt: skip
            trial.set_user_attr("owner", owner)
            return trial

    def take_up_lost(self) -> None:
        """Fail the trials of workers that are gone, and put their values in line again, once."""
        with self._alone():
            self._take_up_lost()

    def hurry(self) -> None:
        """Wait no more than seconds for a database that is away: somebody waits for the end."""
        if isinstance(self.storage, PatientStorage):
            self.storage.patience = min(self.storage.patience, _HURRIED_SECONDS)

    def _alone(self) -> AbstractContextManager[None]:
        return sole(self.storage, self.folder, self.sweep.study)

    def _take_up_lost(self) -> None:
        optuna.storages.fail_stale_trials(self.study)  # of other machines, in a database
        for one in self.trials():
            if one.state == TrialState.RUNNING and self._is_lost(one):
                self.study.tell(one.number, state=TrialState.FAIL)
        trials = self.trials()
        known = taken_up(trials)
        for one in trials:
            if is_unfinished(one) and one.number not in known and not is_done(one):
                self._again(one)

    def _is_lost(self, trial: FrozenTrial) -> bool:
        owner = trial.user_attrs.get("owner")
        if owner is None:  # its process was killed as it took it, or is just about to name itself
            begun = trial.datetime_start
            age = (datetime.now() - begun).total_seconds() if begun else 0.0
            return age > _NAMELESS_SECONDS
        own = self.folder.absolute()
        # A journal is shared with the folder it is in; a database is by folders of many places,
        # also of containers that have host and path in common: where no file tells, heartbeats do.
        here = owner["host"] == socket.gethostname()
        folder = Path(owner.get("folder", own)) if here else own
        is_shared = here and folder == own and not isinstance(self.storage, PatientStorage)
        known = is_shared or _guard(folder, owner["worker"]).exists()
        return known and not is_present(folder, owner["worker"])

    def _again(self, trial: FrozenTrial) -> None:
        values = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
        interrupted = trial.user_attrs.get("interrupted", False)
        count = attempts(trial) - 1 if interrupted else attempts(trial)
        attributes: dict[str, Any] = {"again": trial.number, "attempts": count}
        if trial.user_attrs.get("default"):
            attributes["default"] = True
        self.study.enqueue_trial(values, user_attrs=attributes)


def attempts(trial: FrozenTrial) -> int:
    """Return how often a trial's values have been tried, this time included."""
    return int(trial.user_attrs.get("attempts", 0)) + 1


def is_unfinished(trial: FrozenTrial) -> bool:
    """Whether a trial failed through no fault of its own: interrupted, or its process killed."""
    return trial.state == TrialState.FAIL and "reason" not in trial.user_attrs


def taken_up(trials: Sequence[FrozenTrial]) -> set[int]:
    """Return the numbers of trials whose values were put in line again."""
    return {one.user_attrs["again"] for one in trials if "again" in one.user_attrs}


def is_done(trial: FrozenTrial) -> bool:
    """Whether a trial came to an end that counts: complete, pruned, or failed for good."""
    if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
        return True
    gave_up = is_unfinished(trial) and attempts(trial) >= _ATTEMPTS
    return trial.state == TrialState.FAIL and (
        "reason" in trial.user_attrs or (gave_up and not trial.user_attrs.get("interrupted"))
    )


def taken(trials: Sequence[FrozenTrial]) -> int:
    """Return how many trials are done or under way."""
    return sum(is_done(one) or one.state == TrialState.RUNNING for one in trials)
