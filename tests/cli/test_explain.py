"""``explain`` as a command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.evaluation.explanation.words import MEANING


@pytest.fixture(scope="module")
def bundle(frame_bundle: Any) -> str:
    return str(frame_bundle.folder)


def mistake(capsys: Any, *args: str | Path) -> str:
    """Run what cannot work, and return what is said of it."""
    assert main(["explain", *map(str, args)]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and "Traceback" not in shown.err and "Next: " in shown.err
    return str(shown.err)


def test_for_people(
    bundle: str, portrait_clips: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    out = tmp_path / "explained"
    clips = [str(portrait_clips / name) for name in ("fake/p0.mp4", "real/broken.mp4")]
    args = ["explain", *clips, "--bundle", bundle, "--out", str(out), "--faces", "1"]
    assert main(args) == 3
    shown = capsys.readouterr().out
    table = shown.partition("of 1 face ")[0]
    assert max(map(len, table.splitlines())) <= 100
    assert "unreadable" in table and "0:00." in table
    assert MEANING in shown and f"page: {out}/explanation.html\n" in shown
    assert sorted(path.name for path in out.iterdir()) == [
        "explanation.html", "explanation.json", "faces"
    ]  # fmt: skip
    assert [path.name for path in (out / "faces").iterdir()] == ["01-01.jpg"]
    assert "is there already" in mistake(capsys, *clips, "--bundle", bundle, "--out", out)


def test_for_programs(
    trained: Any, faces: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    picture = str(faces / "fake/person0.jpg")
    args = ["--ckpt_path", str(trained.result.best_checkpoint), "--already_cropped", "true"]
    assert main(["explain", picture, *args, "--method", "occlusion", "--checks", "false",
                 "--json", "true"]) == 0  # fmt: skip
    record = json.loads(capsys.readouterr().out)
    assert main(["predict", picture, *args, "--json", "true"]) == 0
    scored = json.loads(capsys.readouterr().out)
    [item] = record["items"]
    assert item["assessment"]["score"] == scored["score"]
    assert np.shape(item["faces"][0]["heat"]) == (8, 8)
    assert record["method"] == "occlusion" and item["faces"][0]["checks"] is None
    assert Path(record["folder"]).is_relative_to("mlops/evaluation/reports")


def test_mistakes(bundle: str, portrait_clips: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "out"
    use = ("--bundle", bundle, "--out", out)
    clip = portrait_clips / "real/p0.mp4"
    assert "nothing to explain" in mistake(capsys, *use)
    assert "is a folder" in mistake(capsys, portrait_clips, *use)
    assert "is no file" in mistake(capsys, tmp_path / "x.mp4", *use)
    assert "no detector is named" in mistake(capsys, clip)
    assert "--faces 0" in mistake(capsys, clip, *use, "--faces", "0")
    assert "'gradcam', 'occlusion'" in mistake(capsys, clip, *use, "--method", "shap")
    assert "no face was found" in mistake(capsys, portrait_clips / "real/none.mp4", *use)
    assert "is not a video" in mistake(capsys, portrait_clips / "real/broken.mp4", *use)
    words = tmp_path / "notes.txt"
    words.write_text("no picture")
    assert "notes.txt" in mistake(capsys, words, *use)
    empty = tmp_path / "empty.png"
    assert cv2.imwrite(str(empty), np.zeros((60, 60, 3), np.uint8))
    assert "no face was found" in mistake(capsys, empty, *use)
    assert sorted(tmp_path.iterdir()) == [empty, words]
