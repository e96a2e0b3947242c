"""What a command line may name, and what it is taken for."""

from __future__ import annotations

import json
import runpy
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from deepfake_lightning.data.audit import Finding
from deepfake_lightning.errors import (
    CheckpointError,
    DataError,
    DeepfakeLightningError,
    TableError,
    UsageError,
)
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.evaluation.subjects.attributes import with_attributes
from deepfake_lightning.evaluation.subjects.targets import Target, find_target, subject_of
from deepfake_lightning.registry import Registry, Wish, register_bundle
from deepfake_lightning.registry.record import Source
from deepfake_lightning.schemas import Calibration, ItemCalibration, write_predictions
from deepfake_lightning.schemas.table import write_table
from deepfake_lightning.storage import Workspace, file_hash, write_json

SUBJECTS = runpy.run_path(str(Path(__file__).parents[1] / "comparison_subjects.py"))
subject = SUBJECTS["subject"]
FITTED = Calibration(
    video=ItemCalibration(temperature=2.5, indicated_from=0.5, clear_below=-0.5, items=50)
)


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    """Return a workspace with trainings of which only names and checkpoints are there."""
    for name in ("lite0/v1.0.0", "lite0/v1.1.0", "b0/v1.0.0", "b0/v2", "b0/stopped"):
        run = tmp_path / "mlops" / "runs" / name
        (run / "checkpoints").mkdir(parents=True)
        (run / "config.yaml").write_text("{}")
        (run / "checkpoints" / "last.ckpt").write_bytes(b"")
        if name != "b0/stopped":
            (run / "checkpoints" / "best.ckpt").write_bytes(b"")
    (tmp_path / "mlops" / "runs" / "b0" / "notes").mkdir()
    return Workspace(tmp_path / "mlops")


def refused(target: str, place: Workspace, kind: type[DeepfakeLightningError] = UsageError) -> str:
    with pytest.raises(kind) as caught:
        find_target(target, place)
    assert caught.value.exit_code == 2
    assert caught.value.next_step
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("lite0/v1.0.0", "lite0/v1.0.0"),
        ("lite0/v1.0.0/", "lite0/v1.0.0"),
        ("v1.1.0", "lite0/v1.1.0"),
        ("v2", "b0/v2"),
    ],
)
def test_a_version_is_its_best_checkpoint(place: Workspace, name: str, run: str) -> None:
    folder = place.runs / run
    wanted = Target("checkpoint", folder / "checkpoints" / "best.ckpt", folder)
    assert find_target(name, place) == wanted
    assert find_target(str(folder), place) == wanted


def test_a_registered_version_comes_before_a_training_of_that_name(
    place: Workspace, crop_bundle: Any
) -> None:
    entry = register_bundle(
        Registry(place), crop_bundle.folder,
        Wish("v1.1.0", source=Source(experiment="lite0", run="v1.1.0")),
    )  # fmt: skip
    registered = Target(
        "bundle", place.registry / "models/v1.1.0", likely_run=place.runs / "lite0/v1.1.0",
        digest=entry.digest,
    )  # fmt: skip
    for name in ("v1.1.0", "1.1.0", "latest"):
        assert find_target(name, place) == registered
    folder = place.runs / "lite0/v1.1.0"
    assert find_target("lite0/v1.1.0", place).run == folder
    assert find_target("v2", place).kind == "checkpoint"  # which is not registered
    assert "v1.1.0" in refused("v3.0.0", place)
    assert "nothing is deployed in production" in refused("production", place)


def test_a_version_of_several_experiments_is_not_guessed(place: Workspace) -> None:
    said = refused("v1.0.0", place)
    assert "several experiments: b0/v1.0.0, lite0/v1.0.0" in said
    assert "Next: name one of them, b0/v1.0.0" in said


def test_what_is_called_by_no_name_is_said_with_near_ones(place: Workspace, tmp_path: Path) -> None:
    said = refused("v1.1.1", place)
    assert "is lite0/v1.1.0 or" in said
    assert f"no version in {place.runs} (there: b0/stopped, b0/v1.0.0, b0/v2, lite0/" in said
    assert "is lite0/v1.1.0 or" in refused("lite/v1.1.0", place)
    (tmp_path / "scores.csv").write_text("id,score\n")
    assert f"is {tmp_path / 'scores.csv'} meant?" in refused(str(tmp_path / "score.csv"), place)
    assert "(there: none)" in refused("v2", Workspace(tmp_path / "empty"))
    for odd in ("", "x" * 5000, "a\0b", "\n"):
        refused(odd, place)
    many = Workspace(tmp_path / "many")
    for number in range(9):
        (many.runs / "e" / f"v{number}").mkdir(parents=True)
        (many.runs / "e" / f"v{number}" / "config.yaml").touch()
    assert "(there: 9 of them)" in refused("unlike", many)


def test_media_are_no_detector(place: Workspace, faces: Path) -> None:
    assert "media are named with --data" in refused(str(faces), place)
    assert "media are named with --data" in refused(str(faces / "real" / "person0.jpg"), place)


