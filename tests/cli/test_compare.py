"""``compare`` as a command."""

from __future__ import annotations

import json
import re
import runpy
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.cli.compare import NOT_MET
from deepfake_lightning.schemas import write_predictions

SUBJECTS = runpy.run_path(str(Path(__file__).parents[1] / "evaluation" / "comparison_subjects.py"))
subject = SUBJECTS["subject"]


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: Any) -> Path:
    """Return a folder with predictions of a weak and a strong detector, and go there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name, shift, seed in (("weak", 0.8, 1), ("strong", 1.8, 2), ("same", 0.8, 3)):
        write_predictions(tmp_path / f"{name}.parquet", subject(name, shift, seed).predictions)
    return tmp_path


def run(*args: str | Path, code: int = 0) -> None:
    assert main(["compare", *map(str, args), "--draws", "200"]) == code


def mistake(capsys: Any, *args: str | Path) -> str:
    assert main(["compare", *map(str, args)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    assert len(shown.err.splitlines()) <= 5
    assert "Next: " in shown.err
    return str(shown.err)


def test_the_verdict_comes_first_and_all_fits(tables: Path, capsys: Any) -> None:
    run("weak.parquet", "strong.parquet")
    shown = capsys.readouterr().out
    assert shown.startswith("strong is better than weak: AUROC +0.")
    table = [line for line in shown.splitlines() if line.startswith(("metric", "AUROC", "log l"))]
    assert len(table) == 3 and max(map(len, table)) <= 80
    assert "It rests on 400 items (200 real, 200 fake) of 100 groups." in shown
    assert "furthest apart: set/" in shown
    folder = tables / "mlops/evaluation/reports/compare-weak-strong"
    assert f"page: {folder.relative_to(tables)}/report.html" in shown
    assert sorted(p.name for p in folder.iterdir()) == ["report.html", "report.json", "report.md"]
    run("weak.parquet", "strong.parquet")  # another report, beside the first
    assert (folder.parent / "compare-weak-strong_2" / "report.html").is_file()


def test_json_and_nothing_else(tables: Path, capsys: Any) -> None:
    run("weak.parquet", "strong.parquet", "same.parquet", "--json", "true", "--out", "r")
    shown = capsys.readouterr()
    (line,) = shown.out.splitlines()
    record = json.loads(line)
    assert (record["baseline"], record["items"], record["met"]) == ("weak", 400, True)
    assert [pair["verdict"] for pair in record["pairs"]] == ["better", "cannot tell", "worse"]
    kept = json.loads((tables / "r/report.json").read_text())
    assert {name: record[name] for name in kept} == kept
    assert record["folder"] == "r"


@pytest.mark.parametrize(
    ("second", "require", "code"),
    [
        ("strong", "better", 0), ("strong", "not_worse", 0),
        ("same", "better", NOT_MET), ("same", "not_worse", 0),
    ],
)  # fmt: skip
def test_a_gate(tables: Path, capsys: Any, second: str, require: str, code: int) -> None:
    run("weak.parquet", f"{second}.parquet", "--require", require, code=code)
    said = capsys.readouterr().err
    assert said == ("" if code == 0 else "not met: same is not shown to be better in AUROC\n")


def test_a_gate_that_is_not_met_and_one_that_cannot_be(tables: Path, capsys: Any) -> None:
    run("strong.parquet", "weak.parquet", "--require", "not_worse", code=NOT_MET)
    assert capsys.readouterr().err == "not met: weak is worse in AUROC\n"
    for name in ("weak", "strong"):  # without both classes nothing is shown
        rows = subject(name).predictions
        write_predictions(tables / f"{name}.csv", rows[rows["label"] == 0])
    for require in ("better", "not_worse"):
        run("weak.csv", "strong.csv", "--require", require, code=NOT_MET)
        assert f"is not shown to be {require.replace('_', ' ')}" in capsys.readouterr().err


def test_the_exit_codes_are_in_the_help(capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main(["compare", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for words in ("0 compared, whatever came out", "4 what --require asks for is not met",
                  "2 wrong use", "1 the machine's fault", "130 interrupted",
                  "versions of the workspace"):  # fmt: skip
        assert words in shown


def test_scores_of_others_that_only_rank(tables: Path, capsys: Any) -> None:
    rows = subject("x", 1.8, 2).predictions
    lines = [
        f"{Path(path).stem},{logit * 100:.1f},{'FAKE' if label else 'REAL'}"
        for path, logit, label in zip(rows["path"], rows["logit"], rows["label"], strict=True)
    ]
    (tables / "theirs.csv").write_text("\n".join(["clip,score,truth", *lines]))
    run("weak.parquet", "theirs.csv", "--columns", "id=clip,label=truth", "--json", "true")
    record = json.loads(capsys.readouterr().out)
    assert list(record["pairs"][0]["differences"]) == [
        "auroc", "average_precision", "eer", "tpr_at_fpr_1"
    ]  # fmt: skip
    assert record["matched_by"] == ["file name"]
    assert record["pairs"][0]["verdict"] == "better"
    assert record["detectors"][1]["metrics"]["log_loss"]["value"] is None


def test_items_that_do_not_match_at_all(tables: Path, capsys: Any) -> None:
    (tables / "other.csv").write_text("id,score,label\na,0.5,1\nb,0.4,0\n")
    said = mistake(capsys, "weak.parquet", "other.csv")
    assert "other has no item in common with the first detector" in said
    assert "(here a, there set/fake/clip_0001)" in said
    assert not (tables / "mlops").exists()


def test_wrong_use(tables: Path, capsys: Any) -> None:
    assert "1 detectors make no comparison" in mistake(capsys, "weak.parquet")
    two = ("weak.parquet", "strong.parquet")
    assert "draws nothing" in mistake(capsys, *two, "--draws", "0")
    assert "nobody to work" in mistake(capsys, *two, "--workers", "0")
    assert "is 'score' meant?" in mistake(capsys, *two, "--columns", "scor=x")
    (tables / "kept").mkdir()
    (tables / "kept" / "notes.txt").write_text("mine")
    assert "is there already" in mistake(capsys, *two, "--out", "kept")
    assert "is weak.parquet or" in mistake(capsys, "weak.parqet", "strong.parquet")
    assert main(["compare", *two, "--require", "best"]) == 2
    assert sorted(p.name for p in tables.iterdir() if p.is_dir()) == ["kept"]


def test_a_name_that_is_wrong_is_said_before_anything_is_scored(
    tables: Path, trained: Any, capsys: Any
) -> None:
    said = mistake(capsys, trained.result.best_checkpoint, "gone", "--workspace", tables / "mlops")
    assert "'gone' is neither a detector nor scores" in said
    assert not (tables / "mlops").exists()


def test_a_machine_that_refuses(tables: Path, capsys: Any) -> None:
    run("weak.parquet", "strong.parquet", "--out", "/proc/report", code=1)
    assert "could not be written" in capsys.readouterr().err


def test_an_interruption_leaves_no_report(tables: Path, capsys: Any, monkeypatch: Any) -> None:
    from deepfake_lightning.evaluation.comparison import page

    def stop(found: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(page, "comparison_page", stop)
    run("weak.parquet", "strong.parquet", code=130)
    assert not list((tables / "mlops/evaluation/reports").iterdir())


@pytest.mark.slow
def test_trainings_are_scored_and_compared(
    tables: Path, trained: Any, crop_bundle: Any, capsys: Any
) -> None:
    run_dir = trained.result.run_dir
    runs = tables / "mlops" / "runs"
    shutil.copytree(run_dir.parent.parent, runs)
    name = f"{run_dir.parent.name}/{run_dir.name}"
    shutil.copytree(crop_bundle.folder, runs / name / "bundle", dirs_exist_ok=True)
    run(name, runs / name / "bundle", "--workers", "1", "--json", "true")
    record = json.loads(capsys.readouterr().out)
    first, second = record["detectors"]
    assert (first["name"], second["name"]) == (name, f"{name} (2)")
    assert (first["model"]["kind"], second["model"]["kind"]) == ("checkpoint", "bundle")
    assert first["model"]["checkpoint"] == second["model"]["checkpoint"]
    assert {one["data"]["split"] for one in (first, second)} == {"test"}
    assert [one["data"]["looks"] for one in (first, second)] == [1, 2]
    difference = record["pairs"][0]["differences"]["log_loss"]["difference"]
    assert abs(difference) < 1e-3
    assert record["pairs"][0]["verdict"] == "cannot tell"


def test_the_page_fetches_nothing_and_says_what_the_markdown_says(tables: Path) -> None:
    run("weak.parquet", "strong.parquet", "same.parquet", "--out", "r")
    page = (tables / "r/report.html").read_text()
    text = (tables / "r/report.md").read_text()
    assert not re.search(r"https?://|url\(|<script|<link|<img|@import", page)
    assert page.count("<svg") == 2 + 1 + 2  # differences, one square of ROC curves, scatters
    numbers = set(re.findall(r"[+-]?\d\.\d{3}", text))
    assert len(numbers) > 50
    assert all(number in page for number in numbers)
    for heading in ("Verdict", "Metrics", "Differences", "All pairs", "What was compared"):
        assert f"<h2>{heading}</h2>" in page


def test_names_from_outside_are_text_everywhere(tables: Path, capsys: Any) -> None:
    bad = "<script>alert(1)</script>|[x](http://evil)"
    for name, seed in (("a", 1), ("b", 2)):
        rows = subject(name, 1, seed).predictions
        rows["video_id"] = rows["video_id"] + bad
        write_predictions(tables / f"{name}.parquet", rows.assign(version=f"{name}{bad}\x1b[2J"))
    run("a.parquet", "b.parquet", "--out", "r")
    assert "\x1b" not in capsys.readouterr().out
    page = (tables / "r/report.html").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page
    text = (tables / "r/report.md").read_text()
    assert "<script" not in text and "[x](" not in text


def test_flags_without_effect_are_refused(tables: Path, capsys: Any) -> None:
    said = mistake(capsys, "weak.parquet", "strong.parquet", "--data", "/does/not/exist")
    assert "--data would have no part" in said


def test_a_table_that_holds_rows_twice(tables: Path, capsys: Any) -> None:
    rows = subject("twice").predictions
    write_predictions(tables / "twice.parquet", pd.concat([rows, rows]))
    assert "400 rows stand there twice" in mistake(capsys, "twice.parquet", "weak.parquet")
