"""The best values of a sweep, trained as ``fit`` does, and registered."""

from __future__ import annotations

from dataclasses import replace

from deepfake_lightning.storage import Workspace, write_json
from deepfake_lightning.training.run import fit
from deepfake_lightning.tuning.files import OVERLAY, RECORD
from deepfake_lightning.tuning.record import SweepResult


def train_and_register(result: SweepResult, place: Workspace) -> SweepResult:
    """Train the base with the best values, without what was overridden for trials alone.

    Raises:
        DeepfakeLightningError: what stopped the training, or the registry refused.
    """
    flags = [
        "--config", result.base, "--config", str(result.folder / OVERLAY),
        "--experiment", result.study, "--workspace", str(place.root), "--register", "true",
    ]  # fmt: skip
    trained = fit(["fit", *flags])
    failure = trained.not_registered
    registered = {
        "version": trained.registered,
        "run": str(trained.run_dir),
        "status": trained.status,
        "monitor": trained.monitor,
        "best_score": trained.best_score,
        "not_registered": None if failure is None else str(failure),
    }
    result = replace(result, registered=registered)
    write_json(result.folder / RECORD, result.to_dict())
    return result
