"""Calibrating a checkpoint, and what becomes of it in a bundle."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from deepfake_lightning.bundle.build import build_bundle
from deepfake_lightning.bundle.calibrating import calibrate
from deepfake_lightning.bundle.calibration_file import calibration_path, read_record
from deepfake_lightning.bundle.calibration_items import labelled_items
from deepfake_lightning.errors import BundleError, CheckpointError, DataError, UsageError
from deepfake_lightning.inference import open_engine
from deepfake_lightning.schemas import Manifest, read_manifest, write_manifest
from deepfake_lightning.schemas.calibration import GUARANTEE_LIMITS, CalibrationPolicy
from deepfake_lightning.storage import file_hash


def change(checkpoint: Path, edit: Callable[[pd.DataFrame], pd.DataFrame]) -> Manifest:
    """Change the manifest of a checkpoint's run."""
    path = checkpoint.parents[1] / "manifest.parquet"
    manifest = read_manifest(path)
    changed = manifest.with_rows(edit(manifest.rows.copy()))
    write_manifest(changed, path)
    return changed


def calib_pictures(checkpoint: Path) -> pd.DataFrame:
    manifest = read_manifest(checkpoint.parents[1] / "manifest.parquet")
    rows = manifest.rows[manifest.rows["split"] == "calib"]
    return rows.assign(path=[manifest.root / path for path in rows["path"]])


def test_verdicts_on_the_split_are_as_many_as_the_record_says(calib_checkpoint: Path) -> None:
    record = calibrate(calib_checkpoint)
    assert read_record(calib_checkpoint) == record
    assert record.checkpoint == file_hash(calib_checkpoint)
    rows = calib_pictures(calib_checkpoint)
    engine = open_engine(checkpoint=calib_checkpoint)
    found = [engine.assess(path, already_cropped=True) for path in rows["path"]]
    verdicts = np.array([one.verdict for one in found])
    fake = (rows["label"] == 1).to_numpy(bool)
    fitted = record.calibration.image
    assert fitted is not None and record.calibration.video is None
    assert (fitted.items, fitted.reals, fitted.fakes) == (len(rows), (~fake).sum(), fake.sum())
    assert (fitted.groups, fitted.unscored) == (fitted.reals, 0)
    indicated = verdicts == "manipulation_indicated"
    assert fitted.operating is not None
    # An edge is one item's score, whose last bits depend on what is scored with it.
    assert abs(indicated[~fake].sum() - fitted.operating.false_alarms) <= 1
    assert indicated[fake].mean() == pytest.approx(fitted.operating.tpr)
    assert abs((verdicts == "inconclusive").sum() - fitted.inconclusive) <= 2  # it has two
    assert all(one.guarantee and GUARANTEE_LIMITS in one.guarantee for one in found)
    assert "no clips" in record.why_not["video"]


def test_a_calibration_is_not_replaced_unasked(calib_checkpoint: Path) -> None:
    first = calibrate(calib_checkpoint)
    with pytest.raises(UsageError, match="exists already"):
        calibrate(calib_checkpoint, CalibrationPolicy(fpr=0.5))
    assert read_record(calib_checkpoint) == first
    again = calibrate(calib_checkpoint, CalibrationPolicy(fpr=0.5), overwrite=True)
    assert read_record(calib_checkpoint) == again
    assert again.policy.fpr == 0.5


def test_what_needs_more_items_is_refused_before_any_is_scored(calib_checkpoint: Path) -> None:
    said: list[str] = []
    with pytest.raises(DataError, match="needs 999 real pictures") as refused:
        calibrate(
            calib_checkpoint, CalibrationPolicy(fpr=0.001),
            progress=lambda what, done, total: said.append(what),
        )  # fmt: skip
    assert "clips" not in str(refused.value)  # there are none, which is not the fault
    assert said == ["reading the checkpoint"]
    assert not calibration_path(calib_checkpoint).exists()


def test_a_run_without_the_split_is_refused(calib_checkpoint: Path) -> None:
    change(calib_checkpoint, lambda rows: rows.assign(split=rows["split"].replace("calib", "test")))
    with pytest.raises(DataError, match=r"has no calib split[\s\S]*--data.splits"):
        calibrate(calib_checkpoint)


def test_people_that_were_trained_on_are_refused(calib_checkpoint: Path) -> None:
    change(calib_checkpoint, lambda rows: rows.assign(split="calib"))
    with pytest.raises(DataError, match="trained on"):
        calibrate(calib_checkpoint)
    change(calib_checkpoint, lambda rows: rows.assign(split="calib"))
    assert not calibration_path(calib_checkpoint).exists()


def test_items_without_a_score_or_a_label_have_no_part(calib_checkpoint: Path) -> None:
    def edit(rows: pd.DataFrame) -> pd.DataFrame:
        calib = rows.index[rows["split"] == "calib"]
        real = calib[rows.loc[calib, "label"] == 0]
        rows.loc[real[0], "status"] = "no_face"
        rows.loc[real[1], "label"] = None
        return rows

    change(calib_checkpoint, edit)
    before = calib_pictures(calib_checkpoint)
    fitted = calibrate(calib_checkpoint).calibration.image
    assert fitted is not None
    assert (fitted.items, fitted.unscored) == (len(before) - 2, 1)


