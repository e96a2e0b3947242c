"""``evaluate`` as a command, beside ``test``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.schemas import read_predictions


@pytest.fixture
def place(tmp_path: Path, monkeypatch: Any) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.fixture
def peer(place: Path) -> Path:
    """Return the scores of another detector: 60 clips, their sources, and one without a score."""
    labels = np.tile(["REAL", "FAKE"], 30)
    score = np.random.default_rng(1).random(60) * 0.6 + 0.4 * (labels == "FAKE")
    cells = [f"{x:.6f}" for x in score]
    cells[7] = ""
    table = {"clip": [f"c{n}.mp4" for n in range(60)], "p": cells, "truth": labels,
             "source": ["tv", "web", "phone"] * 20}  # fmt: skip
    pd.DataFrame(table).to_csv(place / "peer.csv", index=False)
    return place / "peer.csv"


COLUMNS = "id=clip,score=p,label=truth,fake=FAKE,scale=probability"


def evaluated(*args: str | Path, capsys: Any) -> dict[str, Any]:
    assert main(["evaluate", *map(str, args), "--json", "true", "--draws", "100"]) == 0
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    return record


def mistake(capsys: Any, *args: str | Path) -> str:
    assert main(["evaluate", *map(str, args)]) == 2
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err and "Next: " in shown.err
    return str(shown.err)


@pytest.mark.slow  # test_registry_export.py compares the two for a version
def test_test_and_evaluate_agree(trained: Any, crop_bundle: Any, place: Path, capsys: Any) -> None:
    best = trained.result.best_checkpoint
    assert main(["test", "--ckpt_path", str(best), "--workspace", "w",
                 "--trainer.enable_progress_bar", "false"]) == 0  # fmt: skip
    shown = capsys.readouterr().out
    assert "report.html" in shown
    (folder,) = (place / "w/evaluation/reports").iterdir()
    tested = json.loads((folder / "report.json").read_text("utf-8"))
    rows = read_predictions(folder / "predictions.parquet").set_index("path")["logit"]
    of_torch = evaluated(best, "--workspace", "w", "--workers", "1", capsys=capsys)
    of_onnx = evaluated(crop_bundle.folder, "--run", trained.result.run_dir, "--workspace", "w",
                        "--workers", "1", capsys=capsys)  # fmt: skip
    for record, within in ((of_torch, 1e-6), (of_onnx, 1e-4)):
        path = Path(record["folder"]) / "predictions.parquet"
        logits = read_predictions(path).set_index("path")["logit"]
        assert (logits - rows.reindex(logits.index)).abs().max() < within
        assert len(logits) == len(rows)
        for level, result in tested["levels"].items():
            for name, one in result["metrics"].items():
                value = record["levels"][level]["metrics"][name]["value"]
                assert value == pytest.approx(one["value"], abs=within), (level, name)
    assert [of_torch["data"]["looks"], of_onnx["data"]["looks"]] == [2, 3]
    assert of_torch["counts"] == tested["counts"]


def test_another_detectors_table_makes_the_same_report(peer: Path, capsys: Any) -> None:
    assert main(["evaluate", "peer.csv", "--columns", COLUMNS, "--by", "source",
                 "--prevalence", "0.1", "--draws", "200"]) == 0  # fmt: skip
    shown = capsys.readouterr().out
    table = shown.split("At probability")[0]
    assert max(map(len, table.splitlines())) <= 80
    for said in ("AUROC", "by source", "tv", "1 more item without a score", "page: ", "next: "):
        assert said in shown, said
    folder = peer.parent / "mlops/evaluation/reports/evaluate-peer"
    assert {path.name for path in folder.iterdir()} == {
        "report.html", "report.md", "report.json", "predictions.parquet",
    }  # fmt: skip
    record = json.loads((folder / "report.json").read_text("utf-8"))
    assert record["prevalence"] == 0.1
    assert record["counts"]["unscored"] == {"unreadable": {"fake": 1}}
    (breakdown,) = [one for one in record["breakdowns"] if one["column"] == "source"]
    assert sum(group["real"] for group in breakdown["subgroups"]) == 30


def test_attributes_are_broken_down_by(peer: Path, capsys: Any) -> None:
    known = {"video_id": [f"c{n}.mp4" for n in range(60)], "age": ["young", "old"] * 30}
    pd.DataFrame(known).to_csv(peer.with_name("known.csv"), index=False)
    record = evaluated("peer.csv", "--columns", COLUMNS, "--attributes", "known.csv", capsys=capsys)
    assert "age" in [one["column"] for one in record["breakdowns"]]


def test_a_report_is_written_where_it_is_asked_for(peer: Path, capsys: Any) -> None:
    record = evaluated("peer.csv", "--columns", COLUMNS, "--out", "mine", capsys=capsys)
    assert record["folder"] == "mine"
    assert (peer.parent / "mine/report.html").is_file()
    assert not (peer.parent / "mlops").exists()
    again = mistake(capsys, "peer.csv", "--columns", COLUMNS, "--out", "mine")
    assert "--out mine is there already" in again


def test_mistakes_of_the_user(peer: Path, capsys: Any) -> None:
    assert "prevalence" in mistake(capsys, "peer.csv", "--columns", COLUMNS, "--prevalence", "2")
    assert "no column 'nose'" in mistake(capsys, "peer.csv", "--columns", COLUMNS, "--by", "nose")
    assert "peer.cvs" in mistake(capsys, "peer.cvs")
    assert "--draws 0" in mistake(capsys, "peer.csv", "--draws", "0")
    assert "--workers 0" in mistake(capsys, "peer.csv", "--workers", "0")
    assert not (peer.parent / "mlops").exists()


def test_what_is_wrong_is_said_before_a_look_is_counted(
    trained: Any, place: Path, capsys: Any
) -> None:
    best = trained.result.best_checkpoint
    (place / "file").write_text("")
    for flags in (
        ["--prevalence", "2"], ["--by", "nose"], ["--attributes", "none.csv"], ["--least", "0"],
        ["--out", "file/report"], ["--out", "x" * 300],
    ):  # fmt: skip
        mistake(capsys, best, "--workspace", "w", *flags)
    assert not (place / "w").exists()


def test_flags_without_effect_are_refused(peer: Path, capsys: Any) -> None:
    for flag in ("--data", "--split", "--run"):
        said = mistake(capsys, "peer.csv", "--columns", COLUMNS, flag, "test")
        assert f"{flag} would have no part" in said


def test_a_table_without_labels_is_not_measured(peer: Path, capsys: Any) -> None:
    said = mistake(capsys, "peer.csv", "--columns", "id=clip,score=p,scale=probability")
    assert "peer has no labels" in said


def test_cells_of_others_are_shown_as_they_are(peer: Path, capsys: Any) -> None:
    rows = [
        {"id": f"v{n}\ud800", "score": n / 20, "label": n % 2, "[/x]": "[/b]" if n % 3 else 7}
        for n in range(20)
    ]
    (peer.parent / "odd.json").write_text(json.dumps(rows), "utf-8")
    assert main(["evaluate", "odd.json", "--draws", "50"]) == 0
    shown = capsys.readouterr().out
    assert "by [/x]" in shown and "[/b]" in shown and "page: " in shown


def test_robustness_is_measured_said_and_kept(crop_bundle: Any, place: Path, capsys: Any) -> None:
    flags = ["--run", str(crop_bundle.run), "--workspace", "w", "--workers", "1", "--robustness",
             "true", "--robustness_items", "8", "--draws", "100"]  # fmt: skip
    assert main(["evaluate", str(crop_bundle.folder), *flags]) == 0
    shown = capsys.readouterr().out
    assert "worst degradations" in shown and "and 9 on the page" in shown
    assert "Worst: " in shown and "8 face crops" not in shown
    assert max(map(len, shown.split("At ")[0].splitlines())) <= 80
    (folder,) = (place / "w/evaluation/reports").iterdir()
    record = json.loads((folder / "report.json").read_text("utf-8"))["robustness"]
    assert (record["real"], record["fake"]) == (4, 4) and len(record["results"]) == 17
    page = (folder / "report.html").read_text("utf-8")
    assert "Under degradations" in page and "data:image/jpeg" not in page
    (line,) = (place / "w/evaluation/robustness.jsonl").read_text("utf-8").splitlines()
    kept = json.loads(line)
    assert len(kept["degradations"]) == 17 and kept["split"] == "test"
    for said in (mistake(capsys, crop_bundle.folder, "--robustness", "true",
                         "--robustness_items", "0"),):  # fmt: skip
        assert "--robustness_items 0 degrades nothing" in said
    said = mistake(capsys, crop_bundle.folder, "--robustness_items", "8")
    assert "--robustness_items 8 would have no part" in said and "--robustness true" in said


def test_scores_of_others_cannot_be_degraded(peer: Path, capsys: Any) -> None:
    said = mistake(capsys, "peer.csv", "--columns", COLUMNS, "--robustness", "true")
    assert "--robustness would have no part" in said
