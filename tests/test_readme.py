"""Every block of the README is run, with small networks and few steps."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import cv2
import pytest
import yaml

from deepfake_lightning.cli import main
from deepfake_lightning.cli.commands import COMMANDS
from deepfake_lightning.media import open_video
from deepfake_lightning.schemas.environment import EnvironmentRecord

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
SMALL = ["--model.backbone=test_efficientnet", "--model.weights=null", "--model.pretrained=false",
         "--data.image_size=32", "--data.crop_size=null", "--data.num_workers=0",
         "--data.batch_size=8", "--trainer.enable_progress_bar=false",
         "--audit_allow=[near_copy]"]  # fmt: skip
PLAIN = ["--register=false", "--report=false"]  # as of all but the first training


def _blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, portrait_clips: Path) -> Path:
    """Return a folder like a reader's: the configurations, and ``videos`` of one's own."""
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "configs", folder / "configs")
    _make_small(folder / "configs/sweep.yaml")
    (folder / "mlops/data").mkdir(parents=True)
    (folder / "mlops/data/images").symlink_to(folder / "faces")  # where a sweep looks for data
    for clip in portrait_clips.glob("*/p*.mp4"):
        copy = folder / "videos" / clip.relative_to(portrait_clips)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, copy)
    python = _blocks("python")
    first = next((folder / "videos/fake").glob("*.mp4"))
    with open_video(first) as video:
        frame = next(video.read([0])).image
    cv2.imwrite(str(folder / "face.jpg"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    (folder / "bell.py").write_text(next(text for text in python if "class Bell" in text))
    return folder


def _make_small(sweep: Path) -> None:
    """Let a sweep have two short trials."""
    content = yaml.safe_load(sweep.read_text())
    flags = [flag.removeprefix("--").split("=", 1) for flag in SMALL if "progress_bar" not in flag]
    small = {key: yaml.safe_load(value) for key, value in flags}
    content["overrides"] = {**small, "trainer.max_epochs": 1}
    del content["space"]["data.batch_size"]
    sweep.write_text(yaml.safe_dump({**content, "trials": 2}))


def _tensorboard(logdir: str) -> None:
    """Start TensorBoard on loopback and ask it for the runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--logdir", logdir, "--port", "0"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        address = next(m.group(0) for line in process.stderr
                       if (m := re.search(r"http://\S+:\d+/", line)))  # fmt: skip
        with urllib.request.urlopen(f"{address}data/runs", timeout=60) as answer:
            assert b"lite0/v1.0.0" in answer.read()
    finally:
        process.kill()
        process.communicate()


def _serve(words: list[str]) -> None:
    """Serve on a free port, and send what the README's curls send to port 8000."""
    lines = [line for text in _blocks("bash") for line in text.splitlines() if "curl" in line]
    process = subprocess.Popen(
        [sys.executable, "-m", "deepfake_lightning", *words[1:], "--port", "0"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        found = re.search(r"http://[\d.:]+", process.stdout.readline())
        assert found is not None
        for line in lines:
            body, address = shlex.split(line)[-2:]
            data = Path(body.removeprefix("@")).read_bytes()
            asked = address.replace("http://127.0.0.1:8000", found[0])
            request = urllib.request.Request(asked, data=data)
            with urllib.request.urlopen(request, timeout=60) as answer:
                record = json.load(answer)
            assert record.get("status") == "ok" or record["state"] in ("queued", "running")
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0


def _run(line: str) -> None:
    words = shlex.split(line, comments=True)
    if words[0] == "tensorboard":
        return _tensorboard(words[2])
    if words[0] == "curl":  # asked while the server of the block before is up
        return None
    if words[1] == "serve":
        return _serve(words)
    assert words[0] == "deepfake-lightning", line
    small = []
    if words[1] == "fit":
        epochs = "2" if "--ckpt_path" in words else "1"
        small = [*([] if "--ckpt_path" in words else SMALL), f"--trainer.max_epochs={epochs}"]
        if Path("mlops/registry").exists():  # the first is registered; that takes its time
            small += PLAIN
    if words[1] == "tune":
        small = ["--workers", "1"]  # each of them loads PyTorch
    if words[1] == "deploy":  # the server that is tried aside has tests of its own
        Path("gate.yaml").write_text("integration: {environments: []}")
        small = ["--policy", "gate.yaml"]
    if words[1] == "benchmark":
        small = ["--clips=1"]
    assert main([*words[1:], *small]) == 0, line
    return None


def test_every_block_is_in_order(place: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(place)
    for language, text in BLOCKS:
        if language == "bash":
            for line in filter(None, text.splitlines()):
                if not line.startswith("bash scripts/"):  # run by the next test's means
                    _run(line)
        elif language == "python" and "train(" in text:
            small = ", ".join(f'"{flag}"' for flag in [*SMALL, *PLAIN])
            exec(text.replace('"--trainer.max_epochs=2")', f'"--trainer.max_epochs=1", {small})'))
            assert "best.ckpt" in capsys.readouterr().out
        elif language == "python" and "open_engine(" in text:
            exec(text)
            assert "Examined(frames=" in capsys.readouterr().out
        elif language == "json":
            assert EnvironmentRecord.model_validate_json(text).serving
        elif language == "yaml":
            Path("more.yaml").write_text(text)
            _run("deepfake-lightning fit --config configs/lite0.yaml --config more.yaml "
                 "--data.root faces")  # fmt: skip
    assert "epoch 0" in capsys.readouterr().out  # the callback of the README rang


def test_the_two_commands_are_what_ci_runs() -> None:
    two = [line for line in _blocks("bash")[0].splitlines() if line]
    assert two == ["bash scripts/demo.sh", "bash scripts/test.sh"]
    ci = (ROOT / ".ci/run").read_text()
    assert all(command in ci for command in two)
    assert all((ROOT / command.split()[1]).is_file() for command in two)


def test_the_table_says_what_works() -> None:
    rows = re.findall(r"^\| [^|]+ \| (`[^|]+) \| (works|not yet)", README, re.MULTILINE)
    groups = "abtest|alerts|bundle|canary|data|feedback|log|registry|token"
    names = {
        re.match(rf"(({groups}) )?[a-z]+", command).group(0): state  # type: ignore[union-attr]
        for cell, state in rows
        for command in re.findall(r"`([^`]+)`", cell)
    }
    working = {name for name, state in names.items() if state == "works"}
    assert working == set(COMMANDS)


def test_every_configuration_is_named() -> None:
    for path in (ROOT / "configs").glob("*.yaml"):
        assert f"`configs/{path.name}`" in README
        assert yaml.safe_load(path.read_text())
