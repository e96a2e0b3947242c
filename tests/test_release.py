"""From a checkpoint to a version, also where the data allow less."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.bundle.calibration_file import calibration_path
from deepfake_lightning.errors import CheckpointError, DataError
from deepfake_lightning.registry import Registry, Wish
from deepfake_lightning.release import release_checkpoint
from deepfake_lightning.schemas import read_manifest, write_manifest
from deepfake_lightning.storage import Workspace


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(Workspace(tmp_path / "mlops"))


@pytest.fixture
def run(trained: Any, registry: Registry) -> Path:
    """Return a training in the workspace, to change."""
    place = registry.workspace.runs / "exp" / "v1.0.0"
    return Path(shutil.copytree(trained.result.run_dir, place))


def without(run: Path, split: str) -> None:
    manifest = read_manifest(run / "manifest.parquet")
    kept = manifest.rows[manifest.rows["split"] != split]
    write_manifest(manifest.with_rows(kept), run / "manifest.parquet")


@pytest.mark.slow
def test_without_splits_for_it_there_are_no_verdicts_and_no_figures(
    registry: Registry, run: Path
) -> None:
    without(run, "test")
    done = []
    made = release_checkpoint(
        registry, run / "checkpoints/best.ckpt", Wish(reason="a trial"),
        progress=lambda what, *_: done.append(what),
    )  # fmt: skip
    assert made.entry.verdicts == ()
    assert (made.entry.split, made.entry.metrics, made.report) == (None, {}, None)
    assert len(made.notes) == 2
    assert "no verdicts" in made.notes[0] and "calib" in made.notes[0]
    assert "no test split" in made.notes[1]
    assert registry.bundle("v1.0.0").record.version == "v1.0.0"
    assert not (registry.workspace.reports).exists()
    assert done[-1] == "registering"


def test_a_calibration_that_is_there_is_taken_and_a_stale_one_refused(
    registry: Registry, calib_checkpoint: Path
) -> None:
    from deepfake_lightning.bundle.calibrating import calibrate
    from deepfake_lightning.schemas.calibration import CalibrationPolicy

    policy = CalibrationPolicy(fpr=0.2, max_miss=0.2)
    record = calibrate(calib_checkpoint, policy)
    without(calib_checkpoint.parent.parent, "test")
    made = release_checkpoint(registry, calib_checkpoint)
    bundle = registry.bundle(made.entry.version)
    assert bundle.calibration == record.calibration
    assert made.entry.verdicts == ("image",)

    last = calib_checkpoint.with_name("last.ckpt")
    last.replace(calib_checkpoint)  # of a training that went on
    with pytest.raises(CheckpointError, match="is of another checkpoint"):
        release_checkpoint(registry, calib_checkpoint)
    again = release_checkpoint(registry, calib_checkpoint, recalibrate=True)
    assert again.entry.version == "v1.1.0"
    assert calibration_path(calib_checkpoint).is_file() is bool(again.entry.verdicts)


def test_what_fails_half_way_leaves_nothing(registry: Registry, run: Path) -> None:
    manifest = read_manifest(run / "manifest.parquet")
    rows = manifest.rows.copy()
    rows.loc[rows["split"] == "val", "path"] += ".gone"
    write_manifest(manifest.with_rows(rows), run / "manifest.parquet")
    with pytest.raises(DataError):
        release_checkpoint(registry, run / "checkpoints/best.ckpt")
    assert registry.entries() == []
    assert list(registry.models.iterdir()) == []
