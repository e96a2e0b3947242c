"""One training, from a configuration to its result and its record on disk."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Callback, Trainer

from deepfake_lightning.callbacks import (
    EarlyStopping,
    Interruption,
    RegistryExport,
    TrialPruning,
)
from deepfake_lightning.data.audit import check_before_training
from deepfake_lightning.data.datamodule import DeepfakeDataModule
from deepfake_lightning.errors import DeepfakeLightningError
from deepfake_lightning.storage import RUN_RECORD, write_json
from deepfake_lightning.training.lightning_cli import CheckData, TrainingCLI

_PACKAGES = ("deepfake-lightning", "torch", "lightning", "timm", "albumentations")


@dataclass(frozen=True)
class RunResult:
    """What a training left.

    Attributes:
        status: ``finished``, ``stopped early``, ``pruned`` (a trial of a sweep) or
            ``interrupted``.
        stop_reason: why it ended, in a sentence.
        run_dir: folder with TensorBoard's logs, checkpoints, ``config.yaml`` and ``run.json``;
            None for a trial run (``fast_dev_run``) or without a logger.
        best_checkpoint, last_checkpoint: files; None where nothing was saved.
        monitor, best_score: what the best checkpoint was chosen by, and its value.
        epochs: how many were trained, those before a resume included.
        seconds: duration.
        metrics: the last epoch's, by name.
        report: folder of the report of the val split; None where none was written.
        registered: version that the best checkpoint was registered as; None where it was not.
        test_report: folder of the report of the test split that was written then.
        notes: what could not be had for that version, and why, in sentences.
        not_registered: what stopped the registration, and what to do; None where nothing did.
    """

    status: str
    stop_reason: str
    run_dir: Path | None
    best_checkpoint: Path | None
    last_checkpoint: Path | None
    monitor: str | None
    best_score: float | None
    epochs: int
    seconds: float
    metrics: dict[str, float]
    report: Path | None = None
    registered: str | None = None
    test_report: Path | None = None
    notes: tuple[str, ...] = ()
    not_registered: DeepfakeLightningError | None = None


def train(config: str | Path | dict[str, Any], *overrides: str) -> RunResult:
    """Train as ``fit`` does.

    Args:
        config: a configuration file, or its content.
        overrides: flags as on the command line, e.g. ``"--trainer.max_epochs=3"``.

    Returns:
        The result; an interrupted training returns too, with its status.

    Raises:
        DeepfakeLightningError: what the command line would print.

    Example:
        >>> result = train("configs/b0.yaml", "--data.root=faces")  # doctest: +SKIP
        >>> result.best_checkpoint  # doctest: +SKIP
    """
    text = str(config)
    if isinstance(config, dict):
        text = yaml.safe_dump(json.loads(json.dumps(config, default=str)))
    return fit(["fit", "--config", text, *overrides])


def fit(
    args: list[str],
    callbacks: Sequence[Callback] = (),
    check_data: CheckData = check_before_training,
) -> RunResult:
    """Run ``fit`` with command-line arguments, and write the run's record.

    Args:
        args: ``["fit", flag, ...]``.
        callbacks: further ones, as objects.
        check_data: audits what is about to be trained on, and refuses leaks.

    Raises:
        DeepfakeLightningError: what stopped it; an interruption is a result, not an error.
    """
    started = datetime.now(UTC)
    clock = time.monotonic()

    trained: list[RunResult] = []

    def keep(cli: TrainingCLI) -> RunResult:
        if not trained:  # what other processes have a part in is asked for once, by all of them
            trained.append(_result(cli, time.monotonic() - clock))
        result = _with_release(trained[0], cli.registry_export)
        if result.run_dir is not None and cli.trainer.is_global_zero:
            write_json(result.run_dir / RUN_RECORD, _record(cli, result, started))
        return result

    # Also before the checkpoint is registered: a version says how it was trained.
    return keep(TrainingCLI(args, callbacks, check_data, keep))


def _result(cli: TrainingCLI, seconds: float) -> RunResult:
    trainer = cli.trainer
    keeper: Any = trainer.checkpoint_callback
    interruption = _callback(trainer, Interruption)
    last = (interruption.saved if interruption else None) or _last_saved(trainer)
    status, reason = _ending(trainer, cli.interrupted)
    score = keeper.best_model_score
    trial = cli.settings["trainer"]["fast_dev_run"]
    has_folder = trainer.loggers and trainer.log_dir and not trial
    folder = Path(str(trainer.log_dir)) if has_folder else None
    return RunResult(
        status=status,
        stop_reason=reason,
        run_dir=folder,
        best_checkpoint=Path(keeper.best_model_path) if keeper.best_model_path else None,
        last_checkpoint=Path(last) if last else None,
        monitor=keeper.monitor,
        best_score=None if score is None else float(score),
        epochs=trainer.current_epoch,
        seconds=round(seconds, 1),
        metrics={name: float(value) for name, value in sorted(trainer.callback_metrics.items())},
        report=None if cli.evaluation_report is None else cli.evaluation_report.folder,
    )


def _with_release(result: RunResult, export: RegistryExport | None) -> RunResult:
    if export is None or export.release is None:
        return replace(result, not_registered=None if export is None else export.failure)
    release = export.release
    return replace(
        result, registered=release.entry.version, test_report=release.report, notes=release.notes
    )


def _callback(trainer: Trainer, kind: type) -> Any:
    return next((c for c in trainer.callbacks if isinstance(c, kind)), None)  # type: ignore[attr-defined]


def _last_saved(trainer: Trainer) -> str | None:
    """Return the path of what the unmonitored checkpoint callback has saved."""
    paths = (k.best_model_path for k in trainer.checkpoint_callbacks if k.monitor is None)  # type: ignore[attr-defined]
    return next((path for path in paths if path), None)


def _ending(trainer: Trainer, interrupted: bool) -> tuple[str, str]:
    if interrupted:
        return "interrupted", f"interrupted in epoch {trainer.current_epoch + 1}"
    pruning = _callback(trainer, TrialPruning)
    if pruning is not None and pruning.reason:
        return "pruned", str(pruning.reason)
    stopper = _callback(trainer, EarlyStopping)
    if stopper is not None and stopper.stopping_reason_message:
        return "stopped early", str(stopper.stopping_reason_message)
    if trainer.max_epochs is not None and trainer.current_epoch >= trainer.max_epochs > 0:
        return "finished", f"trained {trainer.max_epochs} epochs"
    return "finished", f"stopped after {trainer.global_step} steps"


def _blending(data: DeepfakeDataModule) -> dict[str, Any] | None:
    """Return what an epoch shows where fakes are made: ``counts`` are what the data hold."""
    plan = data.pair_plan()
    return None if plan is None else {**data.hparams["blending"], **plan._asdict()}


def _record(cli: TrainingCLI, result: RunResult, started: datetime) -> dict[str, Any]:
    """Return what ``run.json`` says: the result and where it comes from."""
    manifest = cli.datamodule.load()
    fields = asdict(replace(result, not_registered=None))
    plain = {k: str(v) if isinstance(v, Path) else v for k, v in fields.items()}
    failure = result.not_registered
    finite = {k: v for k, v in result.metrics.items() if v == v and abs(v) != float("inf")}
    return {
        "schema": 1,
        **plain,
        "metrics": finite,
        "not_registered": None if failure is None else failure.what,
        "experiment": cli.settings["experiment"],
        "version": cli.version,
        "started": started.isoformat(timespec="seconds"),
        "seed": cli.settings["seed_everything"],
        "data": {
            "origin": str(manifest.origin),
            "content_hash": manifest.content_hash(),
            "counts": manifest.counts(),
            "blending": _blending(cli.datamodule),
            "unreadable": {manifest.rows["path"].iloc[row]: fault
                           for row, fault in cli.datamodule.damaged.items()},
        },
        "audit": None if cli.audit is None else {
            "findings": [asdict(finding) for finding in cli.audit.findings],
            "allowed": list(cli.settings["audit_allow"]),
        },
        "device": str(cli.trainer.strategy.root_device),
        "python": platform.python_version(),
        "packages": {name: package_version(name) for name in _PACKAGES},
    }  # fmt: skip
