"""A loop's training: what is asked for, with which weights, and what it says when it fails."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
import yaml

from deepfake_lightning.errors import LayoutError, UsageError
from deepfake_lightning.retraining.base import base_of
from deepfake_lightning.retraining.policy import RetrainPolicy, Train
from deepfake_lightning.retraining.record import Loops
from deepfake_lightning.retraining.training import configuration, train
from deepfake_lightning.retraining.warm_start import Steps, WarmStart
from deepfake_lightning.schemas import read_manifest
from deepfake_lightning.training.run import fit


@pytest.fixture
def base(deployed):
    return base_of(deployed.workspace, "v1.0.0", RetrainPolicy())


def test_it_is_the_training_of_what_serves_with_other_data(base, deployed, tmp_path):
    flags = Train(flags={"trainer.max_epochs": 7, "data.augmentation.jpeg": 0.5})
    text = configuration(base, flags, tmp_path / "m.parquet", deployed.workspace, "retrain-0001")
    made, was = yaml.safe_load(text), base.config
    assert made["model"] == was["model"]
    assert (made["trainer"]["max_epochs"], was["trainer"]["max_epochs"]) == (7, 2)
    assert made["data"]["augmentation"]["jpeg"] == 0.5
    assert made["data"]["root"] == str(tmp_path / "m.parquet")
    assert (made["experiment"], made["version"], made["register"]) == (
        "deepfake-detection", "retrain-0001", False)  # fmt: skip


def test_files_that_come_while_a_loop_collects_are_new_to_its_version(base, deployed):
    """They came before its training began, and are not in its data."""
    loops, at = Loops(deployed.workspace), base.began_us - 600_000_000
    loops.keep(loops.begin("production", "v0.9.0", "ada", {}, at - 1))  # nothing came of it
    record = loops.begin("production", "v0.9.0", "ada", {}, at)
    loops.keep(record.model_copy(update={"version": "v1.0.0"}))
    assert base_of(deployed.workspace, "v1.0.0", RetrainPolicy()).began_us == at


def test_new_fakes_are_not_left_out_in_silence(base, deployed, tmp_path):
    """Where fakes are made of real faces, a training may use none of the data."""

    def asked(blending, fakes, **flags):
        own = replace(base, config={**base.config, "data": {**base.data, "blending": blending}})
        text = configuration(own, Train(flags=flags), tmp_path / "m.parquet", deployed.workspace,
                             "retrain-0001", fakes)  # fmt: skip
        return yaml.safe_load(text)["data"]["blending"]

    ratio = {"data.blending.ratio": 1.0}
    alone = {"share": 1.0, "ratio": 0.0}
    with pytest.raises(UsageError, match=r"3 new items are fakes(.|\n)*train.flags"):
        asked(alone, 3)
    with pytest.raises(UsageError, match="new items are fakes"):
        asked({"share": 1.0}, 3)
    assert asked(alone, 0) == alone
    assert asked(alone, 3, **ratio) == {"share": 1.0, "ratio": 1.0}
    assert asked(alone, 3, **{"data.blending.ratio": 0.0}) == alone  # somebody has said so
    assert asked({"share": 1.0, "ratio": 0.5}, 3)["ratio"] == 0.5
    assert asked(None, 3) is None
    assert asked(None, 3, **ratio) == {"ratio": 1.0}


def test_weights_that_are_gone_are_said_before_anything_is_trained(base, deployed, tmp_path):
    assert base.checkpoint is not None
    base.checkpoint.unlink()
    gone = base_of(deployed.workspace, "v1.0.0", RetrainPolicy())
    with pytest.raises(UsageError, match="the checkpoint that v1"):
        train(gone, Train(), tmp_path / "m.parquet", tmp_path, deployed.workspace, "retrain-0001")


@pytest.mark.slow
def test_what_stops_the_training_is_said(base, deployed, tmp_path):
    with pytest.raises(LayoutError, match="missing"):
        train(base, Train(), tmp_path / "missing.parquet", tmp_path, deployed.workspace,
              "retrain-0001")  # fmt: skip
    assert "Traceback" not in (tmp_path / "fit.log").read_text()


def test_a_warm_start_has_all_weights_and_knows_what_was_trained_on(released, tiny_flags, tmp_path):
    parent = released.result.best_checkpoint
    root = read_manifest(released.result.run_dir / "manifest.parquet").origin
    short = ("--trainer.max_epochs=1", "--model.lr=1e-9",
             f"--data.root={root}", "--data.splits={train: 0.5, val: 0.5}")  # fmt: skip
    steps = Steps(str(tmp_path / "progress.json"))
    result = fit(["fit", *tiny_flags(tmp_path, *short)], [WarmStart(str(parent)), steps])
    was = torch.load(parent, weights_only=True)
    now = torch.load(result.last_checkpoint, weights_only=True)
    for name in ("head.weight", "backbone.conv_stem.weight"):
        torch.testing.assert_close(now["state_dict"][name], was["state_dict"][name], atol=1e-6,
                                   rtol=0)  # fmt: skip
    trained = {one: set(state["DeepfakeDataModule"]["trained_on"].tolist())
               for one, state in (("was", was), ("now", now))}  # fmt: skip
    assert trained["was"] <= trained["now"]
    progress = json.loads((tmp_path / "progress.json").read_text())
    assert 1 <= progress["done"] <= progress["total"] == 5
