"""``feedback ...``: what the commands print, and how they end."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rich.console import Console

from deepfake_lightning.cli import main
from deepfake_lightning.cli.picture_preview import preview
from deepfake_lightning.monitoring.log import (
    ItemScore,
    LoggedRequest,
    PredictionLog,
    new_request_id,
)
from deepfake_lightning.monitoring.review import ReviewPolicy, drawing

NOW = round(datetime.now(UTC).timestamp() * 1e6) - 3600_000_000
VERDICT = "manipulation indicated, score 0.970"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the log of a workspace with three drawn requests and one that was not drawn."""
    monkeypatch.chdir(tmp_path)
    monitoring = tmp_path / "mlops" / "monitoring"
    (monitoring / "policy").mkdir(parents=True)
    (monitoring / "policy" / "review.yaml").write_text("second_opinion: 0\n")
    item = ItemScore(0, "ok", 3.5, 0.97, True, 1, 1, "v1.0.0", verdict="manipulation_indicated")
    with PredictionLog(monitoring / "predictions.db") as log:
        for number, rate in enumerate([1, 1, 1, 0]):
            ts_us = NOW + 60_000_000 * number
            row = LoggedRequest(
                new_request_id(ts_us), ts_us, "v1.0.0", "ab", "/v1/predict", 200, 1, 40_000,
                media_type="image", verdict="manipulation_indicated", items=(item,),
                environment="production",
            )  # fmt: skip
            log.append_many([row], draw=drawing(ReviewPolicy(rate=rate)))
    return monitoring / "predictions.db"


def names(place: Path) -> list[str]:
    with PredictionLog(place) as log, log.reading() as connection:
        rows = connection.exec_driver_sql("SELECT id FROM requests ORDER BY ts_us").all()
    return [row[0] for row in rows]


def labels(place: Path, name: str) -> list[tuple[int, str, str]]:
    with PredictionLog(place) as log:
        return [(one.label, one.by, one.source) for one in log.labels(name)]


def shown(capsys: Any, *args: str, code: int = 0) -> str:
    """Return what a command prints, its words one space apart."""
    capsys.readouterr()
    assert main(["feedback", *args]) == code
    captured = capsys.readouterr()
    return " ".join((captured.err if code == 2 else captured.out).split())


def reviewed(capsys: Any, monkeypatch: Any, typed: str, *args: str, code: int = 0) -> str:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    return shown(capsys, "review", "--by", "ada", *args, code=code)


def test_the_verdict_is_shown_after_the_answer(place: Path, capsys: Any, monkeypatch: Any) -> None:
    said = reviewed(capsys, monkeypatch, "x\nf lips too sharp\ns\nq\n")
    first, *rest = said.split("you: fake")
    assert "1 of 3" in first
    assert "is none of these" in first
    assert "0.97" not in first
    assert "manipulation" not in first
    assert VERDICT in rest[0]
    assert said.count(VERDICT) == 1  # skipped and left ones stay unseen
    assert "1 judged by ada, 1 skipped" in said
    assert "2 wait: 2 for a first opinion" in said
    (label,) = labels(place, names(place)[2])
    assert label == (1, "ada", "review")


def test_what_is_typed_ends_where_the_input_does(
    place: Path, capsys: Any, monkeypatch: Any
) -> None:
    assert "2 judged by ada, 0 skipped" in reviewed(capsys, monkeypatch, "r\nu\n")
    assert [labels(place, name)[0][0] for name in names(place)[1:3]] == [-1, 0]
    assert "1 judged by ada" in reviewed(capsys, monkeypatch, "f\n")
    assert "nothing waits for ada" in reviewed(capsys, monkeypatch, "")


def test_an_interruption_keeps_what_was_said(place: Path, capsys: Any, monkeypatch: Any) -> None:
    class Typed(io.StringIO):
        def readline(self, *size: int) -> str:
            line = super().readline(*size)
            if not line:
                raise KeyboardInterrupt
            return line

    monkeypatch.setattr("sys.stdin", Typed("f\n"))
    said = shown(capsys, "review", "--by", "ada", code=130)
    assert "interrupted: all that was said is kept" in said
    assert labels(place, names(place)[2]) == [(1, "ada", "review")]


def test_scripts_give_one_label(place: Path, capsys: Any) -> None:
    name = names(place)[0]
    ask = ("review", "--id", name, "--by")
    assert VERDICT in shown(capsys, *ask, "ada", "--label", "fake")
    said = shown(capsys, *ask, "grace", "--label", "real")
    assert "others: ada: fake you disagree: somebody else is asked" in said
    said = shown(
        capsys, *ask, "linus", "--label", "cannot tell", "--note", "dark", "--json", "true"
    )
    assert json.loads(said)["state"] == "disagreement"
    said = json.loads(shown(capsys, *ask, "joan", "--label", "fake", "--json", "true"))
    assert (said["state"], said["verdict"], len(said["opinions"])) == (
        "done", "manipulation_indicated", 4)  # fmt: skip


