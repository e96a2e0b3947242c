"""What is named on the command line, as items."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfake_lightning.data.extraction import extract, list_sources
from deepfake_lightning.errors import LayoutError, TableError
from deepfake_lightning.inference.items import Archive, Item, read_inputs
from deepfake_lightning.schemas import Extraction, Manifest, write_manifest
from deepfake_lightning.schemas.manifest import COLUMNS


def touch(root: Path, *names: str) -> Path:
    """Create empty files: items are told from names alone."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def items(*inputs: Path | str, already_cropped: bool | None = None) -> list[Item]:
    archive = Archive(read_inputs([str(each) for each in inputs]), already_cropped)
    found = list(archive)
    assert len(found) == len(archive)
    assert len({item.name for item in found}) == len(found)
    assert len({item.known["video_id"] for item in found}) == len(found)
    return found


def names(*inputs: Path | str) -> list[str]:
    return [item.name for item in items(*inputs)]


def refusal(*inputs: Path | str) -> LayoutError:
    with pytest.raises(LayoutError) as caught:
        items(*inputs)
    assert caught.value.next_step
    return caught.value


def test_files_keep_the_names_they_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a.jpg", "b/clip.MP4", "notes.txt")
    monkeypatch.chdir(tmp_path)
    picture, clip, other = items("a.jpg", tmp_path / "b/clip.MP4", "notes.txt")
    assert (picture.name, picture.media_type, picture.paths) == ("a.jpg", "image", ("a.jpg",))
    assert (clip.name, clip.media_type) == (str(tmp_path / "b/clip.MP4"), "video")
    assert other.media_type == "video"  # whoever reads it says that it is none
    assert picture.known["label"] is None
    assert picture.already_cropped is None


def test_a_folder_with_all_below_it(tmp_path: Path) -> None:
    root = touch(tmp_path / "set", "b.jpg", "sub/a.mp4", "sub/.hidden.jpg", ".git/c.jpg", "x.txt")
    found = items(root)
    assert [item.paths[0] for item in found] == ["b.jpg", "sub/a.mp4"]
    assert found[1].name == str(root / "sub/a.mp4")
    assert found[1].known["dataset"] == "set"


def test_class_folders_keep_their_labels(tmp_path: Path) -> None:
    root = touch(tmp_path / "set", "real/a.jpg", "fake/a.jpg", "fake/face2face/b.mp4",
                 "real/clip/0001.jpg", "real/clip/0000.jpg")  # fmt: skip
    found = {item.known["video_id"]: item for item in items(root)}
    assert {name: item.known["label"] for name, item in found.items()} == {
        "set/real/a": 0, "set/fake/a": 1, "set/fake/face2face/b": 1, "set/real/clip": 0,
    }  # fmt: skip
    assert found["set/fake/face2face/b"].known["method"] == "face2face"
    clip = found["set/real/clip"]
    assert (clip.media_type, clip.is_frames, clip.name) == ("video", True, "set/real/clip")
    assert [picture.frame for picture in clip.pictures] == [0, 1]
    assert clip.paths == ("real/clip/0000.jpg", "real/clip/0001.jpg")


