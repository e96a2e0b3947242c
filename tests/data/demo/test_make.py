"""The whole demo set: rows, files, leakage by trivial cues, faces that are found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from deepfake_lightning.data.demo import make_demo
from deepfake_lightning.data.demo.clips import write_clip
from deepfake_lightning.data.demo.make import COLUMNS
from deepfake_lightning.data.demo.shoot import clips_of, clusters
from deepfake_lightning.data.extraction import extract, list_sources
from deepfake_lightning.errors import DataError
from deepfake_lightning.media import read_image
from deepfake_lightning.schemas import Extraction, Manifest, write_manifest

IDENTITIES, CLIPS, FRAMES = 8, 3, 6
CLIP_COUNT = 2 * IDENTITIES * CLIPS


@dataclass(frozen=True)
class Demo:
    out: Path
    rows: pd.DataFrame
    progress: list[tuple[int, int]]


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


def test_rows_name_every_clip_and_nothing_else(demo: Demo) -> None:
    assert tuple(demo.rows.columns) == COLUMNS
    assert len(demo.rows) == CLIP_COUNT
    written = {path.relative_to(demo.out).as_posix() for path in demo.out.rglob("*.*")}
    assert set(demo.rows["path"]) == written
    assert demo.progress == [(done, CLIP_COUNT) for done in range(1, CLIP_COUNT + 1)]


def test_columns_say_what_was_made(demo: Demo) -> None:
    rows = demo.rows
    real, fake = rows[rows["label"] == 0], rows[rows["label"] == 1]
    assert len(real) == len(fake)
    assert real["source_id"].isna().all() and real["method"].isna().all()
    assert (fake["source_id"] != fake["target_id"]).all()
    assert fake["method"].nunique() >= 2
    assert rows["split"].isna().all()
    assert set(rows["media_type"]) == {"video"}
    assert set(rows["dataset"]) == {"demo"}
    assert set(rows["compression"]) == {"h264-crf20"}
    assert set(rows["licence"]) == {"CC0-1.0"}
    for row in rows.itertuples():
        assert row.path == f"videos/{row.video_id.removeprefix('demo/')}.mp4"
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
    for path in demo.rows["path"]:
        with av.open(str(demo.out / path)) as container:
            frames = list(container.decode(video=0))
            assert container.streams.video[0].codec_context.name == "h264"
            assert not container.streams.audio
        assert len(frames) == FRAMES


@pytest.fixture(scope="module")
def crops(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Return the faces of the clips, as a training takes them."""
    write_manifest(Manifest(demo.rows, demo.out, demo.out), demo.out / "manifest.csv")
    out = tmp_path_factory.mktemp("crops") / "faces"
    settings = Extraction(sampling="even:3", size=160)
    manifest = extract(list_sources([demo.out]), [demo.out], out, settings).manifest
    assert manifest is not None
    return manifest


def test_a_face_is_found_in_every_frame(demo: Demo, crops: Manifest) -> None:
    assert len(crops) == 3 * CLIP_COUNT
    assert crops.usable().all()
    assert set(crops.rows["track_id"]) == {0}
    known = demo.rows.set_index("video_id")
    assert (crops.rows["label"] == known.loc[crops.rows["video_id"], "label"].to_numpy()).all()
    assert set(crops.rows["source_id"].dropna()) == set(known["source_id"].dropna())


def test_file_size_does_not_tell_fakes(demo: Demo, crops: Manifest) -> None:
    pictures = [(crops.root / path).stat().st_size for path in crops.rows["path"]]
    assert two_sided_auc(crops.rows["label"], pictures) < 0.6
    clips = [(demo.out / path).stat().st_size for path in demo.rows["path"]]
    assert two_sided_auc(demo.rows["label"], clips) < 0.6


def test_mean_colour_does_not_tell_fakes(crops: Manifest) -> None:
    pictures = [read_image(crops.root / path) for path in crops.rows["path"]]
    means = np.array([picture.mean(axis=(0, 1)) for picture in pictures])
    for score in (*means.T, means.mean(axis=1)):
        assert two_sided_auc(crops.rows["label"], score) < 0.6


def test_the_same_seed_makes_the_same_bytes(tmp_path: Path) -> None:
    one, two = (
        make_demo(tmp_path / name, identities=8, clips=1, frames=2, seed=3) for name in "ab"
    )
    pd.testing.assert_frame_equal(one, two)
    for path in one["path"]:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()
    for seed in (3, 4):
        clip = next(iter(clips_of(clusters(8)[0], 1, 2, seed)))
        write_clip(tmp_path / "c.mp4", clip.frames)
        made = (tmp_path / "a" / f"videos/{clip.stem}.mp4").read_bytes()
        assert ((tmp_path / "c.mp4").read_bytes() == made) == (seed == 3)


def test_an_odd_identity_joins_the_last_cluster(tmp_path: Path) -> None:
    rows = make_demo(tmp_path, identities=9, clips=1, frames=1)
    sizes = rows.groupby("group_id")["target_id"].nunique()
    assert sorted(sizes) == [2, 2, 2, 3]


def test_pictures_are_one_moment_of_each_clip(tmp_path: Path) -> None:
    rows = make_demo(tmp_path, identities=8, clips=2, media="pictures", methods=["mouth", "render"])
    assert set(rows["media_type"]) == {"image"}
    assert set(rows["method"].dropna()) == {"mouth", "render"}
    assert set(rows["compression"]) == {"jpeg-q92"}
    for row in rows.itertuples():
        assert row.path == f"images/{row.video_id.removeprefix('demo/')}.jpg"
        assert read_image(tmp_path / row.path).shape == (256, 256, 3)


def test_a_method_that_is_not_known_is_refused(tmp_path: Path) -> None:
    for names in (["swap", "morph"], []):
        with pytest.raises(DataError, match="There are swap, reenact, mouth, render"):
            make_demo(tmp_path, identities=8, methods=names)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "numbers", [{"identities": 7}, {"identities": 8, "clips": 0}, {"identities": 8, "frames": 0}]
)
def test_too_little_is_refused_and_nothing_written(tmp_path: Path, numbers: dict[str, int]) -> None:
    with pytest.raises(DataError):
        make_demo(tmp_path, **numbers)
    assert not list(tmp_path.iterdir())
