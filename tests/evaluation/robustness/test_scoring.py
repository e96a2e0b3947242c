"""Degraded items through the engine of production, beside the engine called by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from deepfake_lightning.evaluation.robustness.gathering import Gathered
from deepfake_lightning.evaluation.robustness.plan import Plan
from deepfake_lightning.evaluation.robustness.record import Face, Unmade
from deepfake_lightning.evaluation.robustness.scoring import place_of, seed_of
from deepfake_lightning.evaluation.robustness.worker import Job, work
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.evaluation.subjects.detectors import detector_of_bundle
from deepfake_lightning.evaluation.subjects.scoring import Scoring, score_split
from deepfake_lightning.inference import EngineSource, open_engine
from deepfake_lightning.inference.items import Archive, Item, read_inputs
from deepfake_lightning.media import open_video, read_image
from deepfake_lightning.media.degradations import DEGRADATIONS
from deepfake_lightning.media.degrading import jpeg
from deepfake_lightning.media.h264 import recode
from deepfake_lightning.processes import Lost
from deepfake_lightning.schemas import Assessment
from deepfake_lightning.storage import Workspace

OF_PICTURES = [key for key, one in DEGRADATIONS.items() if one.picture is not None]


@pytest.fixture(scope="module")
def scored(crop_bundle: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Subject]:
    """Return a function that scores six items of the training's test split, degraded."""
    place = Workspace(tmp_path_factory.mktemp("robust") / "mlops")

    def score(workers: int = 1, **plan: Any) -> Subject:
        detector = detector_of_bundle(crop_bundle.folder, crop_bundle.run)
        how = Scoring(workers=workers, robustness=Plan(6, **plan))
        return score_split(detector, workspace=place, how=how)

    return score


def items_of(folder: Path, name: str) -> Item:
    return next(one for one in Archive(read_inputs([str(folder)])) if one.name.endswith(name))


def test_pictures_are_scored_as_the_engine_scores_them(
    scored: Callable[..., Subject], crop_bundle: Any
) -> None:
    subject = scored(pictures=True)
    found = subject.degraded
    assert found is not None
    assert len(found.items) == 6 and found.of == subject.predictions["video_id"].nunique()
    assert found.places == {"crop": 6}
    assert set(found.rows["degradation"]) == set(OF_PICTURES)  # pictures are not encoded as H.264
    assert len(found.rows) == 6 * len(OF_PICTURES) and (found.rows["status"] == "ok").all()
    root, engine = Path(subject.data["root"]), open_engine(crop_bundle.folder)
    paths = subject.predictions.set_index("video_id")["path"]
    for key, change in (("jpeg_30", lambda image: jpeg(image, 30)), ("messenger", None)):
        rows = found.rows[found.rows["degradation"] == key]
        for name, logit in zip(rows["video_id"], rows["logit"], strict=True):
            image = read_image(root / paths[name])
            alter = DEGRADATIONS[key].alter((0, 1))
            pixels = change(image) if change is not None else alter(image, 0)
            assert logit == pytest.approx(float(engine.logits([pixels])[0]), abs=1e-5)
    clean = subject.predictions.set_index("video_id")["logit"]
    worst = found.rows[found.rows["degradation"] == "noise_20"].set_index("video_id")["logit"]
    assert (worst - clean.reindex(worst.index)).abs().max() > 0.01
    assert found.example in found.items and found.example.startswith("faces/fake")
    assert len(found.faces) == 1 + len(OF_PICTURES)
    assert all(face.picture is not None for face in found.faces)


def test_faces_are_kept_only_where_they_were_asked_for(scored: Callable[..., Subject]) -> None:
    first = scored().degraded
    assert first is not None and first.faces == () and first.example is None
    again = scored(workers=2).degraded
    assert again is not None and again.items == first.items
    assert again.rows.equals(first.rows)


