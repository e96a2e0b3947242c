"""The training path on a GPU, through the command line. Skipped where there is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from deepfake_lightning.cli import main

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]
HALF = "--trainer.precision=bf16-mixed"


@pytest.mark.parametrize(
    "how",
    [[], ["--model.compile=true"], ["--trainer.strategy=ddp", "--trainer.devices=1"]],
    ids=["plain", "compiled", "ddp"],
)
def test_half_precision_is_trained_resumed_scored_and_registered(
    how: list[str], tiny_flags: Callable[..., list[str]], tmp_path: Path, capsys: Any
) -> None:
    assert main(["fit", *tiny_flags(tmp_path), HALF, *how, "--trainer.max_epochs=2",
                 "--register=true"]) == 0  # fmt: skip
    run = tmp_path / "runs/deepfake-detection/v1.0.0"
    assert json.loads((run / "run.json").read_text())["device"].startswith("cuda")
    bundle = json.loads((tmp_path / "registry/models/v1.0.0/bundle.json").read_text())
    agreement = bundle["agreement"]
    assert agreement["onnx_cpu"]["logit"] < 1e-4
    assert agreement["gpu_fp32"]["logit"] < 0.02
    assert agreement["gpu_bf16"]["logit"] < 0.5
    place = f"--workspace={tmp_path}"
    more = ["--trainer.max_epochs=3", "--register=false"]
    assert main(["fit", "--ckpt_path=last", place, *more]) == 0
    record = json.loads((run / "run.json").read_text())
    assert (record["status"], record["epochs"]) == ("finished", 3)
    assert main(["test", "--ckpt_path=last", place]) == 0
    capsys.readouterr()


def test_half_precision_throughout_weighs_classes(
    tiny_flags: Callable[..., list[str]], tmp_path: Path
) -> None:
    options = ["--trainer.precision=bf16-true", "--model.class_weights=balanced"]
    assert main(["fit", *tiny_flags(tmp_path), *options, "--trainer.max_epochs=1"]) == 0
