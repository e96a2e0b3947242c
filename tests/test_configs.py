"""Every configuration, through the real command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from deepfake_lightning.cli import main
from deepfake_lightning.training import loggers

CONFIGS = Path(__file__).parent.parent / "configs"

# The offline and quick version of what a configuration asks for.
_SMALL = ["--model.backbone=test_efficientnet", "--model.weights=null", "--model.pretrained=false",
          "--data.image_size=32", "--data.crop_size=null", "--data.num_workers=0",
          "--data.batch_size=8", "--trainer.max_epochs=1", "--trainer.limit_train_batches=2",
          "--trainer.enable_progress_bar=false"]  # fmt: skip


@pytest.mark.parametrize("name", ["b0.yaml", "demo.yaml", "lite0.yaml", "sbi.yaml"])
def test_a_configuration_trains(name: str, faces: Path, tmp_path: Path, capsys: Any) -> None:
    flags = [f"--data.root={faces}", f"--workspace={tmp_path}"]
    register = name in ("b0.yaml", "sbi.yaml")
    if not register:  # demo.yaml's version is that of test_thin_line.py, lite0.yaml's the README's
        assert yaml.safe_load((CONFIGS / name).read_text())["register"] is True
        flags += ["--register=false", "--report=false"]
    assert main(["fit", "--config", str(CONFIGS / name), *_SMALL, *flags]) == 0
    assert list(tmp_path.rglob("best.ckpt"))
    assert list(tmp_path.rglob("events.out.tfevents*"))
    assert ("registered as        v1.0.0" in capsys.readouterr().out) is register


def test_debug_is_an_overlay(faces: Path, tmp_path: Path) -> None:
    layers = ["--config", str(CONFIGS / "b0.yaml"), "--config", str(CONFIGS / "debug.yaml")]
    flags = [*_SMALL, f"--data.root={faces}", f"--workspace={tmp_path}"]
    assert main(["fit", *layers, *flags]) == 0
    assert list(tmp_path.rglob("best.ckpt"))
    assert not (tmp_path / "registry").exists()
    saved = yaml.safe_load((tmp_path / "runs/debug/v1.0.0/config.yaml").read_text())
    assert saved["early_stopping"]["patience"] == 5
    assert saved["trainer"]["limit_val_batches"] == 4
    assert saved["trainer"]["callbacks"]


def test_mlflow_is_an_overlay_that_names_what_it_needs(
    faces: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    """Curves on a real server: tests/registry/mirror/test_mirror.py."""
    layers = ["--config", str(CONFIGS / "b0.yaml"), "--config", str(CONFIGS / "mlflow.yaml")]
    flags = [*layers, *_SMALL, f"--data.root={faces}", f"--workspace={tmp_path}"]
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    assert main(["fit", *flags]) == 2
    assert "deepfake-lightning[mlflow]" in capsys.readouterr().err
    monkeypatch.setattr(loggers, "find_spec", lambda name: name)
    here = "--trainer.logger.init_args.tracking_uri="
    for uri, said in (("", "does not know its server"), ("http://a:s3cret@b", "a password stands")):
        assert main(["fit", *flags, here + uri]) == 2
        error = capsys.readouterr().err
        assert said in error and "s3cret" not in error
    assert list(tmp_path.iterdir()) == []


def test_the_reference_is_what_was_asked_for() -> None:
    text = (CONFIGS / "b0.yaml").read_text()
    assert len(text.splitlines()) <= 40
    config = yaml.safe_load(text)
    assert config["register"] is True  # as v1.0.0, the first free version
    assert config["experiment"] == "deepfake-detection"
    model, data, trainer = config["model"], config["data"], config["trainer"]
    assert (model["backbone"], model["pretrained"]) == ("efficientnet_b0", True)
    assert (model["optimizer"], model["lr"]) == ("adam", 0.001)
    assert (data["image_size"], data["batch_size"], data["augment"]) == (224, 32, True)
    assert data["splits"] == {"train": 0.7, "val": 0.15, "test": 0.15}
    assert trainer["max_epochs"] == 50
    assert config["early_stopping"]["patience"] == 5


def test_as_typed_on_a_fresh_clone_it_names_two_ways_to_go_on(
    tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "--config", str(CONFIGS / "b0.yaml")]) == 2
    error = capsys.readouterr().err
    assert "mlops/data/images" in error
    assert "data demo" in error
    assert "--data.root" in error
    assert list(tmp_path.iterdir()) == []
