"""``fit`` on two processes, as typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.slow
def test_two_processes_share_one_run(tmp_path: Path, tiny_flags: Callable[..., list[str]]) -> None:
    two = ["--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=ddp"]
    flags = tiny_flags(tmp_path, *two, "--trainer.max_epochs=1", "--data.num_workers=0",
                       "--register=true")  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "deepfake_lightning", "fit", *flags],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "runs/deepfake-detection").iterdir()
    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "finished"
    assert (run / "checkpoints/best.ckpt").is_file()
    assert done.stdout.count("best checkpoint") == 1
    assert record["registered"] == "v1.0.0"  # by one of the two
    assert [one.name for one in (tmp_path / "registry/models").iterdir()] == ["v1.0.0"]