@pytest.mark.slow
def test_clips_are_encoded_before_faces_are_looked_for(
    frame_bundle: Any, portrait_clips: Path, tmp_path: Path
) -> None:
    source, engine = EngineSource(frame_bundle.folder), open_engine(frame_bundle.folder)
    item = items_of(portrait_clips, "fake/p1.mp4")
    assert place_of(engine, item) == "clip" and item.is_clip

    def logit(key: str) -> float:
        found = work(Job(source, item, key, seed_of(item, 0)))
        assert isinstance(found, Assessment)
        assert found.status == "ok", found.reason
        assert found.logit is not None and found.examined is not None
        return found.logit

    path = recode(item.pictures[0].path, tmp_path / "encoded.mp4", 40)
    assert logit("h264_40") == engine.assess(path).logit
    clean = engine.assess(item.pictures[0].path)
    assert len({logit("h264_23"), logit("h264_40"), logit("noise_10"), clean.logit}) == 4
    with open_video(path) as video:
        assert clean.examined is not None and video.info.frames == clean.examined.frames_in_clip


def test_what_is_not_found_or_read_is_counted(frame_bundle: Any, portrait_clips: Path) -> None:
    source = EngineSource(frame_bundle.folder)
    clip = items_of(portrait_clips, "real/p1.mp4")
    found = work(Job(source, clip, "downscale_4", seed_of(clip, 0)))
    assert isinstance(found, Assessment)
    assert (found.status, found.logit) == ("no_face", None)  # 25 pixels of it are left
    broken = items_of(portrait_clips, "broken.mp4")
    unread = work(Job(source, broken, "jpeg_30", seed_of(broken, 0)))
    assert isinstance(unread, Assessment) and unread.status == "unreadable"
    for key in ("h264_28", "social"):  # nothing was degraded, so nothing is said of the detector
        lost = work(Job(source, broken, key, seed_of(broken, 0)))
        assert isinstance(lost, Lost) and "not a video" in lost.reason
    faces = [work(Job(source, one, key, (0, 1), shown=True))
             for one, key in ((clip, None), (clip, "h264_28"), (clip, "downscale_4"),
                              (broken, "social"), (broken, None))]  # fmt: skip
    assert all(isinstance(face, Face) for face in faces)
    assert [face.picture is not None for face in faces] == [True, True, False, False, False]
    missing = [face.missing for face in faces[2:]]
    assert missing == ["no face", "could not be made", "unreadable"]


def test_a_picture_that_jpeg_cannot_hold_costs_itself_alone(
    crop_bundle: Any, tmp_path: Path
) -> None:
    assert cv2.imwrite(str(tmp_path / "wide.png"), np.zeros((16, 66_000, 3), np.uint8))
    item = replace(items_of(tmp_path, "wide.png"), already_cropped=True)
    source, gathered = EngineSource(crop_bundle.folder), Gathered()
    for key in ("jpeg_30", "noise_20"):
        for shown in (False, True):
            job = Job(source, item, key, seed_of(item, 0), shown)
            gathered.add(job, work(job))
    assert set(gathered.rows) == {"noise_20"}
    assert gathered.unmade()["jpeg_30"].items == 1
    assert "cannot be written as JPEG" in gathered.unmade()["jpeg_30"].reason
    assert gathered.faces["jpeg_30"].missing == "could not be made"
    assert gathered.faces["noise_20"].picture is not None


def test_jobs_that_were_lost_are_not_charged_to_the_detector(portrait_clips: Path) -> None:
    gathered = Gathered()
    for name in ("real/p2.mp4", "real/p1.mp4"):
        item = items_of(portrait_clips, name)
        job = Job(EngineSource(portrait_clips), item, "social", (0, 1))
        gathered.add(job, Lost(f"{name} takes longer than 9 s"))
        gathered.add(replace(job, shown=True), Lost("crashes its decoder"))
    assert gathered.rows == {}
    assert gathered.unmade() == {"social": Unmade(2, "real/p1.mp4 takes longer than 9 s")}
    assert gathered.faces["social"].missing == "could not be made"


def test_the_seed_of_an_item_is_that_of_its_name(portrait_clips: Path) -> None:
    one, other = (items_of(portrait_clips, name) for name in ("real/p1.mp4", "real/p2.mp4"))
    assert seed_of(one, 3) == seed_of(one, 3) != seed_of(other, 3)
    assert str(portrait_clips) not in str(one.known["video_id"])
    assert np.random.default_rng(seed_of(one, 3)).random() != 0
