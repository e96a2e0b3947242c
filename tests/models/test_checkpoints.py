"""Detectors read back from checkpoints, and what is refused."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from deepfake_lightning.errors import CheckpointError
from deepfake_lightning.models import DeepfakeDetector
from deepfake_lightning.models.checkpoint_file import load_plain, read_checkpoint
from deepfake_lightning.models.checkpoints import load_detector
from deepfake_lightning.storage import file_hash

Content = dict[str, Any]


@pytest.fixture
def changed(trained: Any, tmp_path: Path) -> Callable[[Callable[[Content], object]], Path]:
    """Return a function that writes a copy of a checkpoint with another content."""

    def make(change: Callable[[Content], object]) -> Path:
        content = torch.load(trained.result.best_checkpoint, weights_only=True)
        change(content)
        torch.save(content, tmp_path / "changed.ckpt")
        return tmp_path / "changed.ckpt"

    return make


def test_a_detector_comes_back_as_it_was(trained: Any) -> None:
    path = trained.result.best_checkpoint
    found = load_detector(path)
    held = torch.load(path, weights_only=True)["state_dict"]
    own = found.detector.state_dict()
    assert own.keys() == held.keys()
    assert all(torch.equal(own[name], held[name]) for name in own)
    assert not found.detector.training
    assert {p.device.type for p in found.detector.parameters()} == {"cpu"}
    assert found.detector.hparams["backbone"] == "test_efficientnet"
    assert found.sha256 == file_hash(path)
    assert (found.preprocess.input, found.preprocess.size) == ("crop", 32)
    assert found.served == found.preprocess
    assert found.crop_pictures is False


def test_extracted_faces_are_looked_for_when_served(frame_bundle: Any) -> None:
    found = load_detector(frame_bundle.checkpoint)
    assert found.preprocess.input == "crop"
    assert found.served == found.preprocess.model_copy(update={"input": "frame"})


def test_nothing_is_fetched_for_a_pretrained_detector(changed: Any, trained: Any) -> None:
    def ask(content: Content) -> None:
        content["hyper_parameters"].update(pretrained=True, weights="/nowhere/weights.pt")

    found = load_detector(changed(ask))
    assert found.detector.hparams["pretrained"] is False
    assert found.detector.hparams["weights"] is None


def test_compiled_and_weighted_trainings_are_read(changed: Any) -> None:
    def options(content: Content) -> None:
        content["hyper_parameters"].update(compile=True, class_weights="balanced")
        content["class_weights"] = torch.tensor([0.5, 2.0])

    found = load_detector(changed(options))
    assert found.detector.loss.weight.tolist() == [0.5, 2.0]


def test_settings_of_a_later_version_are_left_aside(changed: Any) -> None:
    path = changed(lambda content: content["hyper_parameters"].update(colour="red"))
    assert load_detector(path).detector.hparams["backbone"] == "test_efficientnet"


def test_an_older_checkpoint_has_the_defaults(changed: Any) -> None:
    def older(content: Content) -> None:
        del content["hyper_parameters"]["channels_last"]
        del content["DeepfakeDataModule"]["extracted"]
        del content["DeepfakeDataModule"]["preprocess"]["faces"]
        content.pop("datamodule_hyper_parameters", None)

    found = load_detector(changed(older))
    assert found.preprocess.faces.detector == "yunet"
    assert found.served.input == "crop"


def _drop(*names: str) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        for name in names[:-1]:
            content = content[name]
        del content[names[-1]]

    return change


def _set(value: Any, *names: str) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        for name in names[:-1]:
            content = content[name]
        content[names[-1]] = value

    return change


def _another_shape(content: Content) -> None:
    content["state_dict"]["head.weight"] = torch.zeros(2, 7)


FOREIGN: dict[str, Callable[[Content], object]] = {
    "no weights": _drop("state_dict"),
    "weights that are a list": _set([], "state_dict"),
    "weights that are numbers": _set({"head.weight": 1.0}, "state_dict"),
    "no data": _drop("DeepfakeDataModule"),
    "data that are text": _set("x", "DeepfakeDataModule"),
    "no settings": _drop("hyper_parameters"),
    "no name of the network": _drop("hyper_parameters", "backbone"),
    "a network that timm has not": _set("no_such_net", "hyper_parameters", "backbone"),
    "a network that is a number": _set(7, "hyper_parameters", "backbone"),
    "another network": _set("test_resnet", "hyper_parameters", "backbone"),
    "a setting that cannot be": _set("red", "hyper_parameters", "drop_path_rate"),
    "an optimizer that is not there": _set("none", "hyper_parameters", "optimizer"),
    "one tensor too few": _drop("state_dict", "head.bias"),
    "a tensor of another shape": _another_shape,
    "a tensor too many": _set(torch.zeros(1), "state_dict", "more"),
    "no preprocessing": _drop("DeepfakeDataModule", "preprocess"),
    "preprocessing of a later version": _set(2, "DeepfakeDataModule", "preprocess", "schema"),
    "preprocessing with a new field": _set(1, "DeepfakeDataModule", "preprocess", "new"),
    "preprocessing that is text": _set("x", "DeepfakeDataModule", "preprocess"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_no_checkpoint_of_this_package_is_named(changed: Any, what: str) -> None:
    path = changed(FOREIGN[what])
    with pytest.raises(CheckpointError, match=r"changed\.ckpt") as caught:
        load_detector(path)
    assert caught.value.next_step
    assert len(str(caught.value)) < 1500


def test_files_that_are_none_are_named(trained: Any, tmp_path: Path) -> None:
    whole = trained.result.best_checkpoint.read_bytes()
    spoilt = {
        "empty.ckpt": b"",
        "text.ckpt": b"weights",
        "half.ckpt": whole[: len(whole) // 2],
        "flipped.ckpt": whole[:400] + bytes([whole[400] ^ 255]) * 200 + whole[600:],
    }
    for name, data in spoilt.items():
        (tmp_path / name).write_bytes(data)
    shutil.make_archive(str(tmp_path / "archive"), "zip", trained.result.run_dir / "checkpoints")
    (tmp_path / "folder.ckpt").mkdir()
    torch.save([1, 2], tmp_path / "list.ckpt")
    torch.save(torch.zeros(3), tmp_path / "tensor.ckpt")
    for name in (*spoilt, "archive.zip", "folder.ckpt", "list.ckpt", "tensor.ckpt", "no.ckpt"):
        for read in (load_detector, read_checkpoint):
            with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
                read(tmp_path / name)


class Bomb:
    """Makes a file where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.marker,))


