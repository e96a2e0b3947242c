"""A training and what it leaves on disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from deepfake_lightning import train
from deepfake_lightning.errors import (
    CheckpointError,
    LayoutError,
    SplitError,
    UndefinedMetricError,
    UsageError,
)
from deepfake_lightning.training.run import fit

Flags = Callable[..., list[str]]


def test_result_names_what_is_on_disk(trained: Any) -> None:
    result = trained.result
    assert result.status == "finished"
    assert result.epochs == 2
    assert result.run_dir == trained.workspace / "runs/deepfake-detection/v1.0.0"
    for path in (result.best_checkpoint, result.last_checkpoint):
        assert path.is_file()
    assert {"config.yaml", "run.json", "checkpoints"} <= {p.name for p in result.run_dir.iterdir()}


def test_record_says_why_it_ended_and_on_what_data(trained: Any) -> None:
    record = json.loads((trained.result.run_dir / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["stop_reason"] == "trained 2 epochs"
    assert sum(record["data"]["counts"]["train"].values()) > 40
    assert len(record["data"]["content_hash"]) == 64
    assert record["data"]["blending"] is None
    assert record["best_score"] == pytest.approx(trained.result.best_score)


def test_record_says_what_was_made_of_real_faces(
    tiny_flags: Flags, faces: Path, tmp_path: Path
) -> None:
    """The data's counts have fakes that were not trained on."""
    short = ("--trainer.max_epochs=1", "--register=false", "--report=false", f"--data.root={faces}")
    run = fit(["fit", *tiny_flags(tmp_path, *short, "--data.blending.share=1.0")]).run_dir
    data = json.loads((run / "run.json").read_text())["data"]
    reals = data["counts"]["train"]["real"]
    assert data["blending"] == {
        "share": 1.0, "ratio": 0.0, "pairs": reals, "reals": 0, "fakes": 0
    }  # fmt: skip


def test_checkpoint_is_the_best_epoch_on_validation(trained: Any) -> None:
    best = torch.load(trained.result.best_checkpoint, weights_only=True)
    state = next(v for k, v in best["callbacks"].items() if k.startswith("ModelCheckpoint"))
    assert state["monitor"] == "val/auroc"
    assert float(state["best_model_score"]) == pytest.approx(trained.result.best_score)


def test_checkpoint_holds_plain_types_and_the_preprocessing(trained: Any) -> None:
    checkpoint = torch.load(trained.result.best_checkpoint, weights_only=True)
    assert checkpoint["DeepfakeDataModule"]["preprocess"]["size"] == 32
    assert checkpoint["DeepfakeDataModule"]["preprocess"]["input"] == "crop"


def test_a_second_training_gets_a_folder_of_its_own(
    trained: Any, tmp_path: Path, tiny_flags: Flags
) -> None:
    place = shutil.copytree(trained.workspace, tmp_path / "w")
    best = place / trained.result.best_checkpoint.relative_to(trained.workspace)
    before = best.read_bytes()
    again = fit(["fit", *tiny_flags(place, "--trainer.max_epochs=1")])
    assert again.run_dir == place / "runs/deepfake-detection/v1.0.0_2"
    assert best.read_bytes() == before


def test_train_takes_a_mapping_and_flags(tmp_path: Path, faces: Path, tiny_flags: Flags) -> None:
    config = {"data": {"root": str(faces)}, "experiment": "mapped"}
    flags = tiny_flags(tmp_path, "--trainer.fast_dev_run=true")
    result = train(config, *flags)
    assert result.run_dir is None
    assert result.best_checkpoint is None


def test_early_stopping_is_recorded(tmp_path: Path, tiny_flags: Flags) -> None:
    flags = ["--early_stopping.min_delta=9", "--early_stopping.patience=1"]
    result = fit(["fit", *tiny_flags(tmp_path, *flags, "--trainer.max_epochs=6")])
    assert result.status == "stopped early"
    assert result.epochs < 6
    assert "did not improve" in json.loads((result.run_dir / "run.json").read_text())["stop_reason"]


def test_nothing_is_left_where_the_data_are_missing(tmp_path: Path, tiny_flags: Flags) -> None:
    with pytest.raises(LayoutError, match="no data"):
        fit(["fit", *tiny_flags(tmp_path / "w", f"--data.root={tmp_path / 'none'}")])
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("flag", ["--checkpoint.monitor", "--early_stopping.monitor"])
def test_an_unknown_monitor_is_named_before_training(
    flag: str, tmp_path: Path, tiny_flags: Flags
) -> None:
    with pytest.raises(UndefinedMetricError, match="val/auroc"):
        fit(["fit", *tiny_flags(tmp_path / "w", f"{flag}=val/aurocc")])
    assert not (tmp_path / "w").exists()