def test_what_cannot_be_reviewed_is_said(place: Path, capsys: Any) -> None:
    said = shown(capsys, "review", "--id", names(place)[3], "--label", "fake", code=2)
    assert "was not drawn for review" in said
    said = shown(capsys, "review", "--id", "lost", "--label", "fake", code=2)
    assert "holds no request lost" in said
    assert "--id" in shown(capsys, "review", "--label", "fake", code=2)
    assert "--json goes with --label" in shown(capsys, "review", "--json", "true", code=2)
    assert "--limit 0 shows nothing" in shown(capsys, "review", "--limit", "0", code=2)


def test_the_list_tells_nothing_of_the_detector_before_it_is_done(place: Path, capsys: Any) -> None:
    said = shown(capsys, "list")
    assert names(place)[0] in said
    assert names(place)[3] not in said
    assert "0.97" not in said
    assert "3 wait: 3 for a first opinion" in said
    assert "reviews a day" in said
    shown(capsys, "review", "--id", names(place)[0], "--label", "fake")
    record = json.loads(shown(capsys, "list", "--json", "true"))
    assert record["counts"] == {"waiting": 2, "second": 0, "disagreement": 0, "done": 1}
    assert {one["verdict"] for one in record["items"]} == {None}
    (done,) = json.loads(shown(capsys, "list", "--state", "done", "--json", "true"))["items"]
    assert (done["verdict"], done["score"]) == ("manipulation_indicated", 0.97)


def test_a_list_is_filled_in_elsewhere_and_comes_back(place: Path, capsys: Any) -> None:
    assert "todo.csv: 3 requests" in shown(capsys, "list", "--out", "todo.csv")
    with Path("todo.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert not {"verdict", "score"} & rows[0].keys()
    rows[0].update(label="fake", by="grace")
    rows[1].update(label="cannot tell", by="grace", note="dark")
    with Path("todo.csv").open("w") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    said = shown(capsys, "import", "todo.csv", "--source", "review")
    assert "2 labels added, 0 known already 1 rows have no label yet" in said
    assert "0 labels added, 2 known" in shown(capsys, "import", "todo.csv", "--source", "review")
    assert labels(place, names(place)[2]) == [(1, "grace", "review")]
    assert "todo.txt is no CSV" in shown(capsys, "list", "--out", "todo.txt", code=2)


def test_a_file_with_faults_is_not_taken(place: Path, capsys: Any) -> None:
    first = names(place)[0]
    lines = ["request_id,label,by", f"{first},fake,ada", *(f"{first},forged,ada",) * 12]
    Path("labels.csv").write_text("\n".join(lines))
    said = shown(capsys, "import", "labels.csv", code=2)
    assert "12 rows that cannot be taken: line 3: the label 'forged' is none of" in said
    assert "line 12:" in said
    assert "line 13:" not in said
    assert "and 2 more" in said
    Path("labels.csv").write_text(f"request_id,label,by\n{first},fake,ada\nlost,real,ada\n")
    said = shown(capsys, "import", "labels.csv", code=2)
    assert "names 1 requests that" in said
    assert "does not hold: lost" in said
    assert not labels(place, first)
    said = shown(capsys, "import", "labels.csv", "--skip_unknown", "true", "--json", "true")
    assert json.loads(said) == {"schema": 1, "added": 1, "known": 0, "empty": 0,
                                "unknown": ["lost"]}  # fmt: skip
    Path("labels.csv").write_text(f"request_id,label,by\n{names(place)[3]},fake,ada\n")
    said = shown(capsys, "import", "labels.csv", "--source", "review", code=2)
    assert "not drawn for review" in said


def test_erasing_takes_the_media_along(place: Path, capsys: Any) -> None:
    media = place.parent / "media"
    media.mkdir()
    for name in names(place)[:3]:
        (media / f"{name}.jpg").write_bytes(b"x")
    assert main(["log", "erase", names(place)[0]]) == 0
    assert len(list(media.iterdir())) == 2
    kept = names(place)[0]
    (media / f"{new_request_id(NOW)}.jpg").write_bytes(b"x")
    assert main(["log", "prune", "--days", "1", "--yes", "true"]) == 0
    assert len(list(media.iterdir())) == 2
    (media / f"{kept}.jpg").unlink()
    assert main(["log", "erase", kept]) == 0


def test_a_picture_is_shown_in_half_blocks(tmp_path: Path) -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:20] = (0, 0, 255)  # the upper half is red
    assert cv2.imwrite(str(tmp_path / "half.png"), picture)
    terminal = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=31)
    shown_as = preview(tmp_path / "half.png", terminal)
    assert shown_as is not None
    lines = shown_as.plain.splitlines()
    assert (len(lines), len(lines[0])) == (10, 30)
    assert "rgb(255,0,0) on rgb(255,0,0)" in {str(span.style) for span in shown_as.spans}
    (tmp_path / "no.png").write_bytes(b"\x89PNG no")
    assert preview(tmp_path / "no.png", terminal) is None
    assert preview(tmp_path / "half.png", Console(file=io.StringIO())) is None
