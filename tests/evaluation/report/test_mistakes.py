"""The worst mistakes, and their pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from deepfake_lightning.evaluation.report import evaluate
from deepfake_lightning.evaluation.report.mistakes import SIDE, with_pictures
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.schemas import Calibration

Make = Callable[..., Subject]


def test_they_are_those_furthest_on_the_wrong_side(make_subject: Make, fitted: Calibration) -> None:
    logits, labels = [5.0, 3.0, 1.0, -9.0, 1.0, -4.0, 8.0], [0, 0, 0, 0, 1, 1, 1]
    found = evaluate(make_subject(logits, labels, calibration=fitted), draws=50, worst=4)
    assert [one.score for one in found.mistakes] == [5.0, 3.0, -4.0, 1.0]
    assert found.mistakes[0].probability == 1 / (1 + np.exp(-2.5))
    assert found.mistakes[0].verdict == "manipulation_indicated"
    assert [one.label for one in found.mistakes] == [0, 0, 1, 1]
    assert all(one.picture is None for one in found.mistakes)


def test_a_detector_without_mistakes_has_none(make_subject: Make) -> None:
    assert evaluate(make_subject([-1.0, 2.0], [0, 1]), draws=50).mistakes == ()


def test_pictures_are_those_of_the_items(make_subject: Make, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    picture = np.full((400, 300, 3), (30, 60, 200), np.uint8)
    cv2.imwrite(str(tmp_path / "real/0000.jpg"), picture)
    subject = make_subject([5.0, -1.0, 3.0], [0, 1, 0], data={"root": str(tmp_path)})
    shown, lost, gone = with_pictures(evaluate(subject, draws=50).mistakes, subject)
    assert shown.picture is not None
    image = cv2.imdecode(np.frombuffer(shown.picture, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (SIDE, SIDE * 3 // 4, 3)
    assert np.abs(image.astype(int) - [30, 60, 200]).max() < 8
    assert lost.picture is None and gone.picture is None  # not there any more


def test_of_a_clip_the_face_in_the_frame_with_the_highest_score(
    portrait_clips: Path, make_subject: Make
) -> None:
    columns: dict[str, Any] = {
        "video_id": ["c", "c"], "path": ["real/p1.mp4"] * 2, "media_type": "video",
        "track_id": [0, 0], "frame": [2, 6], "box": ["10,12,40,60"] * 2,
    }  # fmt: skip
    subject = make_subject([1.0, 4.0], [0, 0], columns=columns, data={"root": str(portrait_clips)})
    (one,) = with_pictures(evaluate(subject, draws=50).mistakes, subject)
    assert (one.frame, one.track) == (6, 0)
    assert one.picture is not None
    image = cv2.imdecode(np.frombuffer(one.picture, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[0] == SIDE and abs(image.shape[1] - SIDE * 60 / 87) < 4


def test_a_strangers_table_opens_no_files_here(
    make_subject: Make, tmp_path: Path, monkeypatch: Any
) -> None:
    (tmp_path / "real").mkdir()
    cv2.imwrite(str(tmp_path / "real/0000.jpg"), np.zeros((40, 40, 3), np.uint8))
    monkeypatch.chdir(tmp_path)
    subject = make_subject([5.0, 1.0], [0, 1])
    (one,) = with_pictures(evaluate(subject, draws=50).mistakes, subject)
    assert one.picture is None


def test_a_box_that_is_none_is_not_cut_out(make_subject: Make, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    cv2.imwrite(str(tmp_path / "real/0000.jpg"), np.zeros((40, 80, 3), np.uint8))
    for box in ("abc", "1,2,3", "nan,0,5,5", "900,900,5,5"):
        subject = make_subject(
            [5.0, 1.0], [0, 1], columns={"box": [box, None]}, data={"root": str(tmp_path)}
        )
        (one,) = with_pictures(evaluate(subject, draws=50).mistakes, subject)
        assert one.picture is not None
        image = cv2.imdecode(np.frombuffer(one.picture, np.uint8), cv2.IMREAD_COLOR)
        assert image.shape[:2] == (SIDE // 2, SIDE)
