"""A detector's scores on a split, and what is refused, noted and counted on the way."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.errors import DataError, SplitError, UsageError
from deepfake_lightning.evaluation.levels import levels_of
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.evaluation.subjects.detectors import (
    Detector,
    detector_of_bundle,
    detector_of_checkpoint,
)
from deepfake_lightning.evaluation.subjects.scored_split import (
    refuse_trained,
    scored_data,
    split_of,
)
from deepfake_lightning.evaluation.subjects.scoring import Scoring, score_split
from deepfake_lightning.metrics import auroc
from deepfake_lightning.schemas import Manifest, read_manifest, write_manifest
from deepfake_lightning.storage import Workspace, file_hash

ALONE = Scoring(workers=1)


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "mlops")


@pytest.fixture(scope="module")
def detector(trained: Any) -> Detector:
    return detector_of_checkpoint(trained.result.best_checkpoint)


@pytest.fixture(scope="module")
def manifest(trained: Any) -> Manifest:
    return read_manifest(trained.result.run_dir / "manifest.parquet")


@pytest.fixture(scope="module")
def tested(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """Return the training's own test split, scored once."""
    place = Workspace(tmp_path_factory.mktemp("scored") / "mlops")
    clock = lambda: datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)  # noqa: E731
    return score_split(detector, workspace=place, how=ALONE, clock=clock)


# Detectors


def test_a_checkpoint_knows_its_training(trained: Any, detector: Detector) -> None:
    run = trained.result.run_dir
    record = json.loads((run / "run.json").read_text())
    assert (detector.name, detector.run) == (run.name, run)
    assert detector.model["kind"] == "checkpoint"
    assert detector.model["digest"] == file_hash(trained.result.best_checkpoint)
    assert detector.model["trained"] == record["started"]
    assert detector.model["epochs"] == record["epochs"]
    assert detector.manifest is not None and detector.is_own(detector.manifest)
    json.dumps(detector.model, allow_nan=False)


def test_a_checkpoint_apart_from_its_run(trained: Any, tmp_path: Path) -> None:
    path = Path(shutil.copy(trained.result.best_checkpoint, tmp_path / "kept.ckpt"))
    alone = detector_of_checkpoint(path)
    assert alone.name == f"kept {file_hash(path)[:12]}"
    assert (alone.run, alone.manifest) == (None, None)
    # It knows all the same what it was trained on, and which data these were.
    assert alone.data_hash == alone.model["training_data"]["content_hash"]
    assert alone.manifest is None and alone.data_hash is not None
    named = detector_of_checkpoint(path, trained.result.run_dir)
    assert named.name == trained.result.run_dir.name and named.manifest is not None
    with pytest.raises(UsageError, match="is no folder of a training"):
        detector_of_checkpoint(path, tmp_path)


def test_an_interrupted_training_has_no_record(trained: Any, tmp_path: Path) -> None:
    run = shutil.copytree(trained.result.run_dir, tmp_path / "run")
    (run / "run.json").unlink()
    found = detector_of_checkpoint(run / "checkpoints" / "best.ckpt")
    assert (found.model["status"], found.name) == ("unfinished", "run")


def test_a_bundle_knows_its_training(crop_bundle: Any, trained: Any, tmp_path: Path) -> None:
    alone = detector_of_bundle(crop_bundle.folder)
    assert (alone.run, alone.manifest, alone.checkpoint) == (None, None, None)
    assert alone.model["digest"] == load_bundle(crop_bundle.folder).digest
    assert alone.model["kind"] == "bundle"
    named = detector_of_bundle(crop_bundle.folder, trained.result.run_dir)
    assert named.manifest is not None and named.checkpoint == trained.result.best_checkpoint
    run = shutil.copytree(trained.result.run_dir, tmp_path / "run")
    built = shutil.copytree(crop_bundle.folder, run / "bundle")
    assert detector_of_bundle(built).run == run
    with pytest.raises(UsageError, match="was not trained in"):
        detector_of_bundle(crop_bundle.folder, tmp_path)
    json.dumps(alone.model, allow_nan=False)


# The training's own split