def test_resuming_goes_on_in_the_same_folder(tmp_path: Path, tiny_flags: Flags) -> None:
    first = fit(["fit", *tiny_flags(tmp_path, "--trainer.max_epochs=1")])
    steps = torch.load(first.last_checkpoint, weights_only=True)["global_step"]
    resumed = fit(["fit", "--ckpt_path=last", f"--workspace={tmp_path}", "--trainer.max_epochs=3"])
    assert resumed.run_dir == first.run_dir
    assert resumed.epochs == 3
    last = torch.load(resumed.last_checkpoint, weights_only=True)
    assert last["epoch"] == 2
    assert last["global_step"] == 3 * steps
    saved = yaml.safe_load((first.run_dir / "config.yaml").read_text())
    assert saved["trainer"]["max_epochs"] == 1  # the first run's stays as it was
    assert (first.run_dir / "config-resumed-1.yaml").is_file()


def test_last_without_a_run_never_starts_over(tmp_path: Path, tiny_flags: Flags) -> None:
    with pytest.raises(CheckpointError, match=r"no last\.ckpt"):
        fit(["fit", *tiny_flags(tmp_path, "--ckpt_path=last")])
    assert not (tmp_path / "runs").exists()


def test_another_architecture_is_refused(trained: Any, tmp_path: Path, tiny_flags: Flags) -> None:
    flags = tiny_flags(tmp_path, f"--ckpt_path={trained.result.last_checkpoint}")
    with pytest.raises(CheckpointError, match=r"test_efficientnet.*test_resnet"):
        fit(["fit", *flags, "--model.backbone=test_resnet"])


@pytest.mark.parametrize(
    ("flags", "near"),
    [
        (["--model.backbon=x"], "model.backbone"),
        (["--trainer.max_ep=3"], "trainer.max_epochs"),
        (["--data.batchsize=3"], "data.batch_size"),
    ],
)
def test_unknown_and_abbreviated_keys_are_refused(flags: list[str], near: str) -> None:
    with pytest.raises(UsageError, match=near) as caught:
        fit(["fit", *flags])
    assert len(str(caught.value).splitlines()) <= 5


def test_an_unknown_key_in_a_file_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("model:\n  backbon: x\n")
    with pytest.raises(UsageError, match=r"model\.backbone") as caught:
        fit(["fit", "--config", str(config)])
    assert len(str(caught.value).splitlines()) <= 5


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--checkpoint.monitor=val/loss"], "--checkpoint.mode min"),
        (["--early_stopping.monitor=val/auroc"], "--early_stopping.mode max"),
        (["--checkpoint.save_top_k=3"], "best-{epoch"),
        (["--version=../../evil"], "version"),
        (["--experiment=a/b"], "experiment"),
    ],
)
def test_settings_that_would_keep_the_wrong_checkpoint_are_refused(
    flags: list[str], says: str, tmp_path: Path, tiny_flags: Flags
) -> None:
    with pytest.raises(UsageError) as caught:
        fit(["fit", *tiny_flags(tmp_path / "w", *flags)])
    assert says in str(caught.value)
    assert not (tmp_path / "w").exists()


def test_what_the_trainer_refuses_is_a_typed_error(tmp_path: Path, tiny_flags: Flags) -> None:
    with pytest.raises(UsageError, match="enable_checkpointing"):
        fit(["fit", *tiny_flags(tmp_path, "--trainer.enable_checkpointing=false")])


def test_without_a_logger_no_configuration_is_left(tmp_path: Path, tiny_flags: Flags) -> None:
    flags = tiny_flags(tmp_path, "--trainer.logger=false", "--trainer.max_epochs=1")
    assert fit(["fit", *flags]).run_dir is None
    assert not list(Path.cwd().glob("config*.yaml"))


def test_train_takes_paths(tmp_path: Path, faces: Path, tiny_flags: Flags) -> None:
    config = {"data": {"root": faces}, "trainer": {"fast_dev_run": True}}
    flags = [flag for flag in tiny_flags(tmp_path) if not flag.startswith("--data.root")]
    assert train(config, *flags).status == "finished"


def test_data_that_leak_are_not_trained_on_unless_they_are_allowed_by_name(
    tiny_flags: Callable[..., list[str]], tmp_path: Path, make_faces: Callable[..., Path]
) -> None:
    faces = make_faces(tmp_path / "faces", people=12)
    rows = [
        f"{kind}/person{n}.jpg,{kind},{'train' if n < 8 else 'val'}"
        for kind in ("real", "fake")
        for n in range(12)
    ]
    shutil.copy(faces / "real/person0.jpg", faces / "real/person11.jpg")  # in train and in val
    (faces / "index.csv").write_text("\n".join(["path,label,split", *rows]) + "\n")
    flags = ["fit", *tiny_flags(tmp_path / "w", "--trainer.max_epochs=1"), f"--data.root={faces}"]
    with pytest.raises(SplitError, match="same_content") as caught:
        fit(flags)
    assert "--audit_allow [same_content]" in caught.value.next_step
    assert not (tmp_path / "w").exists()
    with pytest.raises(UsageError, match="unknown kind"):
        fit([*flags, "--audit_allow=[anything]"])
    result = fit([*flags, "--audit_allow=[same_content]"])
    assert result.run_dir is not None
    record = json.loads((result.run_dir / "run.json").read_text())["audit"]
    assert record["allowed"] == ["same_content"]
    assert "same_content" in {finding["kind"] for finding in record["findings"]}