def test_a_training_without_a_best_checkpoint(place: Workspace) -> None:
    said = refused("b0/stopped", place, CheckpointError)
    assert "has no checkpoints/best.ckpt" in said
    assert f"name one: {place.runs / 'b0/stopped/checkpoints/last.ckpt'}" in said
    (place.runs / "b0/stopped/checkpoints/last.ckpt").unlink()
    assert "it has no checkpoint at all" in refused("stopped", place, CheckpointError)


def test_what_is_on_disk_comes_before_a_version(
    place: Workspace, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "v2").mkdir()
    assert find_target("v2", place).kind == "checkpoint"  # that folder is nothing known
    (tmp_path / "v2" / "bundle.json").write_text("{}")
    assert find_target("v2", place) == Target("bundle", Path("v2"))


def report(folder: Path, one: Subject, **changes: object) -> Path:
    """Write a report's folder as an evaluation does."""
    folder.mkdir(parents=True)
    write_table(folder / "predictions.parquet", one.predictions)
    record = {
        "schema": 1, "name": one.name, "window": one.window, "scale": one.scale,
        "calibration": one.calibration.to_dict(), "model": dict(one.model),
        "data": dict(one.data), "notes": list(one.notes), "is_demo": one.is_demo,
        "findings": None if one.findings is None else [asdict(each) for each in one.findings],
    }  # fmt: skip
    write_json(folder / "report.json", {**record, **changes})
    return folder


@pytest.fixture
def evaluated() -> Subject:
    """Return what an evaluation measured, with all that is kept of it."""
    one: Subject = subject(
        "v3", items=40, window=3, calibration=FITTED, model={"digest": "d", "kind": "bundle"},
        data={"split": "test", "root": "/data"}, notes=("one thing", "another"), is_demo=True,
        findings=(Finding("shortcut", "warning", "size tells", {"auc": 0.7}, "look"),),
    )  # fmt: skip
    return Subject(**{**vars(one), "predictions": one.predictions.assign(camera="front")})


@pytest.mark.parametrize("named", ["", "report.json", "predictions.parquet"])
def test_a_report_is_evaluated_again_without_scoring(
    evaluated: Subject, place: Workspace, tmp_path: Path, named: str
) -> None:
    folder = report(tmp_path / "report", evaluated)
    found = subject_of(str(folder / named), workspace=place)
    assert find_target(str(folder / named), place).is_scored is False
    again, before = ({**vars(one), "predictions": None} for one in (found, evaluated))
    assert again == before
    pd.testing.assert_frame_equal(found.predictions, evaluated.predictions, check_dtype=False)


@pytest.mark.parametrize(
    "record",
    [{"window": 0}, {"window": "many"}, {"scale": "percent"}, {"calibration": {"video": 3}},
     {"findings": [{"what": "?"}]}, {"model": None}, {"notes": 3}],
)  # fmt: skip
def test_a_damaged_report_is_refused(
    evaluated: Subject, place: Workspace, tmp_path: Path, record: dict[str, object]
) -> None:
    folder = report(tmp_path / "report", evaluated, **record)
    with pytest.raises(TableError, match=r"report\.json is not of an evaluation of this package"):
        subject_of(str(folder), workspace=place)


def test_a_report_of_another_kind_or_time(
    evaluated: Subject, place: Workspace, tmp_path: Path
) -> None:
    newer = report(tmp_path / "newer", evaluated, schema=2)
    with pytest.raises(TableError, match="schema 2 is newer"):
        subject_of(str(newer), workspace=place)
    for number, text in enumerate(('{"schema": 1, "pairs": []}', "[]", "{", "")):
        folder = report(tmp_path / f"r{number}", evaluated)
        (folder / "report.json").write_text(text)
        with pytest.raises(TableError, match="is not of an evaluation"):
            subject_of(str(folder), workspace=place)
    (folder / "report.json").unlink()
    assert find_target(str(folder), place) == Target("table", folder / "predictions.parquet")
    (folder / "predictions.parquet").unlink()
    refused(str(folder), place)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json"])
def test_predictions_of_this_package(place: Workspace, tmp_path: Path, suffix: str) -> None:
    rows = subject("a", items=12).predictions
    path = tmp_path / f"scores.{suffix}"
    write_predictions(path, rows)
    found = subject_of(str(path), workspace=place)
    assert (found.name, found.window, found.calibration) == ("scores", 8, Calibration())
    assert found.model["digest"] == file_hash(path)
    assert "nothing of a calibration" in found.notes[0]
    pd.testing.assert_frame_equal(found.predictions, rows, check_dtype=False)
    write_predictions(path, rows.assign(version="v7", bundle="abc"))
    found = subject_of(str(path), workspace=place)
    assert (found.name, found.model["digest"], found.model["version"]) == ("v7", "abc", "v7")
    write_predictions(path, rows.assign(version=["v7", "v8"] * 6))
    with pytest.raises(TableError, match="several versions: v7, v8"):
        subject_of(str(path), workspace=place)


