"""``benchmark`` as a command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.inference.benchmark import BenchmarkRecord

QUICK = ["--runtimes", "onnx", "--batches", "1,3", "--seconds", "0.01"]


def mistake(capsys: Any, *args: str | Path) -> str:
    assert main(["benchmark", *map(str, args)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    assert len(shown.err.splitlines()) <= 5
    assert "Next: " in shown.err
    return str(shown.err)


def test_tables_and_a_record(
    crop_bundle: Any, portrait_clips: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = tmp_path / "kept" / "benchmark.json"
    clip = portrait_clips / "real/p0.mp4"
    assert main(["benchmark", str(crop_bundle.folder), *QUICK, "--data", str(clip), "--price",
                 "2", "--out", str(out)]) == 0  # fmt: skip
    shown = capsys.readouterr().out
    assert shown.startswith("v1.0.0, test_efficientnet, 32 px; bundle of ")
    rows = [line.split() for line in shown.splitlines() if line.startswith("onnx ")]
    found = BenchmarkRecord.model_validate_json(out.read_text())
    assert [row[1:3] for row in rows] == [["1", "32"], ["3", "32"]]
    for row, kept in zip(rows, found.network, strict=True):
        assert float(row[3].replace(",", "")) == pytest.approx(kept.p50_ms, rel=0.01)
        assert float(row[-1]) == pytest.approx(kept.cost_per_1000, rel=0.001)
    tables = [line for line in shown.splitlines() if line.startswith(("runtime", "onnx ", "part"))]
    assert max(map(len, tables)) <= 80 and "…" not in shown
    for part in ("decode", "faces", "model", "other", "whole"):
        assert f"\n{part} " in shown
    assert "1 clip (p0.mp4), 192 x 144 px, 1 s long, 12.0 frames looked at" in shown
    assert "the logits of these 2 rows are" in shown and "cost of 1,000 clips: " in shown
    assert shown.rstrip().endswith(f"record: {out}")
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_drawn_clips_as_json(crop_bundle: Any, capsys: Any) -> None:
    args = [str(crop_bundle.folder), "--runtimes", "onnx", "--batches", "none", "--clips", "1"]
    assert main(["benchmark", *args, "--seconds", "0.01", "--json", "true"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    record = json.loads(line)
    (row,) = record["media"]
    assert (row["drawn"], row["items"], row["width"]) == (True, 1, [256, 256])
    assert row["cost_per_1000"] is None and row["per_second_with_workers"] is None
    assert record["network"] == [] and record["schema"] == 1
    assert any("drawn by this package" in note for note in record["notes"])


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--batches", "1,x"], "--batches is"),
        (["--batches", "0"], "--batches is"),
        (["--batches", "8,8"], "name each once"),
        (["--sizes", "8"], "--sizes is"),
        (["--runtimes", "tensorrt"], "--runtimes is"),
        (["--runtimes", ""], "--runtimes is"),
        (["--seconds", "0"], "--seconds is"),
        (["--price", "0"], "--price is"),
        (["--workers", "0"], "--workers is"),
        (["--threads", "0"], "threads is 0"),
        (["--runtimes", "onnx", "--device", "cuda"], "would have no part"),
        (["--clips", "0", "--data", "x.mp4"], "would have no part"),
        (["--batches", "none", "--clips", "0"], "neither the network nor media"),
        (["--precision", "int8"], "precision"),
        (["--batch", "1"], "did you mean --batches"),
    ],
)
def test_flags_that_cannot_work(crop_bundle: Any, capsys: Any, args: list[str], said: str) -> None:
    assert said in mistake(capsys, crop_bundle.folder, *args)


def test_targets_that_cannot_be_timed(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert "'v9.9.9' is neither a detector nor scores" in mistake(capsys, "v9.9.9")
    Path("scores.csv").write_text("video_id,logit\n")
    assert "has scores already" in mistake(capsys, "scores.csv")
    assert "target" in mistake(capsys)


def test_nothing_is_overwritten_and_data_have_to_be_there(
    crop_bundle: Any, tmp_path: Path, capsys: Any
) -> None:
    kept = tmp_path / "kept.json"
    kept.write_text("mine")
    args = [crop_bundle.folder, *QUICK]
    assert "--overwrite true" in mistake(capsys, *args, "--out", kept)
    assert "it is a folder" in mistake(capsys, *args, "--out", tmp_path)
    assert "is a file" in mistake(capsys, *args, "--out", kept / "below.json")
    assert kept.read_text() == "mine"
    gone = ["--batches", "none", "--runtimes", "onnx", "--data", tmp_path / "gone"]
    assert "gone" in mistake(capsys, crop_bundle.folder, *gone)
