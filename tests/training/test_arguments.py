"""What a checkpoint adds to the arguments of a command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.schemas import FaceSearch, Preprocess
from deepfake_lightning.training.arguments import _settings


def settings(**preprocess: Any) -> dict[str, Any]:
    """Return the settings of the data that a checkpoint with this preprocessing asks for."""
    held = Preprocess(**preprocess).to_dict()
    checkpoint = {
        "hyper_parameters": {"backbone": "test_efficientnet"},
        "datamodule_hyper_parameters": {"root": "faces", "face": "auto"},
        "DeepfakeDataModule": {"preprocess": held},
    }
    found: dict[str, Any] = _settings(checkpoint, Path("best.ckpt"))["data"]
    return found


def test_faces_are_found_and_cut_out_as_in_training() -> None:
    data = settings(margin=1.6, sampling="every:0.5", faces=FaceSearch(min_size=50))
    assert (data["margin"], data["sampling"], data["face"]) == (1.6, "every:0.5", "auto")
    assert data["face_search"]["min_size"] == 50


@pytest.mark.parametrize(("kind", "face"), [("whole", "none"), ("crop", "auto"), ("frame", "auto")])
def test_a_network_of_whole_frames_is_shown_whole_frames(kind: Any, face: str) -> None:
    """Also where it was trained on extracted frames, and is scored on videos."""
    assert settings(input=kind)["face"] == face
