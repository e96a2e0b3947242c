"""Loops, and what is kept of each."""

from __future__ import annotations

import shutil

import pytest

from deepfake_lightning.errors import DataError
from deepfake_lightning.retraining.record import Loops
from deepfake_lightning.storage import Workspace


def test_no_number_is_used_again_whose_training_is_there(tmp_path):
    place = Workspace(tmp_path)
    (place.runs / "mine" / "retrain-0007").mkdir(parents=True)
    (place.runs / "other" / "retrain-mine").mkdir(parents=True)
    assert Loops(place).begin("production", "v1.0.0", "ada", {}, 1).number == 8
    assert Loops(place).begin("production", "v1.0.0", "ada", {}, 2).number == 9
    shutil.rmtree(place.retraining)
    assert Loops(place).begin("production", "v1.0.0", "ada", {}, 3).number == 8  # 8, 9 made none


def test_a_damaged_record_is_not_to_be_moved_away(tmp_path):
    loops = Loops(Workspace(tmp_path))
    loops.begin("production", "v1.0.0", "ada", {}, 1)
    (loops.folder(1) / "loop.json").write_text("{")
    with pytest.raises(DataError) as caught:
        loops.all()
    assert "restore it from a backup" in str(caught.value)
