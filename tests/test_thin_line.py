"""The whole line, with the commands a user types: drawn clips -> fit -> v1.0.0 -> one score."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.schemas import read_predictions

SMALL = ["--model.backbone=test_efficientnet", "--model.weights=null", "--model.pretrained=false",
         "--data.image_size=32", "--data.num_workers=0", "--trainer.enable_progress_bar=false",
         "--trainer.max_epochs=1", "--trainer.limit_train_batches=4"]  # fmt: skip


@contextmanager
def served(workspace: Path) -> Iterator[str]:
    """Run ``serve`` in a process of its own, and end it as an operator would."""
    command = [sys.executable, "-m", "deepfake_lightning", "serve", "--version", "v1.0.0",
               "--port", "0", "--workspace", str(workspace)]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name != "DEEPFAKE_TOKEN"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        found = re.search(r"http://[\d.:]+", process.stdout.readline())
        assert found is not None
        yield found[0]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def predicted(capsys: Any, *args: object) -> dict[str, Any]:
    """Return what ``predict --json`` says of one item."""
    capsys.readouterr()
    assert main(["predict", *map(str, args), "--json", "true"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with drawn clips, their faces, a training and its version."""
    place = tmp_path_factory.mktemp("line") / "mlops"
    clips, faces = place / "data/demo", place / "data/demo_faces"
    here = ["--workspace", str(place)]
    for command in (
        ["data", "demo", "--identities", "8", "--clips", "1", "--out", str(clips)],
        ["extract", str(clips), "--out", str(faces), "--sampling", "even:2"],
        ["fit", "--config", "configs/demo.yaml", "--data.root", str(faces), *here, *SMALL],
    ):
        assert main(command) == 0, command
    return place


def test_one_picture_has_one_score_from_the_checkpoint_to_the_logged_row(
    line: Path, capsys: Any
) -> None:
    bundle = line / "registry/models/v1.0.0"
    picture = bundle / "golden/1_forged.png"
    golden = json.loads((bundle / "golden/golden.json").read_text())["pictures"][1]["logit"]
    onnx = predicted(capsys, picture, "--version", "v1.0.0", "--workspace", line)
    through_torch = predicted(capsys, picture, "--bundle", bundle, "--runtime", "torch")
    checkpoint = predicted(
        capsys, picture, "--ckpt_path", line / "runs/demo/v1.0.0/checkpoints/best.ckpt"
    )
    with served(line) as url:
        answer = httpx.post(f"{url}/v1/predict", content=picture.read_bytes(), timeout=30).json()
    with sqlite3.connect(line / "monitoring/predictions.db") as log:
        rows = log.execute(
            "SELECT r.version, r.http_status, s.logit, s.score FROM requests r "
            "JOIN item_scores s ON s.request_id = r.id WHERE r.id = ?", [answer["request_id"]]
        ).fetchall()  # fmt: skip
    assert [row[:2] for row in rows] == [("v1.0.0", 200)]
    assert onnx["logit"] == answer["logit"] == rows[0][2]  # the same engine: the same bits
    assert onnx["score"] == answer["score"] == rows[0][3]
    for other in (golden, through_torch["logit"], checkpoint["logit"]):
        assert onnx["logit"] == pytest.approx(other, abs=1e-4)
    assert answer["demo"] is True
    assert answer["verdict"] is None and onnx["verdict"] is None  # it is not calibrated


def test_predict_scores_the_test_split_as_test_does(line: Path, tmp_path: Path) -> None:
    run, table = line / "runs/demo/v1.0.0", tmp_path / "scores.parquet"
    checkpoint = str(run / "checkpoints/best.ckpt")
    assert main(["test", "--ckpt_path", checkpoint, "--workspace", str(line),
                 "--trainer.enable_progress_bar=false"]) == 0  # fmt: skip
    assert main(["predict", str(line / "data/demo_faces"), "--version", "latest",
                 "--workspace", str(line), "--out", str(table)]) == 0  # fmt: skip
    report = next((line / "evaluation/reports").glob("demo-*-test"))
    tested = read_predictions(report / "predictions.parquet")
    both = tested.merge(read_predictions(table), on="path", validate="one_to_one")
    assert len(both) == len(tested) > 0
    assert (both["logit_x"] - both["logit_y"]).abs().max() < 1e-4
    for name in ("video_id", "label", "method", "track_id", "frame"):
        assert both[f"{name}_x"].equals(both[f"{name}_y"]), name
