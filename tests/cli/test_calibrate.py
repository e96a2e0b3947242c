"""``calibrate`` as a command, and what ``bundle build`` and ``predict`` say of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.metrics import expected_precision


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def mistake(capsys: Any, *args: str | Path) -> str:
    assert main(["calibrate", *map(str, args)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    assert len(shown.err.splitlines()) <= 5
    return str(shown.err)


def test_it_shows_thresholds_with_what_they_promise(calib_checkpoint: Path, capsys: Any) -> None:
    assert main(["calibrate", str(calib_checkpoint)]) == 0
    shown = capsys.readouterr().out
    assert f"bundle build {calib_checkpoint}\n" in shown  # whole, to be copied
    folder = str(calib_checkpoint.parent)
    assert all(len(line) <= 80 for line in shown.splitlines() if folder not in line)
    text = " ".join(shown.split())
    for words in ("8 real in 8 groups, 8 fake", "temperature", "log loss", "in use", "on average",
                  "split conformal", "fakes found", "precision at 1 %", "the default; say",
                  "It says nothing of other sources", "never 'real'", "manipulation indicated",
                  "clips: not calibrated", "bundle build"):  # fmt: skip
        assert words in text, words
    assert "at most 20 %" in text and "at most 10 %" not in text
    assert (calib_checkpoint.parent / "best.calibration.json").is_file()


def test_for_programs(calib_checkpoint: Path, tmp_path: Path, capsys: Any) -> None:
    elsewhere = Path(shutil.copy(calib_checkpoint, tmp_path / "kept.ckpt"))
    run = str(calib_checkpoint.parents[1])
    flags = ["--run", run, "--prevalence", "0.2", "--guarantee", "confidence",
             "--fpr", "0.4", "--max_miss", "0.25", "--json", "true"]  # fmt: skip
    assert main(["calibrate", str(elsewhere), *flags]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    record = json.loads(line)
    assert record["file"] == str(tmp_path / "kept.calibration.json")
    (one,) = record["calibration"]["image"]["thresholds"]
    assert (one["max_fpr"], one["guarantee"], one["confidence"]) == (0.4, "confidence", 0.95)
    expected = expected_precision(one["tpr"], 0.4, 0.2)
    assert record["expected_precision"] == {"image": [expected]}
    kept = json.loads((tmp_path / "kept.calibration.json").read_text())
    assert kept["calibration"] == record["calibration"]


def test_mistakes(calib_checkpoint: Path, tmp_path: Path, capsys: Any) -> None:
    assert "gone.ckpt" in mistake(capsys, tmp_path / "gone.ckpt")
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    assert "text.ckpt" in mistake(capsys, tmp_path / "text.ckpt")
    said = mistake(capsys, calib_checkpoint, "--fpr", "0.001")
    assert "needs 999 real pictures" in said and "there are 8" in said and "--fpr" in said
    assert "--fpr" in mistake(capsys, calib_checkpoint, "--fpr", "1")
    assert "--max_miss" in mistake(capsys, calib_checkpoint, "--max_miss", "0")
    assert "--prevalence" in mistake(capsys, calib_checkpoint, "--prevalence", "5")
    assert "guarantee" in mistake(capsys, calib_checkpoint, "--guarantee", "sure")
    assert "--prevalence" in mistake(capsys, calib_checkpoint, "--prevalance", "0.1")
    elsewhere = shutil.copy(calib_checkpoint, tmp_path / "copied.ckpt")
    assert "--run" in mistake(capsys, elsewhere)
    assert not list(tmp_path.rglob("*.calibration.json"))


def test_a_second_time_has_to_be_asked_for(calib_checkpoint: Path, capsys: Any) -> None:
    assert main(["calibrate", str(calib_checkpoint)]) == 0
    capsys.readouterr()
    assert "--overwrite true" in mistake(capsys, calib_checkpoint)
    assert main(["calibrate", str(calib_checkpoint), "--overwrite", "true"]) == 0


def test_predict_says_once_what_its_verdicts_mean(calib_checkpoint: Path, capsys: Any) -> None:
    flags = ["--fpr", "0.12", "--max_miss", "0.12"]  # the widest band that the items allow
    assert main(["calibrate", str(calib_checkpoint), *flags]) == 0
    capsys.readouterr()
    run = calib_checkpoint.parents[1]
    scored = [str(run / "manifest.parquet"), "--ckpt_path", str(calib_checkpoint)]
    assert main(["predict", *scored, "--workers", "1"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count("guaranteed: of real pictures drawn like those") == 1
    assert shown.count("It says nothing of other sources") == 1
    assert "inconclusive: " in shown and "ask a person" in shown
    assert "not make it real" in shown


@pytest.mark.slow
def test_bundle_build_says_whose_calibration_it_has(
    calib_checkpoint: Path, tmp_path: Path, capsys: Any
) -> None:
    assert main(["calibrate", str(calib_checkpoint)]) == 0
    capsys.readouterr()
    assert main(["bundle", "build", str(calib_checkpoint), "--out", str(tmp_path / "one")]) == 0
    shown = capsys.readouterr().out
    assert "for this bundle alone" not in shown
    assert "pictures: calibrated on 16 items" in shown and "at most 20 %" in shown


def test_help(capsys: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["calibrate", "--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    for words in ("--fpr", "--guarantee", "--prevalence", "ask a person", "no 'real'",
                  "example: deepfake-lightning calibrate"):  # fmt: skip
        assert words in shown
