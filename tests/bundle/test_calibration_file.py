"""The calibration beside a checkpoint."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepfake_lightning.bundle.calibration_file import (
    CalibrationRecord,
    calibration_path,
    read_calibration,
    read_record,
    write_record,
)
from deepfake_lightning.bundle.calibration_fit import fit_items
from deepfake_lightning.bundle.reliability import before_after
from deepfake_lightning.errors import CheckpointError
from deepfake_lightning.schemas import Calibration
from deepfake_lightning.schemas.calibration import CalibrationPolicy

LABELS = np.repeat([0, 1], 30)
LOGITS = np.random.default_rng(0).normal(size=60) + LABELS


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Return a file with a calibration beside it."""
    path = tmp_path / "best.ckpt"
    path.write_bytes(b"weights")
    write_record(path, record(path))
    return path


def record(path: Path) -> CalibrationRecord:
    fitted = fit_items(LOGITS, LABELS, groups=12, unscored=2)
    return CalibrationRecord(
        checkpoint=hashlib.sha256(path.read_bytes()).hexdigest(),
        created="2026-01-01T00:00:00+00:00",
        policy=CalibrationPolicy(),
        data="0" * 64,
        split_policy="group",
        calibration=Calibration(image=fitted),
        why_not={"video": "the calib split holds no clips with labels"},
        in_sample={"image": before_after(LOGITS, LABELS, fitted.temperature)},
    )


def test_what_was_written_is_read(checkpoint: Path) -> None:
    assert calibration_path(checkpoint).name == "best.calibration.json"
    assert read_record(checkpoint) == record(checkpoint)
    sha256 = hashlib.sha256(b"weights").hexdigest()
    assert read_calibration(checkpoint, sha256) == record(checkpoint).calibration


def test_without_a_file_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").write_bytes(b"")
    assert read_record(tmp_path / "a.ckpt") is None
    assert read_calibration(tmp_path / "a.ckpt") is None


def refusal(checkpoint: Path) -> str:
    with pytest.raises(CheckpointError) as refused:
        read_record(checkpoint)
    text = str(refused.value)
    assert str(calibration_path(checkpoint)) in text
    return text


def test_a_threshold_changed_by_hand_is_refused(checkpoint: Path) -> None:
    path = calibration_path(checkpoint)
    content = json.loads(path.read_text())
    content["calibration"]["image"]["clear_below"] -= 1
    path.write_text(json.dumps(content))
    text = refusal(checkpoint)
    assert "changed since it was written" in text and f"calibrate {checkpoint}" in text


@pytest.mark.parametrize("size", [0, 1, 100, -2])
def test_a_torn_file_is_refused(checkpoint: Path, size: int) -> None:
    path = calibration_path(checkpoint)
    path.write_bytes(path.read_bytes()[:size])
    refusal(checkpoint)


@pytest.mark.parametrize("content", [[], 1, None, {}, {"schema": 1}, "text"])
def test_what_is_no_calibration_is_refused(checkpoint: Path, content: Any) -> None:
    calibration_path(checkpoint).write_text(json.dumps(content))
    refusal(checkpoint)


def test_bytes_that_are_no_text_are_refused(checkpoint: Path) -> None:
    calibration_path(checkpoint).write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in refusal(checkpoint)


def test_the_calibration_of_another_checkpoint_is_refused(checkpoint: Path) -> None:
    checkpoint.write_bytes(b"trained on")
    assert "of another checkpoint" in refusal(checkpoint)


def test_a_newer_schema_asks_for_a_newer_version(checkpoint: Path) -> None:
    path = calibration_path(checkpoint)
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 2, "new": 1}))
    text = refusal(checkpoint)
    assert "schema 2 is newer" in text and "upgrade" in text