def test_frames_beside_each_other_are_scored_without_labels(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = touch(
        tmp_path, *(f"{kind}/clip_{n:03}.jpg" for kind in ("real", "fake") for n in (1, 2))
    )
    found = items(root)
    assert len(found) == 4
    assert {item.known["label"] for item in found} == {None}
    assert "look like frames" in caplog.text
    assert "scored without labels" in caplog.text


def test_an_index(tmp_path: Path) -> None:
    root = touch(tmp_path, "x/a.jpg", "x/b.mp4", "x/not listed.jpg")
    (root / "index.csv").write_text("path,label,group\nx/b.mp4,fake,g1\nx/a.jpg,real,g2\n")
    for named in (root, root / "index.csv"):
        found = items(named)
        assert [(item.paths[0], item.known["label"]) for item in found] == [
            ("x/b.mp4", 1), ("x/a.jpg", 0),
        ]  # fmt: skip
        assert found[0].known["group_id"] == "g1"


@pytest.fixture(scope="module")
def extracted(portrait_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return pictures taken out of a few clips. Read them only."""
    root = tmp_path_factory.mktemp("extracted")
    for name in ("real/p0.mp4", "fake/two.mp4", "real/none.mp4", "real/broken.mp4"):
        (root / "clips" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(portrait_clips / name, root / "clips" / name)
    settings = Extraction(sampling="even:3", size=48)
    extract(list_sources([root / "clips"]), [root / "clips"], root / "out", settings, workers=1)
    return root / "out"


def test_an_extracted_manifest_has_its_clips_as_items(extracted: Path) -> None:
    found = {item.name: item for item in items(extracted)}
    assert set(found) == {
        "clips/real/p0", "clips/fake/two",
        *(name for name in found if name.endswith((".mp4",))),
    }  # fmt: skip
    assert len(found) == 4
    two = found["clips/fake/two"]
    assert [(picture.track, picture.frame) for picture in two.pictures] == [
        (track, frame) for track in (0, 1) for frame in (2, 6, 10)
    ]
    assert all(picture.path.is_file() for picture in two.pictures)
    assert two.already_cropped is True
    assert (two.known["label"], two.status) == (1, None)
    statuses = {item.known["video_id"]: item.status for item in found.values()}
    assert statuses["clips/real/none"] == "no_face"
    assert statuses["clips/real/broken"] == "unreadable"
    assert [item.already_cropped for item in items(extracted, already_cropped=False)] == [False] * 4


def test_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.mp4", "b.jpg", "x/c.mp4", "x/y/d.mp4", "x/y/e.txt", "x/folder.mp4/f.jpg")
    monkeypatch.chdir(tmp_path)
    assert names("*.mp4") == ["a.mp4"]
    assert names("**/*.mp4") == ["a.mp4", "x/c.mp4", "x/y/d.mp4"]
    assert names(f"{tmp_path}/x/*/?.*") == [
        f"{tmp_path}/x/folder.mp4/f.jpg",
        f"{tmp_path}/x/y/d.mp4",
    ]
    assert "missing/*.mp4 does not exist" in refusal("missing/*.mp4").what
    assert "matches no pictures" in refusal("x/y/*.txt").what
    touch(tmp_path, "odd[1].jpg")
    assert names("odd[1].jpg") == ["odd[1].jpg"]


def test_what_is_named_twice_is_scored_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extracted: Path
) -> None:
    touch(tmp_path, "set/a.jpg", "set/b.jpg")
    monkeypatch.chdir(tmp_path)
    assert names("set/a.jpg", "./set/a.jpg", tmp_path / "set/a.jpg") == ["set/a.jpg"]
    assert names("set", "set/a.jpg", "set/*") == ["set/a.jpg", "set/b.jpg"]
    assert len(names("set", tmp_path / "set", "set")) == 2
    assert len(names(extracted, extracted / "manifest.parquet")) == 4


def test_clips_of_one_name_in_two_places_are_two_items(tmp_path: Path) -> None:
    for place in ("a", "b"):
        touch(tmp_path / place / "set", "real/clip/0.jpg", "real/clip/1.jpg", "fake/x.jpg")
    found = items(tmp_path / "a/set", tmp_path / "b/set")
    assert [item.name for item in found if item.is_frames] == [
        "set/real/clip", f"set/real/clip ({tmp_path}/b/set)",
    ]  # fmt: skip
    pictures = {picture.path for item in found for picture in item.pictures}
    assert len(found) == 4 and len(pictures) == 6


def test_a_file_that_is_also_a_frame_of_a_clip_is_both(tmp_path: Path) -> None:
    root = touch(tmp_path / "set", "real/clip/0.jpg", "real/clip/1.jpg", "fake/x.jpg")
    found = items(root, root / "real/clip/0.jpg")
    assert sorted(len(item.pictures) for item in found) == [1, 1, 2]


@pytest.mark.parametrize("kind", ["a file", "in a folder", "in a class folder", "a manifest"])
def test_names_that_are_not_utf8(tmp_path: Path, kind: str) -> None:
    odd = os.fsdecode(b"caf\xe9")
    named: Path = {
        "a file": lambda: touch(tmp_path, f"{odd}.jpg") / f"{odd}.jpg",
        "in a folder": lambda: touch(tmp_path, f"{odd}.jpg", "b.jpg"),
        "in a class folder": lambda: touch(tmp_path, f"real/{odd}.jpg", "fake/b.jpg"),
        "a manifest": lambda: touch(tmp_path, f"{odd}/a.jpg", f"{odd}/index.csv") / odd,
    }[kind]()
    if kind == "a manifest":
        (named / "index.csv").write_text("path,label\na.jpg,0\n")
    assert "caf\\xe9" in refusal(named).what
    assert "UTF-8" in refusal(named).what


def test_what_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "a.jpg", "texts/b.txt", "classes/real/b.txt", "classes/fake/c.txt")
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    assert "gone.jpg does not exist" in refusal("a.jpg", "gone.jpg").what
    assert "dangling.jpg does not exist" in refusal("dangling.jpg").what
    assert "gone.csv does not exist" in refusal("gone.csv").what
    for folder in ("empty", "texts", "classes"):
        assert f"{folder} holds no pictures and no videos" in refusal(folder).what
    assert "cannot be read" in refusal(f"{'x' * 300}.jpg").what
    assert "does not exist" in refusal("a\0b.jpg").what


def test_what_is_no_file_is_refused_and_never_opened(tmp_path: Path) -> None:
    """A pipe that nobody writes to would be waited for without an end."""
    for name in ("pipe", "pipe.jpg", "pipe.csv"):
        os.mkfifo(tmp_path / name)
        assert "neither a file nor a folder" in refusal(tmp_path / name).what
    assert "neither a file nor a folder" in refusal("/dev/zero").what
    assert "holds no pictures" in refusal(tmp_path).what
    touch(tmp_path, "a.jpg")
    assert names(tmp_path) == [str(tmp_path / "a.jpg")]


def test_a_wrong_manifest_is_named(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text("path,media_type\na.jpg,image\n")
    for named in (tmp_path, path):
        with pytest.raises(TableError, match="missing column video_id"):
            items(named)
    path.write_bytes(b"\xff\xfe\0\0")
    with pytest.raises(TableError, match="cannot be read"):
        items(path)


def test_an_empty_manifest_has_no_items(tmp_path: Path, make_rows: Callable[..., Any]) -> None:
    write_manifest(Manifest(make_rows(0), tmp_path, tmp_path), tmp_path / "manifest.csv")
    assert items(tmp_path) == []


def manifest(records: list[dict[str, Any]]) -> Manifest:
    plain = {"dataset": "d", "media_type": "image"}
    rows = pd.DataFrame([{**plain, **record} for record in records])
    typed = {
        column.name: (rows[column.name] if column.name in rows else pd.Series(pd.NA, rows.index))
        .astype(column.dtype)
        for column in COLUMNS
    }  # fmt: skip
    return Manifest(pd.DataFrame(typed), Path("/data"), Path("/data/manifest.csv"))


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "video_id": st.sampled_from(["d/a", "d/b", "d/c", "d/d"]),
            "media_type": st.sampled_from(["image", "image", "image", "video"]),
            "frame": st.none() | st.integers(0, 5),
            "track_id": st.none() | st.integers(0, 2),
            "status": st.sampled_from([None, None, "ok", "no_face", "unreadable"]),
        }
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=150, deadline=None)
@given(ROWS)
def test_the_items_of_any_manifest_cover_each_row_once_and_in_order(
    rows: list[dict[str, Any]],
) -> None:
    records = [{**row, "path": f"{n}", "group_id": f"g{n}"} for n, row in enumerate(rows)]
    wanted: dict[object, list[dict[str, Any]]] = {}  # in the order of first rows
    for number, record in enumerate(records):
        framed = record["media_type"] == "image" and (
            record["frame"] is not None or record["track_id"] is not None
        )
        wanted.setdefault(record["video_id"] if framed else number, []).append(record)
    found = list(Archive([manifest(records)]))
    assert len(found) == len(wanted)
    for item, (key, members) in zip(found, wanted.items(), strict=True):
        scored = [row for row in members if row["status"] in (None, "ok")]
        assert item.is_frames == isinstance(key, str)
        assert item.known["video_id"] == members[0]["video_id"]
        if not scored:
            assert item.status in {row["status"] for row in members}
            assert item.paths[0] in {row["path"] for row in members}
            continue
        assert item.status is None
        ordered = sorted(
            scored,
            key=lambda row: tuple(-1 if row[k] is None else row[k] for k in ("track_id", "frame")),
        )
        assert item.paths == tuple(row["path"] for row in ordered)
        assert [(p.track, p.frame) for p in item.pictures] == [
            (row["track_id"], row["frame"]) for row in ordered
        ]


def test_a_hundred_thousand_rows_take_seconds() -> None:
    count = 100_000
    rows = pd.DataFrame({
        "path": [f"{n}.jpg" for n in range(count)], "media_type": "image", "dataset": "d",
        "video_id": [f"d/{n // 10}" for n in range(count)], "group_id": "g",
        "frame": pd.array(np.arange(count) % 10, "Int64"),
    })  # fmt: skip
    for column in COLUMNS:
        if column.name not in rows:
            rows[column.name] = pd.Series(pd.NA, index=rows.index, dtype=column.dtype)
    archive = Archive([Manifest(rows, Path("/data"), Path("/data"))])
    assert len(archive) == count // 10
    assert sum(len(item.pictures) for item in archive) == count


def test_files_that_are_not_looked_at_are_counted(
    tmp_path: Path, write_picture: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    write_picture(tmp_path / "deep/a.jpg")
    for name in ("b.gif", "deep/c.txt", ".hidden/deep/d.txt", ".e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert len(Archive(read_inputs([str(tmp_path)]))) == 1
    assert "2 files are neither pictures nor videos by their suffix (.gif, .txt)" in caplog.text


def test_faces_of_a_picture_are_a_picture_and_frames_of_a_clip_a_clip() -> None:
    records = [
        {"video_id": "d/photo", "path": "photo_0", "track_id": 0},
        {"video_id": "d/photo", "path": "photo_1", "track_id": 1},
        {"video_id": "d/clip", "path": "clip_0", "track_id": 0, "frame": 0},
        {"video_id": "d/tracked", "path": "tracked_0", "track_id": 0},
        {"video_id": "d/tracked", "path": "tracked_1", "track_id": 0},
        {"video_id": "d/tracked", "path": "tracked_2", "track_id": 1},
        {"video_id": "d/plain", "path": "plain"},
        {"video_id": "d/film", "path": "film.mp4", "media_type": "video"},
    ]
    found = list(Archive([manifest([{**row, "group_id": "g"} for row in records])]))
    assert [(item.known["video_id"], item.media_type, len(item.paths)) for item in found] == [
        ("d/photo", "image", 2), ("d/clip", "video", 1), ("d/tracked", "video", 3),
        ("d/plain", "image", 1), ("d/film", "video", 1),
    ]  # fmt: skip
