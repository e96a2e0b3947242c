"""``canary ...``: what the commands print, and how they end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.canary import CanaryPolicy, begin
from deepfake_lightning.deployment.environment import Environment, sole_version, whole
from deepfake_lightning.monitoring.log import ItemScore, LoggedRequest, PredictionLog
from deepfake_lightning.registry import Registry, Wish, register_bundle
from deepfake_lightning.storage import Workspace, write_json

POLICY = CanaryPolicy(minutes=3, requests=20)


@pytest.fixture(scope="module")
def registered(crop_bundle: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("canary") / "mlops"
    for version in ("v1.0.0", "v1.1.0"):
        register_bundle(Registry(Workspace(root)), crop_bundle.folder, Wish(version))
    return root


@pytest.fixture
def begun(registered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Return production: ten minutes ago a canary of v1.1.0 began, and a server took it."""
    monkeypatch.chdir(tmp_path)
    # No server runs: there is nobody to wait for.
    monkeypatch.setattr(Environment, "wait_taken", lambda self, change, _=0: self.taken(change))
    shutil.copytree(registered, tmp_path / "mlops")
    ago = datetime.now(UTC) - timedelta(minutes=10)
    environment = Environment(Workspace(tmp_path / "mlops"), "production", clock=lambda: ago)
    environment.change(environment.record(), whole("v1.0.0"), Act("deploy"))
    begin(environment, "v1.1.0", POLICY, Act("canary"), now=ago)
    record = environment.record().model_dump(mode="json", by_alias=True)
    write_json(environment.workspace.serving / "production.json", record)
    return environment


def answer(environment: Environment, *, failed: int = 0) -> None:
    """Log 10 minutes of requests: in each 20 of the champion, and 5 of the candidate."""
    began = round((datetime.now(UTC) - timedelta(minutes=10)).timestamp() * 1e6)
    rows = []
    for minute in range(10):
        for place in range(25):
            version = "v1.0.0" if place < 20 else "v1.1.0"
            bad = version == "v1.1.0" and place < 20 + failed
            item = ItemScore(0, "ok", -1.0, 0.2 + place % 5 / 10, True, 1, 1, version)
            at = began + (60 * minute + place) * 1_000_000
            rows.append(
                LoggedRequest(
                    f"{minute:016x}{place:016x}", at, version, "ab", "/v1/predict",
                    500 if bad else 200, 9, 50_000, media_type="image",
                    environment="production", variant="serving", items=() if bad else (item,),
                )
            )  # fmt: skip
    with PredictionLog(environment.workspace.monitoring / "predictions.db") as log:
        log.append_many(rows)


def shown(capsys: Any, *args: str, code: int = 0) -> str:
    """Return what a command prints, its words one space apart."""
    capsys.readouterr()
    assert main(["canary", *args]) == code
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).split())


def test_status_shows_step_guard_rails_and_what_comes_next(begun: Environment, capsys: Any) -> None:
    answer(begun)
    said = shown(capsys, "status")
    assert "production: v1.1.0 beside v1.0.0, 5 %, step 1 of 4 the next step would advance:" in said
    assert "errors 0.00 % 0.00 % + 1 points kept" in said
    assert "next: deepfake-lightning canary step --env production" in said
    assert begun.record().serving[1].share == 0.05


def test_without_data_it_says_what_is_missing_and_holds(begun: Environment, capsys: Any) -> None:
    said = shown(capsys, "step")
    assert "hold: there is no prediction log" in said
    with PredictionLog(begun.workspace.monitoring / "predictions.db"):
        pass
    said = shown(capsys, "status")
    assert "no request came since the canary began" in said
    assert "v1.1.0 answered 0 of 20 requests in whole minutes since" in said
    assert "next: deepfake-lightning canary watch --env production" in said


def test_step_advances_and_ends_with_0(begun: Environment, capsys: Any) -> None:
    answer(begun)
    record = json.loads(shown(capsys, "step", "--json", "true"))
    assert (record["verdict"], record["end"], record["share"]) == ("advance", None, 0.05)
    assert record["change"]["event"] == "canary"
    assert begun.record().serving[1].share == 0.25


def test_a_rolled_back_one_ends_with_4_and_says_what_it_answered(
    begun: Environment, capsys: Any
) -> None:
    answer(begun, failed=5)
    said = shown(capsys, "step", code=4)
    assert "roll back: errors: 100.00 % of the requests failed (5xx), v1.0.0 0.00 %" in said
    assert "v1.1.0 answered 50 requests since" in said
    assert "errors 100.00 % 0.00 % + 1 points broken" in said
    assert sole_version(begun.record()) == "v1.0.0"
    assert "v1.0.0 has all the traffic again" in shown(capsys, "watch", code=4)


def test_abort_needs_a_reason_and_others_then_end_with_5(begun: Environment, capsys: Any) -> None:
    assert "needs a reason" in shown(capsys, "abort", code=2)
    said = shown(capsys, "abort", "--reason", "the newsroom complains", "--by", "ada")
    assert "production: v1.0.0 has all the traffic (before: v1.0.0 95 %, v1.1.0 5 %)" in said
    said = shown(capsys, "step", code=5)
    assert "ended: ada ended it at 5 %" in said and "the newsroom complains" in said


def test_where_there_never_was_one_it_says_how_to_begin(begun: Environment, capsys: Any) -> None:
    said = shown(capsys, "status", "--env", "staging", code=2)
    assert "deepfake-lightning deploy VERSION --env staging --canary true" in said


@pytest.mark.slow
def test_watch_is_interrupted_and_says_how_to_go_on(begun: Environment) -> None:
    command = [sys.executable, "-m", "deepfake_lightning", "canary", "watch"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=begun.workspace.root.parent,
        start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "80"},
        # Who runs tests in the background of a script has them ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    try:
        assert "hold" in process.stdout.readline()
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "the canary stays at its step, and nobody judges it now" in said
    assert "next: deepfake-lightning canary watch --env production" in said
    assert begun.record().serving[1].share == 0.05
