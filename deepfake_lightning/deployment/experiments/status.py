"""What an experiment says now, from the environment, its history and the prediction log."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from deepfake_lightning.deployment.environment import Environment
from deepfake_lightning.deployment.experiments.analysis import analyse
from deepfake_lightning.deployment.experiments.decision import FILE, PAGE, ExperimentDecision
from deepfake_lightning.deployment.experiments.evidence import Evidence, collect
from deepfake_lightning.deployment.experiments.experiment import Experiment, run_of
from deepfake_lightning.deployment.experiments.page import experiment_page
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.storage import Workspace, atomic_folder, write_json


def status(
    environment: Environment, experiment: Experiment, log: LogDatabase | None, now: datetime
) -> ExperimentDecision:
    """Return what an experiment says.

    Args:
        environment: in which it runs, or ran.
        experiment: which.
        log: the prediction log; None where nothing was logged yet.
        now: the time, with its zone.

    Raises:
        DeploymentError, UsageError, StorageError: history, environment or log cannot be read.
    """
    run = run_of(experiment, environment)
    now_us = round(now.timestamp() * 1_000_000)
    evidence = Evidence() if log is None else collect(log, experiment, run, now_us)
    return analyse(experiment, run, evidence, now)


def keep_decision(workspace: Workspace, found: ExperimentDecision, now: datetime) -> Path:
    """Keep what an experiment says, with its page; return the folder, below ``decisions``.

    Raises:
        StorageError: it could not be written.
    """
    of = found.experiment
    name = f"{now:%Y%m%dT%H%M%S%f}Z-{of.environment}-abtest-{of.name}"
    folder = workspace.deployment / "decisions" / name
    with atomic_folder(folder) as aside:
        write_json(aside / FILE, found.to_dict())
        (aside / PAGE).write_text(experiment_page(found), "utf-8")
    return folder
