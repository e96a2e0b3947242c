"""From media to a verdict: what is scored, where and when it was seen, and what is said of it."""

from __future__ import annotations

import json
import math
import runpy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from deepfake_lightning.inference import Engine, open_engine
from deepfake_lightning.inference.engine import FramePicture
from deepfake_lightning.media import read_image, resize
from deepfake_lightning.schemas import (
    Assessment,
    Calibration,
    read_manifest,
    read_predictions,
)
from deepfake_lightning.schemas.assessment import MEANING
from deepfake_lightning.schemas.calibration import ItemCalibration
from deepfake_lightning.storage import file_hash

Remake = Callable[..., Engine]
Photo = Callable[[int], Path]
Clip = Callable[[str], Path]
DAMAGE = runpy.run_path(str(Path(__file__).parents[1] / "media" / "conftest.py"))["DAMAGE"]
UNREADABLE = {
    "empty.mp4", "text.mp4", "script.mp4", "jpeg.mp4", "audio_only.mp4", "without_index.mp4",
    "all_zeroed.mp4",
}  # fmt: skip


def result(found: Assessment) -> Assessment:
    """Return an assessment without what differs from one run to the next."""
    return replace(found, name="", milliseconds={})


def whole(found: Assessment) -> None:
    """Assert what holds of every assessment."""
    scored = found.status == "ok"
    assert (found.logit is not None) == (found.score is not None) == scored
    assert (found.reason is None) == scored
    assert bool(found.faces) == bool(found.tracks) == bool(found.quality) == scored
    if scored:
        assert found.logit == max(track.logit for track in found.tracks)
        assert sum(track.faces for track in found.tracks) == len(found.faces)
        assert 0 <= found.score <= 1
    else:
        assert found.verdict == "not_assessable"
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["meaning"]
    times = found.milliseconds
    assert times.keys() == {"media", "decode", "faces", "network", "total"}
    assert times["media"] + times["network"] == pytest.approx(times["total"], abs=0.002)
    assert min(times.values()) >= 0 and times["total"] > 0


def test_the_same_crops_get_the_same_scores_everywhere(
    crop_bundle: Any, crop_engine: Engine, tmp_path: Path
) -> None:
    from deepfake_lightning.training.lightning_cli import TrainingCLI

    cli = TrainingCLI(["test", "--ckpt_path", str(crop_bundle.checkpoint), "--workspace",
                       str(tmp_path), "--trainer.enable_progress_bar=false"])  # fmt: skip
    report = next(c for c in cli.trainer.callbacks if type(c).__name__ == "EvaluationReport")
    rows = read_predictions(report.folder / "predictions.parquet")
    root = read_manifest(crop_bundle.run / "manifest.parquet").root
    paths = [root / path for path in rows["path"]]
    expected = rows["logit"].to_numpy(float)
    assert len(paths) > 8 and np.ptp(expected) > 0.1
    engines = {
        "onnx": crop_engine,
        "torch": open_engine(crop_bundle.folder, runtime="torch"),
        "checkpoint": open_engine(checkpoint=crop_bundle.checkpoint),
    }
    for name, engine in engines.items():
        assert engine.runtime.name == ("onnx" if name == "onnx" else "torch")
        found = np.array([engine.assess(path, already_cropped=True).logit for path in paths])
        assert np.abs(found - expected).max() < 1e-4, name
        crops = engine.logits([read_image(path) for path in paths])
        assert np.abs(crops - expected).max() < 1e-4, name
    assert crop_engine.digest != engines["checkpoint"].digest == file_hash(crop_bundle.checkpoint)


def test_two_faces_are_two_tracks_and_the_higher_one_counts(
    frame_engine: Engine, photo: Photo
) -> None:
    found = frame_engine.assess(photo(2))
    whole(found)
    assert (found.status, found.media_type, found.examined) == ("ok", "image", None)
    assert [track.track for track in found.tracks] == [0, 1]
    assert [track.faces for track in found.tracks] == [1, 1]
    assert found.logit == max(face.logit for face in found.faces)
    assert found.tracks[0].logit != found.tracks[1].logit
    lefts = sorted(face.box[0] for face in found.faces)
    assert lefts[0] < 110 < lefts[1]
    assert all(face.frame is face.timestamp_ms is face.picture is None for face in found.faces)


