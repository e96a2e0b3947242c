"""The best checkpoint of a training becomes a version."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from deepfake_lightning.callbacks import RegistryExport
from deepfake_lightning.cli import main
from deepfake_lightning.errors import UsageError
from deepfake_lightning.registry import Registry, Wish, register_bundle
from deepfake_lightning.storage import Workspace, file_hash
from deepfake_lightning.training.run import fit

Flags = Callable[..., list[str]]
SHORT = ("--trainer.max_epochs=1", "--trainer.limit_train_batches=1", "--register=true")


class AtTheEnd(Callback):
    """Does something when the training is over, and before its checkpoint is registered."""

    def __init__(self, action: Callable[[Path], object]) -> None:
        self.action = action

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.action(Path(str(trainer.log_dir)))


def registry_of(workspace: Path) -> Registry:
    return Registry(Workspace(workspace))


def test_the_best_checkpoint_is_a_version(released: Any) -> None:
    registry, result = registry_of(released.workspace), released.result
    entry = registry.get("v1.0.0")
    assert result.registered == "v1.0.0"
    assert entry.checkpoint == file_hash(result.best_checkpoint)
    assert registry.run_of(entry) == result.run_dir
    origin = registry.bundle("v1.0.0").read_json("provenance.json")
    assert (origin["training"]["status"], origin["training"]["epochs"]) == ("finished", 2)
    record = json.loads((result.run_dir / "run.json").read_text())
    assert (record["registered"], record["not_registered"]) == ("v1.0.0", None)


def test_it_is_measured_on_test_and_says_so(released: Any) -> None:
    registry = registry_of(released.workspace)
    entry = registry.get("v1.0.0")
    measured = registry.bundle("v1.0.0").read_json("evaluation.json")
    report = json.loads((released.result.test_report / "report.json").read_text())
    assert (entry.split, entry.items) == ("test", 16)
    assert report["name"] == report["model"]["version"] == "v1.0.0"
    assert report["model"]["digest"] == entry.digest
    for name, value in measured["metrics"]["item"].items():
        assert report["levels"]["item"]["metrics"][name] == value, name
    assert entry.metrics["auroc"].value == measured["metrics"]["item"]["auroc"]["value"]
    card = (registry.folder("v1.0.0") / "MODEL_CARD.md").read_text()
    assert "## Measured" in card
    assert f"| AUROC | {entry.metrics['auroc'].value:.3f}" in card


def test_test_and_evaluate_of_the_version_agree_with_it(
    released: Any, tmp_path: Path, capsys: Any
) -> None:
    place = released.workspace
    said = registry_of(place).bundle("v1.0.0").read_json("evaluation.json")["metrics"]["item"]
    here = ["--workspace", str(place)]
    flags = ["--trainer.enable_progress_bar=false"]
    assert main(["test", "--version", "v1.0.0", *here, *flags]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    tested = {row[0]: row[2] for row in rows if len(row) == 3}
    assert main(["evaluate", "v1.0.0", *here, "--out", str(tmp_path / "r"), "--json", "true"]) == 0
    evaluated = json.loads(capsys.readouterr().out)["levels"]["item"]["metrics"]
    for name in ("auroc", "accuracy", "brier"):
        assert float(tested[name]) == pytest.approx(said[name]["value"], abs=1e-4)
        assert evaluated[name]["value"] == pytest.approx(said[name]["value"], abs=1e-6)


@pytest.mark.parametrize("flag", ["--version=v1.0.0", "--version=1.0.0"])
def test_a_version_that_is_taken_is_refused_before_training(
    crop_bundle: Any, tmp_path: Path, tiny_flags: Flags, flag: str
) -> None:
    register_bundle(registry_of(tmp_path), crop_bundle.folder)
    with pytest.raises(UsageError, match="is registered already"):
        fit(["fit", *tiny_flags(tmp_path, *SHORT, flag)])
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_one_that_is_taken_meanwhile_is_passed_over(
    crop_bundle: Any, tmp_path: Path, tiny_flags: Flags
) -> None:
    registry = registry_of(tmp_path)
    other = AtTheEnd(lambda _: register_bundle(registry, crop_bundle.folder, Wish("v1.0.0")))
    result = fit(["fit", *tiny_flags(tmp_path, *SHORT)], [other])
    assert result.run_dir == tmp_path / "runs/deepfake-detection/v1.0.0"
    assert result.registered == "v1.1.0"


@pytest.mark.slow
def test_what_cannot_be_registered_keeps_its_checkpoint_and_is_finished_by_hand(
    tmp_path: Path, tiny_flags: Flags, capsys: Any
) -> None:
    def lose(run: Path) -> None:
        (run / "manifest.parquet").rename(tmp_path / "lost.parquet")

    export = RegistryExport(version="v2.0.0", reason="it's mine", by="ada")
    result = fit(["fit", *tiny_flags(tmp_path, *SHORT)], [AtTheEnd(lose), export])
    assert result.status == "finished"
    assert result.registered is None
    assert torch.load(result.best_checkpoint, weights_only=True)["epoch"] == 0
    failure = result.not_registered
    assert failure is not None and failure.exit_code == 1
    assert "manifest.parquet" in failure.what
    record = json.loads((result.run_dir / "run.json").read_text())
    assert record["not_registered"] == failure.what

    (tmp_path / "lost.parquet").rename(result.run_dir / "manifest.parquet")
    command = shlex.split(failure.next_step.rpartition("deepfake-lightning ")[2])
    assert main(command) == 0, command
    entry = registry_of(tmp_path).get("v2.0.0")
    assert entry.checkpoint == file_hash(result.best_checkpoint)
    assert (entry.registration.by, entry.registration.reason) == ("ada", "it's mine")
    assert "registered as v2.0.0" in capsys.readouterr().out


@pytest.mark.slow
def test_a_callback_of_the_configuration_has_a_say(tmp_path: Path, tiny_flags: Flags) -> None:
    export = RegistryExport(version="v0.9.0-rc.1", reason="a trial", by="ada", parent=None)
    short = [flag for flag in SHORT if "register" not in flag]
    result = fit(["fit", *tiny_flags(tmp_path, *short)], [export])
    registration = registry_of(tmp_path).get("v0.9.0-rc.1").registration
    assert (registration.by, registration.reason) == ("ada", "a trial")
    assert result.run_dir == tmp_path / "runs/deepfake-detection/v0.9.0-rc.1"


@pytest.mark.parametrize("flag", ["--register=false", "--trainer.fast_dev_run=true"])
def test_trials_are_not_registered(tmp_path: Path, tiny_flags: Flags, flag: str) -> None:
    callback = "--trainer.callbacks+=deepfake_lightning.callbacks.RegistryExport"
    short = [one for one in SHORT if "register" not in one]
    result = fit(["fit", *tiny_flags(tmp_path, *short, callback, flag)])
    assert result.registered is None and result.not_registered is None
    assert not (tmp_path / "registry").exists()


def test_a_trainer_that_keeps_nothing_is_refused_before_it_trains(
    tmp_path: Path, make_split_faces: Any, make_data: Any, make_detector: Any
) -> None:
    detector = make_detector()
    trainer = Trainer(
        max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        callbacks=[RegistryExport(workspace=str(tmp_path))],
    )  # fmt: skip
    with pytest.raises(UsageError, match="needs a checkpoint that a metric has chosen"):
        trainer.fit(detector, datamodule=make_data(make_split_faces()))
    assert trainer.global_step == 0