def test_a_split_is_scored_as_in_production(tested: Subject, manifest: Manifest) -> None:
    part = manifest.rows[manifest.rows["split"] == "test"]
    assert set(tested.predictions["video_id"]) == set(part["video_id"])
    assert set(tested.predictions["status"]) == {"ok"}  # they are crops: no face is looked for
    labels = tested.predictions.set_index("video_id")["label"]
    assert labels.to_dict() == part.set_index("video_id")["label"].to_dict()
    item = levels_of(tested).item
    assert (auroc(item.logit, item.label) or 0) > 0.6
    assert tested.data["split"] == "test"
    assert tested.data["counts"] == {"real": len(part) // 2, "fake": len(part) // 2}
    assert tested.data["scored"] == "2030-01-02T03:04:05Z"
    assert Path(tested.data["root"]) == manifest.root
    assert tested.model["runtime"] == "torch" and tested.window == 8
    assert tested.findings is not None  # the training's audit, not made again
    json.dumps([dict(tested.model), dict(tested.data)], allow_nan=False)


def test_looks_at_test_are_counted_and_what_flatters_is_said(
    crop_bundle: Any, trained: Any, tested: Subject, place: Workspace
) -> None:
    built = detector_of_bundle(crop_bundle.folder, trained.result.run_dir)
    assert tested.data["looks"] == 1
    found = {
        split: score_split(built, workspace=place, split=split, how=ALONE)
        for split in ("test", "val", "calib")
    }
    assert [one.data["looks"] for one in found.values()] == [1, None, None]
    logits = [one.predictions["logit"].to_list() for one in (tested, found["test"])]
    assert logits[0] == pytest.approx(logits[1], abs=1e-3)
    assert found["test"].model["runtime"] == "onnx"
    assert "the val split chose the checkpoint: its figures are too good" in found["val"].notes
    assert any("calib split fitted the calibration" in note for note in found["calib"].notes)
    again = score_split(built, workspace=place, how=ALONE)
    assert again.data["looks"] == 2


def test_splits_that_are_not_scored(
    detector: Detector, manifest: Manifest, place: Workspace
) -> None:
    for split in ("train", "tset", "unused"):
        with pytest.raises(UsageError, match=f"the split '{split}' is not scored"):
            score_split(detector, workspace=place, split=split)
    with pytest.raises(SplitError, match=r"the gate split is empty .*: calib, test, val\)"):
        score_split(detector, workspace=place, split="gate")
    alone = replace(detector, manifest=None)
    with pytest.raises(UsageError, match="was trained with are not known here"):
        scored_data(alone, None)
    unlabelled = manifest.with_rows(manifest.rows.assign(label=None))
    with pytest.raises(DataError, match="has no labels"):
        split_of(unlabelled, "test")
    assert not place.root.exists()  # nothing was looked at


# Other data


def test_data_without_splits_are_scored_whole(
    trained: Any, crop_bundle: Any, place: Workspace, tmp_path: Path, write_picture: Any
) -> None:
    detector = detector_of_bundle(crop_bundle.folder, trained.result.run_dir)
    for number in range(3):
        for kind in ("real", "fake"):
            path = tmp_path / "new" / kind / f"stranger{number}.jpg"
            write_picture(path, seed=900 + number, fake=kind == "fake")
    how = Scoring(workers=1, already_cropped=True)
    found = score_split(detector, workspace=place, data=str(tmp_path / "new"), how=how)
    assert (found.data["split"], found.data["items"]) == ("all", 6)
    assert any("has no splits: all of it is scored" in note for note in found.notes)
    assert set(found.predictions["status"]) == {"ok"}
    assert found.findings is not None
    plain = replace(how, audited=False)
    again = score_split(detector, workspace=place, data=str(tmp_path / "new"), how=plain)
    assert again.findings is None


def test_pictures_that_were_trained_on_are_refused(
    detector: Detector, manifest: Manifest, place: Workspace, tmp_path: Path
) -> None:
    rows = manifest.rows
    train = rows[rows["split"] == "train"].iloc[:2]
    for place_of, path in enumerate(train["path"]):
        kind = ("real", "fake")[int(train["label"].iloc[place_of])]
        copy = tmp_path / "copied" / kind / f"renamed{place_of}.jpg"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(manifest.root / path, copy)
    with pytest.raises(SplitError, match="trained on"):
        score_split(detector, workspace=place, data=str(tmp_path / "copied"), how=ALONE)
    assert not place.root.exists()


def test_people_that_were_trained_on_are_refused_unless_splits_are_official(
    detector: Detector, manifest: Manifest, place: Workspace, tmp_path: Path
) -> None:
    rows = manifest.rows.copy()
    groups = rows.loc[rows["split"] == "train", "group_id"].unique()[:3]
    moved = rows["group_id"].isin(groups)
    rows.loc[moved, "split"] = "test"
    for policy in ("group", "official"):
        path = tmp_path / policy / "manifest.parquet"
        write_manifest(manifest.with_rows(rows, policy), path)
        part, _ = split_of(read_manifest(path), "test")
        told: list[str] = []
        phase = lambda what, number: told.append(what)  # noqa: B023, E731
        if policy == "group":
            with pytest.raises(SplitError, match="trained on"):
                refuse_trained(detector, read_manifest(path), part, "test", phase)
            assert told == ["looking for what was trained on"]
        else:
            (note,) = refuse_trained(detector, read_manifest(path), part, "test", phase)
            assert note.startswith("the splits are official and scored as they are: ")


def test_a_bundle_alone_does_not_know_what_it_was_trained_on(
    crop_bundle: Any, manifest: Manifest, tmp_path: Path, write_picture: Any
) -> None:
    detector = detector_of_bundle(crop_bundle.folder)
    write_picture(tmp_path / "new/real/a.jpg", seed=950)
    write_picture(tmp_path / "new/fake/a.jpg", seed=950, fake=True)
    other = scored_data(detector, str(tmp_path / "new"))
    part, _ = split_of(other, "test")
    (note,) = refuse_trained(detector, other, part, "test", ALONE.phase)
    assert "was trained on these people or pictures is not known" in note
    # Data that are the training's say it themselves.
    assert detector.is_own(manifest)
    part, _ = split_of(manifest, "test")
    assert refuse_trained(detector, manifest, part, "test", ALONE.phase) == []