def test_a_clip_is_scored_by_its_tracks(
    frame_engine: Engine, make_portrait_clip: Callable[..., Path], tmp_path: Path
) -> None:
    found = frame_engine.assess(make_portrait_clip(tmp_path / "c.mp4", frames=24, faces=2))
    whole(found)
    assert found.status == "ok" and found.media_type == "video"
    assert [(t.track, t.faces) for t in found.tracks] == [(0, 4), (1, 4)]
    for track in found.tracks:
        own = [face for face in found.faces if face.track == track.track]
        assert [face.frame for face in own] == [3, 9, 15, 21]
        assert [face.timestamp_ms for face in own] == [250, 750, 1250, 1750]
        sides = {face.box[0] > 110 for face in own}
        assert len(sides) == 1  # it is the same person all along
        assert track.logit == pytest.approx(np.mean([face.logit for face in own]), abs=1e-6)


@pytest.mark.parametrize(
    ("sampling", "frames", "fps", "expected"),
    [
        # frames looked at, in the clip, their seconds, the clip's seconds, longest gap
        ("all", 24, 12, (24, 24, 2.0, 2.0, 0.0)),
        ("even:4", 12, 12, (4, 12, 0.333, 1.0, 0.167)),
        ("even:1", 50, 25, (1, 50, 0.04, 2.0, 1.0)),
        ("every:0.5", 50, 25, (4, 50, 0.16, 2.0, 0.48)),
        ("every:10", 50, 25, (1, 50, 0.04, 2.0, 1.96)),
        ("even:16", 1, 25, (1, 1, 0.04, 0.04, 0.0)),
    ],
)
def test_how_much_of_a_clip_was_examined(
    crop_engine: Engine, remake: Remake, make_clip: Callable[..., Path], tmp_path: Path,
    sampling: str, frames: int, fps: int, expected: tuple[float, ...],
) -> None:  # fmt: skip
    path = make_clip(tmp_path / "c.mp4", frames=frames, fps=fps)
    found = remake(crop_engine, sampling=sampling).assess(path)
    whole(found)
    assert found.status == "no_face"
    seen = found.examined
    numbers = (seen.frames, seen.frames_in_clip, seen.seconds, seen.seconds_in_clip,
               seen.longest_gap)  # fmt: skip
    assert numbers == pytest.approx(expected, abs=0.005)  # times are whole ms


