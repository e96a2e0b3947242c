"""A sweep: the study, its workers, and what came of it."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

from deepfake_lightning.storage import Workspace
from deepfake_lightning.tuning.checking import check_sweep
from deepfake_lightning.tuning.claiming import Desk, sole, sole_here, taken
from deepfake_lightning.tuning.crew import Crew
from deepfake_lightning.tuning.database import shown
from deepfake_lightning.tuning.files import write_results
from deepfake_lightning.tuning.record import SweepResult, TrialRecord, records_of
from deepfake_lightning.tuning.registering import train_and_register
from deepfake_lightning.tuning.space import Range, default_values, distributions, nested, setting
from deepfake_lightning.tuning.study import open_storage, open_study, quiet_optuna
from deepfake_lightning.tuning.sweep import Sweep, read_sweep

Progress = Callable[[str, Sequence[TrialRecord]], None]
_POLL_SECONDS = 0.5
_TRAINER = ("trainer.max_epochs", "trainer.devices", "trainer.accelerator")
_LEAST_FOR_IMPORTANCE = 4


def run_sweep(
    sweep: Sweep | str | Path,
    *,
    workspace: str | Path | None = None,
    register: bool = False,
    environment: Mapping[str, str] | None = None,
    progress: Progress = lambda what, trials: None,
) -> SweepResult:
    """Search the best hyperparameters on validation, and write down what came of it.

    Trials that are finished count; those of killed or interrupted processes are tried again. The
    files are in ``tuning/<study>`` of the workspace, the trainings in ``runs/<study>``.

    Args:
        sweep: a sweep, or the file it is read from.
        workspace: where the workspace is (default: ``mlops``).
        register: train the best values anew, and register what comes of it.
        environment: variables for the workers.
        progress: is told what is being done, and the trials, about twice a second.

    Returns:
        The result; an interrupted sweep returns too, with its status.

    Raises:
        DeepfakeLightningError: what the sweep is refused for, or what every trial would meet.

    Example:
        >>> result = run_sweep("configs/sweep.yaml")  # doctest: +SKIP
        >>> result.best.value, result.best.values  # doctest: +SKIP
    """
    clock = time.monotonic()
    place = Workspace.find(workspace)
    if not isinstance(sweep, Sweep):
        sweep = read_sweep(sweep)
    progress("checking the search space", [])
    settings = check_sweep(sweep)
    with quiet_optuna():
        desk, outside = _open(sweep, place, settings)
        crew = Crew(
            sweep.model_dump(mode="json"), _needed(sweep, settings), place.root.absolute(),
            sweep.workers, environment or {},
            None if sweep.timeout is None else clock + sweep.timeout,
        )  # fmt: skip
        status = _search(desk, crew, progress)
        progress("writing the results", [])
        result = _result(desk, place, status, outside, crew.replaced, time.monotonic() - clock)
        write_results(result, sweep)
    if register and status != "interrupted" and result.best is not None:
        progress("training the best values anew, to register them", [])
        result = train_and_register(result, place)
    return result


def _open(sweep: Sweep, place: Workspace, settings: Mapping[str, Any]) -> tuple[Desk, list[str]]:
    """Open the study, with the base's own values first in line."""
    folder = place.tuning / sweep.study
    within = distributions(sweep.space, settings)
    values, outside = default_values(settings, within)
    with sole_here(folder):
        storage = open_storage(sweep.storage, folder)
    with sole(storage, folder, sweep.study):
        desk = Desk(sweep, open_study(sweep, storage), folder, storage)
        if not outside and not desk.trials():
            desk.study.enqueue_trial(values, user_attrs={"default": True})
    return desk, outside


def _needed(sweep: Sweep, settings: Mapping[str, Any]) -> dict[str, Any]:
    return nested({key: setting(settings, key) for key in (*sweep.space, *_TRAINER)})


def _search(desk: Desk, crew: Crew, progress: Progress) -> str:
    """Run workers until all trials are done; return how it ended."""
    trials: Sequence[optuna.trial.FrozenTrial] = ()
    try:
        with _sigterm_as_ctrl_c():
            while True:
                crew.look()
                desk.take_up_lost()
                trials = desk.trials()
                progress("searching", records_of(trials))
                left = desk.sweep.trials - taken(trials)
                if not crew.is_out_of_time:
                    # Those at work take further trials themselves.
                    crew.fill(_at_work(trials) + left if left > 0 else 0)
                elif not crew.size:
                    return "finished" if left <= 0 else "timed out"
                if left <= 0 and not crew.size and not _running_here(trials):
                    return "finished"
                time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        desk.hurry()
        progress("ending: each worker stops after its batch", records_of(trials))
        return "interrupted"
    finally:
        with suppress(KeyboardInterrupt):  # a second one: no more patience
            crew.end()
        desk.take_up_lost()


def _at_work(trials: Sequence[optuna.trial.FrozenTrial]) -> int:
    return sum(one.state == TrialState.RUNNING for one in trials)


def _running_here(trials: Sequence[optuna.trial.FrozenTrial]) -> bool:
    """Whether a trial of this machine runs: of another command, or of a process that is dying."""
    here = socket.gethostname()
    running = [one for one in trials if one.state == TrialState.RUNNING]
    return any(one.user_attrs.get("owner", {}).get("host", here) == here for one in running)


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """End a sweep that is told to as one that is interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _result(
    desk: Desk, place: Workspace, status: str, outside: list[str], replaced: int, seconds: float
) -> SweepResult:
    sweep, trials = desk.sweep, records_of(desk.trials())
    storage = str(desk.folder / "journal.log")
    return SweepResult(
        study=sweep.study,
        status=status,
        objective=sweep.objective,
        direction=sweep.direction,
        base=sweep.base,
        asked=sweep.trials,
        trials=trials,
        log_keys=[k for k, one in sweep.space.items() if isinstance(one, Range) and one.log],
        importance=_importance(desk.study),
        folder=desk.folder,
        runs=place.runs / sweep.study,
        storage=storage if sweep.storage is None else shown(sweep.storage),
        seconds=round(seconds, 1),
        outside=outside,
        replaced=replaced,
    )


def _importance(study: optuna.Study) -> dict[str, float]:
    """Return which key matters how much; nothing where the trials do not tell."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < _LEAST_FOR_IMPORTANCE or len({one.value for one in complete}) < 2:
        return {}
    found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    return {key: float(share) for key, share in found.items()}
