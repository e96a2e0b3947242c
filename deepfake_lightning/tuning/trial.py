"""One trial: a training of ``fit`` with the trial's values."""

from __future__ import annotations

import gc
import json
import re
import shutil
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from deepfake_lightning.callbacks import TrialHparams, TrialPruning
from deepfake_lightning.data.audit import AuditReport, check_before_training
from deepfake_lightning.errors import DataError, DeepfakeLightningError
from deepfake_lightning.schemas import Manifest
from deepfake_lightning.storage import RUN_RECORD, Workspace, write_json
from deepfake_lightning.training.run import fit
from deepfake_lightning.tuning.checking import base_flags
from deepfake_lightning.tuning.space import flags
from deepfake_lightning.tuning.sweep import Sweep

_REASON_LENGTH = 300


class TrialInterrupted(Exception):
    """The process was told to end."""


class OtherDataError(DataError):
    """The data are not those that the trials before were measured on."""


class SweepData:
    """Audits the data of a worker's first trial, and holds those of the next ones against them.

    Args:
        study: of the sweep, which keeps the hash of its data.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self._report: AuditReport | None = None

    def __call__(self, manifest: Manifest, allowed: Collection[str]) -> AuditReport:
        """Return the report.

        Raises:
            OtherDataError: pictures were added, taken away or labelled anew since.
            SplitError: there are leaks.
        """
        found = manifest.content_hash()
        if self._study.user_attrs.get("data", found) != found:
            raise OtherDataError(
                f"the data are not those of the trials before: {manifest.origin}",
                why="their values cannot be compared: pictures were added, taken away or labelled "
                "anew",
                next_step="pass --study with another name, to begin anew on the data as they are",
            )
        if self._report is None:
            self._report = check_before_training(manifest, allowed)
            self._study.set_user_attr("data", found)
        return self._report


@dataclass(frozen=True)
class Setting:
    """What a worker's trials have in common.

    Attributes:
        sweep: what is searched.
        workspace: where runs go.
        devices: ``trainer.devices`` of each trial; None: as the base has it.
        data: audits them, and knows them again.
    """

    sweep: Sweep
    workspace: Workspace
    data: SweepData
    devices: str | None = None

    def flags_of(self, trial: optuna.Trial) -> list[str]:
        """Return the arguments of ``fit`` for a trial."""
        objective = self.sweep.objective
        own = {
            "experiment": self.sweep.study,
            "version": run_name(trial.number),
            "workspace": str(self.workspace.root),
            "report": False,
            "register": False,
            "keep_last": False,
            "checkpoint.monitor": objective,
            "checkpoint.mode": "min" if self.sweep.direction == "minimize" else "max",
            "checkpoint.save_weights_only": True,
        }
        if self.devices is not None:
            own["trainer.devices"] = self.devices
        return ["fit", *base_flags(self.sweep), *flags(trial.params), *flags(own)]


def run_name(number: int) -> str:
    """Return the name of a trial's folder."""
    return f"trial_{number:04d}"


def run_trial(setting: Setting, study: optuna.Study, trial: optuna.Trial) -> None:
    """Train, and tell the study what came of it.

    Raises:
        DeepfakeLightningError: it is wrong with every trial: nothing has been trained yet.
        TrialInterrupted: the process was told to end; the trial is to be taken up again.
    """
    clock = time.monotonic()
    pruning = TrialPruning(trial, setting.sweep.objective)
    hparams = TrialHparams(trial.params, setting.sweep.objective)
    try:
        result = fit(setting.flags_of(trial), [pruning, hparams], setting.data)
    except (KeyboardInterrupt, SystemExit) as end:
        _give_back(setting, study, trial)
        raise TrialInterrupted from end
    except Exception as error:
        if _is_of_all(error, study, pruning):
            _give_back(setting, study, trial)
            raise
        _note(trial, clock, reason=_said(error))
        study.tell(trial, state=TrialState.FAIL)
        drop_checkpoints(setting, trial.number)
        return
    finally:
        _free_memory()
    if result.status == "interrupted":
        _give_back(setting, study, trial)
        raise TrialInterrupted
    run = None if result.run_dir is None else result.run_dir.name
    _note(trial, clock, run=run, why=result.stop_reason)
    if result.status == "pruned":
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, result.best_score)
    keep_best(setting, study)


def _is_of_all(error: Exception, study: optuna.Study, pruning: TrialPruning) -> bool:
    """Whether every trial would meet an error: as far as one can tell while none has trained."""
    held = (TrialState.COMPLETE, TrialState.PRUNED)
    begun = pruning.started or study.get_trials(deepcopy=False, states=held)
    return isinstance(error, OtherDataError) or (
        isinstance(error, DeepfakeLightningError) and not begun
    )


def _give_back(setting: Setting, study: optuna.Study, trial: optuna.Trial) -> None:
    trial.set_user_attr("interrupted", True)
    study.tell(trial, state=TrialState.FAIL)
    drop_checkpoints(setting, trial.number)


def _note(trial: optuna.Trial, clock: float, **attributes: Any) -> None:
    trial.set_user_attr("seconds", round(time.monotonic() - clock, 1))
    for name, value in attributes.items():
        trial.set_user_attr(name, value)


def _said(error: Exception) -> str:
    text = error.what if isinstance(error, DeepfakeLightningError) else f"{error}"
    kind = "" if isinstance(error, DeepfakeLightningError) else f"{type(error).__name__}: "
    return f"{kind}{' '.join(text.split())}"[:_REASON_LENGTH]


def _free_memory() -> None:
    """Let go of the trial's network before the next one is built."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def keep_best(setting: Setting, study: optuna.Study) -> None:
    """Delete the checkpoints of all but the best complete trials: a sweep has many."""
    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    kept = {one.number for one in ranked(ended, study)[: setting.sweep.keep]}
    dropped = {one.number for one in ended} - kept
    for folder in _checkpoints(setting, "trial_*"):
        found = re.fullmatch(r"trial_(\d+)(_\d+)?", folder.parent.name)
        if found and int(found[1]) in dropped:
            _drop(folder)


def ranked(trials: list[FrozenTrial], study: optuna.Study) -> list[FrozenTrial]:
    """Return the complete trials, the best first."""
    complete = [one for one in trials if one.state == TrialState.COMPLETE]
    sign = -1.0 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1.0
    return sorted(complete, key=lambda one: (sign * float(one.value or 0.0), one.number))


def drop_checkpoints(setting: Setting, number: int) -> None:
    """Delete a trial's checkpoints; its curves, configuration and record stay."""
    for folder in _checkpoints(setting, f"{run_name(number)}*"):
        if re.fullmatch(rf"{run_name(number)}(_\d+)?", folder.parent.name):
            _drop(folder)


def _checkpoints(setting: Setting, runs: str) -> list[Path]:
    return sorted((setting.workspace.runs / setting.sweep.study).glob(f"{runs}/checkpoints"))


def _drop(folder: Path) -> None:
    """Delete a run's checkpoints, once its record no longer names them."""
    record = folder.parent / RUN_RECORD
    if record.is_file():
        content = json.loads(record.read_text(encoding="utf-8"))
        write_json(record, {**content, "best_checkpoint": None, "last_checkpoint": None})
    shutil.rmtree(folder, ignore_errors=True)
