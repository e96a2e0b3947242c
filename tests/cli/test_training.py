"""``fit`` and ``test`` as commands: what they print, and how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from deepfake_lightning.cli import main
from deepfake_lightning.data.datamodule import DeepfakeDataModule

SBI = Path(__file__).parents[2] / "configs" / "sbi.yaml"
TINY = [
    "--model.backbone=test_efficientnet", "--model.pretrained=false", "--data.image_size=32",
    "--data.batch_size=8", "--data.num_workers=0", "--trainer.enable_progress_bar=false",
]  # fmt: skip


def test_fit_prints_what_to_open_and_type_next(tmp_path: Path, faces: Path, capsys: Any) -> None:
    flags = [*TINY, f"--data.root={faces}", f"--workspace={tmp_path}", "--trainer.max_epochs=1"]
    assert main(["fit", *flags]) == 0
    shown = capsys.readouterr().out.replace("\n", "").replace(" ", "")
    assert "best.ckpt" in shown
    assert "tensorboard--logdir" in shown
    assert "deepfake-lightningtest--ckpt_path" in shown

    best = tmp_path / "runs/deepfake-detection/v1.0.0/checkpoints/best.ckpt"
    scoring = ["--ckpt_path", str(best), "--workspace", str(tmp_path)]
    assert main(["test", *scoring, "--trainer.enable_progress_bar=false"]) == 0
    shown = capsys.readouterr().out
    assert "auroc" in shown
    assert "items" in shown
    assert "report:" in shown


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["fit", "--data.root=nowhere"], "data demo"),
        (["fit", "--data.root=nowhere", "--model.backbone=efficientnet_b00"], "efficientnet_b0"),
        (["fit", "--trainer.max_epochs=ten"], "max_epochs"),
        (["fit", "--config=none.yaml"], "none.yaml"),
        (["validate"], "--ckpt_path"),
        (["test", "--ckpt_path=none.ckpt"], "none.ckpt"),
        (["fit", "--model.weights=packaged", "--model.pretrained=false"], "model.weights"),
        (["fit", "--data.splits={train: 0.9, val: 0.3}"], "add up to"),
        (["fit", "--data.augmentation.flip=3"], "data.augmentation.flip"),
        (["fit", f"--config={SBI}", "--data.blending.share=2"], "data.blending.share is 2"),
        (["fit", f"--config={SBI}", "--data.blending.ratio=-1"], "data.blending.ratio is -1"),
        (["fit", f"--config={SBI}", "--data.blending.share=half"], "blending"),
        (["test", "--ckpt_path", "--workspace", "X"], "--ckpt_path"),
    ],
)
def test_a_users_mistake_exits_2_without_a_traceback(
    args: list[str], expected: str, capsys: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(args) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert "Traceback" not in error
    assert len(error.splitlines()) <= 7
    assert list(tmp_path.iterdir()) == []


def test_broken_yaml_names_the_file(tmp_path: Path, capsys: Any) -> None:
    config = tmp_path / "broken.yaml"
    config.write_text("model: {lr: 1")
    assert main(["fit", "--config", str(config)]) == 2
    error = capsys.readouterr().err
    assert "broken.yaml" in error
    assert "Traceback" not in error


def test_a_picture_that_goes_away_is_named_without_a_traceback(
    tmp_path: Path, make_faces: Any, capsys: Any, monkeypatch: Any
) -> None:
    root = make_faces(tmp_path / "faces", people=20)
    checked = DeepfakeDataModule.setup

    def setup(self: DeepfakeDataModule, stage: str) -> None:
        checked(self, stage)
        for path in (root / "real").iterdir():
            path.unlink(missing_ok=True)

    monkeypatch.setattr(DeepfakeDataModule, "setup", setup)
    flags = [*TINY, f"--data.root={root}", f"--workspace={tmp_path}", "--data.num_workers=1"]
    assert main(["fit", *flags]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {root}")
    assert "does not exist" in error
    assert "Traceback" not in error


def test_ctrl_c_leaves_a_checkpoint_that_resumes(tmp_path: Path, faces: Path) -> None:
    """In a terminal it reaches the loader's process as well; the exit code survives a restart."""
    command = [sys.executable, "-m", "deepfake_lightning", "fit", *TINY, f"--data.root={faces}",
               f"--workspace={tmp_path}", "--trainer.max_epochs=500",
               "--early_stopping.patience=500", "--data.num_workers=1"]  # fmt: skip
    tuned = ("OMP_WAIT_POLICY", "GLIBC_TUNABLES")  # without these it starts itself again
    env = {name: value for name, value in os.environ.items() if name not in tuned}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env,
        start_new_session=True,
    )  # fmt: skip
    last = tmp_path / "runs/deepfake-detection/v1.0.0/checkpoints/last.ckpt"
    deadline = time.monotonic() + 200
    while not last.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    shown, _ = process.communicate(timeout=120)
    assert process.returncode == 130, shown
    assert "Traceback" not in shown
    assert "fit --ckpt_path" in " ".join(shown.split())
    stopped = torch.load(last, weights_only=True)

    resumed = ["fit", f"--ckpt_path={last}", f"--workspace={tmp_path}"]
    assert main([*resumed, f"--trainer.max_epochs={stopped['epoch'] + 2}"]) == 0
    after = torch.load(last, weights_only=True)
    assert after["epoch"] == stopped["epoch"] + 1
    assert after["global_step"] > stopped["global_step"]
