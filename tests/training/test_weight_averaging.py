"""Lightning's averaged weights: what is validated, kept, resumed and scored are the same ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from deepfake_lightning.training.lightning_cli import TrainingCLI
from deepfake_lightning.training.run import fit

Flags = Callable[..., list[str]]
AVERAGING = (
    "--trainer.callbacks+=lightning.pytorch.callbacks.EMAWeightAveraging",
    "--trainer.callbacks.decay=0.8",
)


def test_the_averaged_weights_are_those_that_are_measured(
    tmp_path: Path, tiny_flags: Flags
) -> None:
    flags = tiny_flags(tmp_path, "--report=false", "--register=false", *AVERAGING)
    done = fit(["fit", *flags, "--trainer.max_epochs=2"])
    kept = torch.load(done.best_checkpoint, weights_only=True)
    plain = kept["current_model_state"]
    assert any(not torch.equal(value, plain[name]) for name, value in kept["state_dict"].items())
    steps = int(kept["averaging_state"]["n_averaged"])
    assert steps == kept["global_step"]

    best = ["--ckpt_path", str(done.best_checkpoint), "--workspace", str(tmp_path / "again")]
    folder = TrainingCLI(["validate", *best]).evaluation_report.folder
    found = json.loads((folder / "report.json").read_text())["levels"]["frame"]["metrics"]
    assert found["auroc"]["value"] == pytest.approx(done.best_score, abs=1e-6)

    flags = ["--ckpt_path=last", f"--workspace={tmp_path}", "--trainer.max_epochs=3"]
    resumed = fit(["fit", *flags])
    last = torch.load(resumed.last_checkpoint, weights_only=True)
    assert int(last["averaging_state"]["n_averaged"]) == last["global_step"] > steps