def test_an_items_table_is_told_from_predictions(place: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "scores.items.csv"
    path.write_text("schema,item,video_id,label,status,score,logit,calibrated\n1,a,a,1,ok,.5,0,1\n")
    with pytest.raises(UsageError, match="is an items table"):
        subject_of(str(path), workspace=place)


def test_scores_of_another_detector(place: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text("clip,p,label\na,0.9,FAKE\nb,0.5,REAL\n")
    from deepfake_lightning.evaluation.subjects.peers import PeerColumns

    found = subject_of(str(path), workspace=place, columns=PeerColumns.parse("id=clip,score=p"))
    assert (found.name, found.scale, found.window) == ("theirs", "logit", 8)
    assert found.predictions["label"].tolist() == [1, 0]
    assert found.data["items"] == 2
    assert found.model["digest"] == file_hash(path)


# What else is known of items


def attributed(tmp_path: Path, text: str, one: Subject | None = None) -> Subject:
    path = tmp_path / "people.csv"
    path.write_text(text)
    return with_attributes(one or subject("a", items=4), path)


def test_attributes_become_columns(tmp_path: Path) -> None:
    found = attributed(
        tmp_path, "tone,id,label\nI,set/fake/clip_0001,7\n VI,set/real/clip_0002,7\nV,elsewhere,7\n"
    )
    assert found.predictions["tone"].fillna("-").tolist() == ["-", "I", " VI", "-"]
    assert found.predictions["label"].tolist() == [0, 1, 0, 1]
    assert found.notes == (
        "not used of people.csv, since predictions have it: label",
        "people.csv says nothing of 2 of 4 items",
        "people.csv has 1 items that were not scored",
    )


def test_attributes_by_path(tmp_path: Path) -> None:
    found = attributed(tmp_path, "path,light\nreal/clip_0000.mp4,dark\nfake/clip_0003.mp4,day\n")
    assert found.predictions["light"].fillna("-").tolist() == ["dark", "-", "-", "day"]


def test_numbers_stay_numbers_and_rows_of_an_item_share_them(tmp_path: Path) -> None:
    one = subject("a", items=4)
    rows = pd.concat([one.predictions, one.predictions.assign(frame=1)])
    rows.loc[rows["frame"].notna(), "path"] = "another.png"
    write_table(tmp_path / "age.parquet", pd.DataFrame({"path": one.predictions["path"],
                                                        "age": [20, 30, 40, 50]}))  # fmt: skip
    found = with_attributes(
        Subject("a", rows.astype(one.predictions.dtypes)), tmp_path / "age.parquet"
    )
    assert found.predictions["age"].tolist() == [20, 30, 40, 50] * 2
    (tmp_path / "torn.csv").write_text("path,age\nreal/clip_0000.mp4,1\nfake/clip_0001.mp4,2\n")
    torn = rows.assign(video_id="one").astype(one.predictions.dtypes)
    with pytest.raises(TableError, match="pictures of one item, one, differ"):
        with_attributes(Subject("a", torn), tmp_path / "torn.csv")


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("id,tone\na,1\na,2\n", TableError, "row 3, column id: 'a' stands there already"),
        ("id,tone\n,1\n", TableError, "row 2, column id: is empty"),
        ("name,tone\na,1\n", TableError, "no column says which item"),
        ("id,label\na,1\n", TableError, "says nothing of items that predictions do not say"),
        ("id,tone\nx,1\n", DataError, "(there 'x', here 'set/real/clip_0000')"),
        ("id,tone\n", DataError, "says nothing of any item"),
        ("id;tone\na;1\n", TableError, "separate them by commas"),
    ],
)
def test_attributes_that_cannot_be_joined(
    tmp_path: Path, text: str, kind: type[DataError], says: str
) -> None:
    with pytest.raises(kind) as caught:
        attributed(tmp_path, text)
    assert says in str(caught.value)


# What is scored


@pytest.mark.slow
def test_all_names_of_a_detector_give_its_scores(
    trained: Any, crop_bundle: Any, place: Workspace, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "own")
    workspace.runs.parent.mkdir()
    run = trained.result.run_dir
    shutil.copytree(run.parent.parent, workspace.runs)
    (tmp_path / "a.csv").write_text("path,half\nreal/person0.jpg,left\n")
    told: list[str] = []
    version = subject_of(
        run.name, workspace=workspace, workers=1, split="val", command="compare",
        phase=lambda what, number: told.append(what),
    )  # fmt: skip
    assert "scoring" in told
    assert (version.name, version.data["split"]) == (run.name, "val")
    root = Path(version.data["root"])
    assert all((root / path).is_file() for path in version.predictions["path"])
    built = subject_of(
        str(crop_bundle.folder), workspace=workspace, workers=1, split="val", run=str(run)
    )
    assert built.model["kind"] == "bundle" and version.model["kind"] == "checkpoint"
    assert built.predictions["logit"].to_list() == pytest.approx(
        version.predictions["logit"].to_list(), abs=1e-3
    )
    write_predictions(tmp_path / "kept.parquet", version.predictions)
    kept = subject_of(str(tmp_path / "kept.parquet"), workspace=workspace)
    assert kept.predictions["logit"].equals(version.predictions["logit"])
    json.dumps([dict(version.model), dict(version.data)], allow_nan=False)