@pytest.mark.parametrize("zipped", [True, False])
def test_code_is_refused_and_not_run(changed: Any, tmp_path: Path, zipped: bool) -> None:
    path = changed(lambda content: content.update(bomb=Bomb(tmp_path / "ran")))
    if not zipped:
        torch.save({"state_dict": {}, "bomb": Bomb(tmp_path / "ran")}, path,
                   _use_new_zipfile_serialization=False)  # fmt: skip
    for read in (load_detector, read_checkpoint, load_plain):
        with pytest.raises(CheckpointError, match=r"changed\.ckpt"):
            read(path)
    assert not (tmp_path / "ran").exists()


def test_weights_alone_are_plain_and_no_checkpoint(tmp_path: Path) -> None:
    detector = DeepfakeDetector("test_efficientnet", pretrained=False)
    torch.save(detector.state_dict(), tmp_path / "w.pt")
    assert load_plain(tmp_path / "w.pt").keys() == detector.state_dict().keys()
    with pytest.raises(CheckpointError, match=r"--model\.weights"):
        read_checkpoint(tmp_path / "w.pt")


def test_reading_what_a_checkpoint_was_trained_on_imports_no_trainer() -> None:
    code = (
        "import sys, deepfake_lightning.models.checkpoint_file, deepfake_lightning.data.lineage\n"
        "found = {'lightning', 'timm'} & set(sys.modules)\n"
        "sys.exit(f'imported {found}' if found else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