def test_media_that_are_gone_are_named(calib_checkpoint: Path, tmp_path: Path) -> None:
    path = calib_checkpoint.parents[1] / "manifest.parquet"
    moved = read_manifest(path)
    (tmp_path / "nothing").mkdir()
    object.__setattr__(moved, "root", tmp_path / "nothing")
    write_manifest(moved, path)
    with pytest.raises(DataError, match="nothing of the calib split"):
        calibrate(calib_checkpoint)
    assert not calibration_path(calib_checkpoint).exists()


def test_weights_that_diverged_are_no_detector_to_calibrate(calib_checkpoint: Path) -> None:
    content = torch.load(calib_checkpoint, weights_only=True)
    content["state_dict"]["head.bias"][1] = float("nan")
    torch.save(content, calib_checkpoint)
    with pytest.raises(BundleError, match="finite"):
        calibrate(calib_checkpoint)


def test_an_interruption_leaves_what_was_there(calib_checkpoint: Path) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    before = sorted(path.name for path in calib_checkpoint.parent.iterdir())
    with pytest.raises(KeyboardInterrupt):
        calibrate(calib_checkpoint, progress=stop)
    assert sorted(path.name for path in calib_checkpoint.parent.iterdir()) == before


def test_pictures_of_one_clip_are_one_item_and_a_video(
    make_rows: Callable[..., pd.DataFrame], tmp_path: Path
) -> None:
    rows = make_rows(
        9,
        video_id=["d/a"] * 3 + ["d/b"] * 3 + ["d/c", "d/d", "d/e"],
        label=pd.array([0, 0, 0, 1, 1, 1, 0, None, 1], "Int64"),
        frame=pd.array([0, 1, 2, 0, 1, 2, None, None, None], "Int64"),
        media_type=["image"] * 8 + ["video"],
        group_id=["p"] * 6 + ["q", "r", "s"],
        split="calib",
    )
    path = tmp_path / "manifest.csv"
    rows.to_csv(path, index=False)
    found = labelled_items(read_manifest(path))
    assert found["image"].label.tolist() == [0]
    assert sorted(found["video"].label.tolist()) == [0, 1, 1]
    assert len(set(found["video"].group.tolist())) == 2


def test_a_bundle_has_the_calibration_beside_its_checkpoint(
    calib_checkpoint: Path, tmp_path: Path
) -> None:
    record = calibrate(calib_checkpoint, CalibrationPolicy(fpr=0.25, max_miss=0.3))
    bundle = build_bundle(calib_checkpoint, tmp_path / "bundle")
    assert bundle.calibration == record.calibration
    origin = bundle.read_json("provenance.json")["calibration"]
    assert (origin["by"], origin["policy"]["fpr"]) == ("calibrate", 0.25)
    rows = calib_pictures(calib_checkpoint)
    engines = open_engine(tmp_path / "bundle"), open_engine(checkpoint=calib_checkpoint)
    for path in rows["path"]:
        one, other = (engine.assess(path, already_cropped=True) for engine in engines)
        assert one.verdict in ("manipulation_indicated", "inconclusive", "no_indication")
        assert one.score == pytest.approx(other.score, abs=1e-4)
        assert one.guarantee == other.guarantee is not None
    card = (tmp_path / "bundle/MODEL_CARD.md").read_text("utf-8")
    for text in ("at most 25 %", "25 % (in use)", "at most 30 % get 'no indication'",
                 "ask a person", "precision at 1 % fakes", "precision at 10 % fakes",
                 "split conformal", "**Clips**: not calibrated"):  # fmt: skip
        assert text in " ".join(card.split()), text
    assert "None" not in card and "nan" not in card


@pytest.mark.slow
def test_without_one_a_bundle_has_the_default_fitted_for_it_alone(
    calib_checkpoint: Path, tmp_path: Path
) -> None:
    bundle = build_bundle(calib_checkpoint, tmp_path / "bundle")
    assert bundle.calibration.image is not None and bundle.calibration.image.max_miss == 0.2
    origin = bundle.read_json("provenance.json")["calibration"]
    assert origin["by"] == "bundle build"
    assert not calibration_path(calib_checkpoint).exists()
    # It is what a bundle has that is built from the file, too: see the test above.
    assert calibrate(calib_checkpoint).calibration == bundle.calibration


def test_what_cannot_be_calibrated_is_a_bundle_that_says_why(crop_bundle: Any) -> None:
    origin = json.loads((crop_bundle.folder / "provenance.json").read_text())["calibration"]
    assert "real pictures to calibrate on" in origin["why_not"]["image"]
    assert origin["why_not"]["image"] in " ".join(
        (crop_bundle.folder / "MODEL_CARD.md").read_text().split()
    )


def test_a_bundle_is_not_built_with_another_checkpoint_s_calibration(
    calib_checkpoint: Path, tmp_path: Path
) -> None:
    calibrate(calib_checkpoint)
    content = torch.load(calib_checkpoint, weights_only=True)
    content["state_dict"]["head.bias"] += 1
    torch.save(content, calib_checkpoint)
    for use in (lambda: build_bundle(calib_checkpoint, tmp_path / "bundle"),
                lambda: open_engine(checkpoint=calib_checkpoint)):  # fmt: skip
        with pytest.raises(CheckpointError, match="of another checkpoint"):
            use()
    assert not (tmp_path / "bundle").exists()