def test_a_pause_in_a_clip_is_a_gap(
    crop_engine: Engine, remake: Remake, make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """Frames are shown until the next one comes; what is shown is not a gap."""
    times = [0, 100, 200, 3200, 3300, 3400]
    path = make_clip(tmp_path / "c.mp4", frames=6, times_ms=times)
    every_second = remake(crop_engine, sampling="even:3").assess(path).examined
    assert every_second.frames == 3  # frames 1, 3 and 5
    assert every_second.longest_gap == pytest.approx(3.0, abs=0.01)  # frame 2 is shown so long
    assert remake(crop_engine, sampling="all").assess(path).examined.longest_gap == 0


@pytest.mark.parametrize("kind", ["photo", "clip"])
def test_without_a_face_nothing_is_said(
    frame_engine: Engine, photo: Photo, make_portrait_clip: Callable[..., Path], tmp_path: Path,
    kind: str,
) -> None:  # fmt: skip
    path = photo(0) if kind == "photo" else make_portrait_clip(tmp_path / "n.mp4", faces=0)
    found = frame_engine.assess(path)
    whole(found)
    assert (found.status, found.verdict, found.score) == ("no_face", "not_assessable", None)
    assert found.reason == "no face was found"
    assert found.meaning == MEANING["not_assessable"]
    assert (found.examined is None) == (kind == "photo")


@pytest.mark.parametrize("name", sorted(DAMAGE))
def test_every_damaged_clip_has_a_status_and_a_reason(
    crop_engine: Engine, clip: Clip, name: str
) -> None:
    path = clip(name)
    found = crop_engine.assess(path)
    whole(found)
    unreadable = name in UNREADABLE
    assert found.status == ("unreadable" if unreadable else "no_face")
    assert found.reason.startswith(str(path)) == unreadable
    frames = crop_engine.assess(path, already_cropped=True)  # a face cut out before
    whole(frames)
    assert frames.status == ("unreadable" if unreadable else "ok")
    if not unreadable:
        assert frames.examined.frames == len(frames.faces) <= frames.examined.frames_in_clip
        assert all(face.box is None and math.isfinite(face.logit) for face in frames.faces)
    upload = crop_engine.assess(path.read_bytes(), media_type="video", already_cropped=True)
    assert upload.status == frames.status
    if unreadable:
        assert str(path) not in upload.reason


def test_damaged_frames_are_noted(crop_engine: Engine, remake: Remake, clip: Clip) -> None:
    found = remake(crop_engine, sampling="all").assess(clip("truncated.mp4"), already_cropped=True)
    assert found.status == "ok"
    assert any("frames are damaged" in note for note in found.notes)
    assert found.examined.frames < found.examined.frames_in_clip


def _nothing(path: Path) -> None:
    pass


def _folder(path: Path) -> None:
    path.mkdir()


def _cut(path: Path) -> None:
    data = cv2.imencode(".png", np.full((40, 40, 3), 90, np.uint8))[1].tobytes()
    path.write_bytes(data[:30])


def _empty(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize("make", [_nothing, _folder, _cut, _empty])
@pytest.mark.parametrize("name", ["a.png", "a.mp4", "a.dat", "a"])
def test_files_that_cannot_be_read_are_results(
    crop_engine: Engine, tmp_path: Path, make: Callable[[Path], None], name: str
) -> None:
    make(tmp_path / name)
    found = crop_engine.assess(tmp_path / name)
    whole(found)
    assert found.status == "unreadable"
    assert str(tmp_path / name) in found.reason


@pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xd8\xff", bytes(1000)])
def test_bytes_that_cannot_be_read_are_results(crop_engine: Engine, data: bytes) -> None:
    found = crop_engine.assess(data)
    whole(found)
    assert (found.status, found.name) == ("unreadable", "the upload")
    assert "the upload" in found.reason


def test_bytes_and_files_get_the_same(
    frame_engine: Engine, photo: Photo, portrait_clips: Path
) -> None:
    for path in (photo(1), photo(2), portrait_clips / "fake/p0.mp4"):
        one = frame_engine.assess(path)
        other = frame_engine.assess(path.read_bytes(), name="x")
        assert (one.name, other.name) == (str(path), "x")
        assert result(one) == result(other)
        assert one.status == "ok"


def test_a_network_for_crops_takes_pictures_with_a_face_as_they_are(
    crop_engine: Engine, photo: Photo
) -> None:
    image = read_image(photo(1))
    as_it_is = crop_engine.assess(photo(1))
    assert as_it_is.faces[0].box is None
    expected = crop_engine.logits([resize(image, crop_engine.preprocess)])[0]
    assert as_it_is.logit == pytest.approx(float(expected), abs=1e-6)
    assert any("hardly is" in note for note in as_it_is.notes)  # 192 x 144
    told = crop_engine.assess(photo(1), already_cropped=True)
    assert told.logit == as_it_is.logit and told.notes == ()
    nobody = crop_engine.assess(photo(0))
    assert (nobody.status, nobody.logit, nobody.verdict) == ("no_face", None, "not_assessable")
    assert "already_cropped" in str(nobody.reason)
    assert crop_engine.assess(photo(0), already_cropped=True).status == "ok"
    looked_for = crop_engine.assess(photo(1), already_cropped=False)
    assert looked_for.faces[0].box is not None
    assert looked_for.logit != as_it_is.logit
    assert looked_for.notes == ()


def test_a_network_for_frames_looks_for_faces_unless_told(
    frame_engine: Engine, photo: Photo, tmp_path: Path
) -> None:
    looked_for = frame_engine.assess(photo(1))
    x, y, width, height = looked_for.faces[0].box
    assert looked_for.notes == ()
    assert result(frame_engine.assess(photo(1), already_cropped=False)) == result(looked_for)
    side = max(width, height) * 1.05
    left, top = x + width / 2 - side / 2, y + height / 2 - side / 2
    image = read_image(photo(1))
    crop = image[max(0, int(top)) : int(top + side), max(0, int(left)) : int(left + side)]
    path = tmp_path / "crop.png"
    assert cv2.imwrite(str(path), cv2.cvtColor(crop, cv2.COLOR_RGB2BGR))
    again = frame_engine.assess(path)
    assert any("looks like a face crop already" in note for note in again.notes)
    told = frame_engine.assess(path, already_cropped=True)
    assert told.notes == () and told.faces[0].box is None


def test_a_clip_of_crops_is_taken_whole_when_told(
    crop_engine: Engine, portrait_clips: Path
) -> None:
    path = portrait_clips / "real/p0.mp4"
    assert crop_engine.assess(path).faces[0].box is not None
    told = crop_engine.assess(path, already_cropped=True)
    assert [face.box for face in told.faces] == [None] * 12
    assert [(t.track, t.faces) for t in told.tracks] == [(None, 12)]


def test_many_threads_get_what_one_gets(
    frame_bundle: Any, portrait_clips: Path, photo: Photo
) -> None:
    paths = [photo(1), photo(2), photo(0), portrait_clips / "fake/two.mp4",
             portrait_clips / "real/p1.mp4", portrait_clips / "real/none.mp4",
             portrait_clips / "real/broken.mp4"]  # fmt: skip
    for runtime in ("onnx", "torch"):
        engine = open_engine(frame_bundle.folder, runtime=runtime)
        alone = [result(engine.assess(path)) for path in paths]
        shuffled = np.random.default_rng(0).permutation(len(paths) * 4) % len(paths)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(engine.assess, [paths[number] for number in shuffled]))
        for number, each in zip(shuffled, found, strict=True):
            assert result(each) == alone[number]


def test_scores_depend_neither_on_order_nor_on_what_else_is_in_a_batch(
    crop_engine: Engine, faces: Path
) -> None:
    crops = [read_image(path) for path in sorted(faces.rglob("*.jpg"))[:70]]
    together = crop_engine.logits(crops)
    assert together.shape == (70,) and together.dtype == np.float32
    one_by_one = np.concatenate([crop_engine.logits([crop]) for crop in crops])
    np.testing.assert_allclose(together, one_by_one, atol=1e-5)
    np.testing.assert_allclose(crop_engine.logits(crops[::-1])[::-1], together, atol=1e-5)
    assert crop_engine.logits([]).shape == (0,)


@pytest.mark.parametrize("kind", ["image", "video"])
def test_a_calibrated_detector_gives_verdicts(
    frame_engine: Engine, remake: Remake, photo: Photo, portrait_clips: Path, kind: str
) -> None:
    paths = {"image": photo(1), "video": portrait_clips / "fake/p0.mp4"}
    other = "video" if kind == "image" else "image"
    plain = frame_engine.assess(paths[kind])
    assert (plain.verdict, plain.calibrated) == (None, False)
    assert plain.score == pytest.approx(1 / (1 + math.exp(-plain.logit)))
    value = plain.logit / 2.0

    def assess(clear_below: float, indicated_from: float) -> Assessment:
        fitted = ItemCalibration(
            temperature=2.0, clear_below=clear_below, indicated_from=indicated_from, items=50
        )
        engine = remake(frame_engine, Calibration(**{kind: fitted}))
        assert engine.assess(paths[other]).verdict is None  # it was fitted for the one kind
        found = engine.assess(paths[kind])
        whole(found)
        assert found.calibrated and found.logit == plain.logit
        assert found.score == pytest.approx(1 / (1 + math.exp(-value)))
        assert found.meaning == MEANING[found.verdict]
        return found

    assert assess(value - 0.2, value - 0.1).verdict == "manipulation_indicated"
    assert assess(value - 0.2, value).verdict == "manipulation_indicated"  # the bound counts
    assert assess(value - 0.1, value + 0.1).verdict == "inconclusive"
    assert assess(value, value + 0.1).verdict == "inconclusive"
    assert assess(value + 0.1, value + 0.2).verdict == "no_indication"
    fitted = ItemCalibration(clear_below=0.0, indicated_from=0.0, items=50)
    engine = remake(frame_engine, Calibration(image=fitted, video=fitted))
    for path in (photo(0), portrait_clips / "real/broken.mp4"):
        assert engine.assess(path).verdict == "not_assessable"


def test_pictures_of_a_clip_are_one_item(crop_engine: Engine, remake: Remake, faces: Path) -> None:
    paths = sorted((faces / "real").glob("*.jpg"))[:3] + sorted((faces / "fake").glob("*.jpg"))[:3]
    pictures = [
        FramePicture(path, track=number // 3, frame=10 * number, timestamp_ms=400 * number)
        for number, path in enumerate(paths)
    ]
    found = crop_engine.assess_frames(pictures, name="clip", already_cropped=True)
    whole(found)
    assert (found.name, found.status, found.media_type) == ("clip", "ok", "video")
    assert [(t.track, t.faces) for t in found.tracks] == [(0, 3), (1, 3)]
    single = crop_engine.logits([read_image(path) for path in paths])
    np.testing.assert_allclose([f.logit for f in found.faces], single, atol=1e-5)
    assert [f.frame for f in found.faces] == [0, 10, 20, 30, 40, 50]
    assert [f.picture for f in found.faces] == list(range(6))
    assert found.faces[5].timestamp_ms == 2000
    assert found.tracks[1].logit == pytest.approx(single[3:].mean(), abs=1e-5)
    narrow = remake(crop_engine, aggregation={"window": 1}).assess_frames(
        pictures, name="clip", already_cropped=True
    )
    assert narrow.logit == pytest.approx(single.max(), abs=1e-5)
    backwards = crop_engine.assess_frames(pictures[::-1], name="clip", already_cropped=True)
    assert backwards.logit == pytest.approx(found.logit, abs=1e-6)


def test_pictures_of_a_clip_that_cannot_be_read_are_counted(
    crop_engine: Engine, faces: Path, tmp_path: Path
) -> None:
    good = sorted(faces.rglob("*.jpg"))[0]
    gone = tmp_path / "gone.jpg"
    some = crop_engine.assess_frames(
        [FramePicture(gone, 0, 0), FramePicture(good, 0, 1)], name="some", already_cropped=True
    )
    whole(some)
    assert some.status == "ok" and [face.picture for face in some.faces] == [1]
    assert some.notes == ("1 of 2 pictures cannot be read",)
    none = crop_engine.assess_frames([FramePicture(gone, 0, 0)] * 2, name="none")
    whole(none)
    assert none.status == "unreadable" and "gone.jpg" in none.reason
    nothing = crop_engine.assess_frames([], name="nothing")
    whole(nothing)
    assert nothing.status == "no_face"


def test_what_holds_of_all_pictures_of_a_clip_is_noted_once(
    crop_engine: Engine, photo: Photo
) -> None:
    pictures = [FramePicture(photo(1), 0, number) for number in range(40)]
    found = crop_engine.assess_frames(pictures, name="clip")
    assert found.status == "ok" and len(found.faces) == 40
    assert len(found.notes) == 1


def test_quality_is_the_mean_over_the_faces(frame_engine: Engine, portrait_clips: Path) -> None:
    found = frame_engine.assess(portrait_clips / "real/p2.mp4")
    assert found.quality.keys() == {"brightness", "contrast", "saturation", "sharpness", "noise",
                                    "blockiness"}  # fmt: skip
    assert 40 < found.quality["brightness"] < 220


def test_a_score_that_is_no_number_is_an_error(
    crop_bundle: Any, copy_bundle: Any, replace_file: Any, faces: Path
) -> None:
    from safetensors.numpy import load, save

    from deepfake_lightning.errors import BundleError

    bundle = copy_bundle(crop_bundle)
    state = load((bundle / "model.safetensors").read_bytes())
    state["head.bias"] = np.array([0, np.nan], np.float32)
    replace_file(bundle, "model.safetensors", save(state))
    with pytest.raises(BundleError, match="not a number"):
        open_engine(bundle, runtime="torch").assess(
            sorted(faces.rglob("*.jpg"))[0], already_cropped=True
        )
