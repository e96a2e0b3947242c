"""``rollback``: what it prints, and how it ends; with a real server under traffic, too."""

from __future__ import annotations

import json
import runpy
import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.environment import Environment, whole
from deepfake_lightning.registry import Registry, Wish, register_bundle
from deepfake_lightning.storage import Workspace

_SERVE = SimpleNamespace(
    **runpy.run_path(str(Path(__file__).parents[1] / "serving" / "serve_process.py"))
)


@pytest.fixture(scope="module")
def registered(crop_bundle: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("rollback") / "mlops"
    for version in ("v1.0.0", "v1.1.0"):
        register_bundle(Registry(Workspace(root)), crop_bundle.folder, Wish(version))
    return root


@pytest.fixture
def place(registered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Return a workspace in whose production v1.0.0 served, and v1.1.0 does."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("deepfake_lightning.cli.rollback._WAIT_SECONDS", 0.2)
    shutil.copytree(registered, tmp_path / "mlops")
    environment = Environment(Workspace(tmp_path / "mlops"), "production")
    for version in ("v1.0.0", "v1.1.0"):
        environment.change(environment.record(), whole(version), Act("deploy"))
    return environment.workspace


def test_it_says_what_was_done_and_that_no_server_took_it(place: Workspace, capsys: Any) -> None:
    assert main(["rollback", "--reason", "it is slow"]) == 0
    said = capsys.readouterr().out
    assert "production: v1.0.0 has all the traffic (before: v1.1.0)" in said
    assert "no running server has taken it within 0.2 s" in said
    assert "next: deepfake-lightning registry history --env production" in said


def test_what_is_there_already_is_said(place: Workspace, capsys: Any) -> None:
    assert main(["rollback", "--to", "v1.1.0", "--reason", "it is slow"]) == 0
    assert "v1.1.0 has all the traffic of production already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "said"),
    [([], 'pass --reason "why"'),
     (["--reason", "x", "--to", "v9.9.9"], "v9.9.9 is not registered"),
     (["--reason", "x", "--env", "staging"], "no version served staging before"),
     (["--reason", "x", "--env", "../x"], "is no name of an environment")],
)  # fmt: skip
def test_wrong_use_is_2_and_says_what_to_do(
    place: Workspace, capsys: Any, flags: list[str], said: str
) -> None:
    assert main(["rollback", *flags]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_with_a_server_the_next_request_is_answered_by_the_old_version(
    place: Workspace, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(place.root.parent)
    done, picture = cv2.imencode(".png", np.full((24, 32, 3), 200, np.uint8))
    assert done
    with ExitStack() as stack:
        server = _SERVE.ServeProcess(place.root, "--env", "production", "--workers", 1)
        stack.callback(server.destroy)
        traffic = _SERVE.Traffic(server.url, picture.tobytes(), threads=2)
        stack.callback(traffic.stop)
        time.sleep(0.5)
        began = time.monotonic()
        assert main(["rollback", "--reason", "it is slow", "--json", "true"]) == 0
        url = f"{server.url}/v1/predict?already_cropped=true"
        answer = httpx.post(url, content=picture.tobytes(), timeout=30)
        took = time.monotonic() - began
        traffic.stop()
    record = json.loads(capsys.readouterr().out)
    assert record["target"] == "v1.0.0" and record["taken"]
    assert answer.json()["version"] == "v1.0.0"
    assert record["seconds"] < 3  # 0.3 s where nothing else uses the machine
    assert took < 10
    assert len(traffic.answers) > 10
    assert {status for _, status, _ in traffic.answers} == {200}
