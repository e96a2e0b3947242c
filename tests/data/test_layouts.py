"""Which folders are recognised, what their rows say, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from deepfake_lightning.data.layouts import read_media
from deepfake_lightning.errors import DeepfakeLightningError, LayoutError, TableError
from deepfake_lightning.schemas import Manifest, write_manifest

Rows = Callable[..., pd.DataFrame]


def touch(root: Path, *names: str) -> Path:
    """Create empty files: a layout is told from names alone."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def by_path(root: Path, **options: str) -> pd.DataFrame:
    return read_media(root, **options).rows.set_index("path")


def refusal(root: Path, **options: str) -> DeepfakeLightningError:
    with pytest.raises(LayoutError) as caught:
        read_media(root, **options)
    assert caught.value.next_step
    return caught.value


def test_real_and_fake_pictures(tmp_path: Path) -> None:
    root = touch(tmp_path / "set", "real/ann.jpg", "real/bob.PNG", "fake/ann.jpeg", "real/x.txt")
    rows = by_path(root)
    assert rows["label"].to_dict() == {"real/ann.jpg": 0, "real/bob.PNG": 0, "fake/ann.jpeg": 1}
    assert rows["video_id"].nunique() == 3
    assert rows.loc["real/ann.jpg", "group_id"] == rows.loc["fake/ann.jpeg", "group_id"]
    assert rows.loc["real/bob.PNG", "group_id"] != rows.loc["real/ann.jpg", "group_id"]
    assert rows.loc["real/ann.jpg", "video_id"] == "set/real/ann"
    assert rows["split"].isna().all()
    assert read_media(root).policy == "none"


@pytest.mark.parametrize(
    ("real", "fake"),
    [("original", "manipulated"), ("0_real", "1_fake"), ("Real", "Deepfakes"), ("genuine", "FAKE")],
)
def test_other_names_of_the_classes(tmp_path: Path, real: str, fake: str) -> None:
    rows = by_path(touch(tmp_path, f"{real}/a.jpg", f"{fake}/b.jpg"))
    assert rows["label"].to_dict() == {f"{real}/a.jpg": 0, f"{fake}/b.jpg": 1}


def test_folders_of_splits(tmp_path: Path) -> None:
    root = touch(
        tmp_path, "train/real/a.jpg", "train/fake/b.jpg", "valid/real/c.jpg", "Testing/fake/d.jpg"
    )
    rows = by_path(root)
    assert rows["split"].to_dict() == {
        "train/real/a.jpg": "train",
        "train/fake/b.jpg": "train",
        "valid/real/c.jpg": "val",
        "Testing/fake/d.jpg": "test",
    }
    assert rows.loc[rows["label"] == 1].index.tolist() == ["Testing/fake/d.jpg", "train/fake/b.jpg"]
    assert read_media(root).policy == "given"
    # names that count up are no matter where no random split will be drawn
    touch(root, *(f"train/real/img_{number:03}.jpg" for number in range(9)))
    assert len(by_path(root)) == 13


def test_data_beside_the_folders_of_splits_are_not_left_out_in_silence(tmp_path: Path) -> None:
    root = touch(tmp_path, "train/real/a.jpg", "train/fake/b.jpg", "docs/readme.txt")
    assert len(by_path(root)) == 2
    for odd in ("real/c.jpg", "test/genuine faces/c.jpg"):
        touch(root, odd)
        assert f"{root / odd.split('/')[0]} would be left out" in refusal(root).what
        (root / odd).unlink()
        (root / odd).parent.rmdir()
        if odd.startswith("test"):
            (root / "test").rmdir()


def test_frames_in_folders_of_clips(tmp_path: Path) -> None:
    names = [f"{part}/clip_{clip}/{frame:04}.jpg"
             for part in ("real", "fake") for clip in (1, 2) for frame in (0, 10)]  # fmt: skip
    rows = by_path(touch(tmp_path / "set", *names))
    assert rows["video_id"].nunique() == 4
    assert rows["group_id"].nunique() == 2  # a clip and its fake belong together
    assert rows.loc["fake/clip_2/0010.jpg", "video_id"] == "set/fake/clip_2"
    assert rows.loc["fake/clip_2/0010.jpg", "frame"] == 10
    assert rows["method"].isna().all()


def test_names_of_frames_that_are_no_numbers(tmp_path: Path) -> None:
    rows = by_path(touch(tmp_path, "real/c/face.jpg", f"real/c/{'9' * 30}.jpg", "fake/c/f7.jpg"))
    assert rows["frame"].to_dict() == {
        "fake/c/f7.jpg": 7,
        f"real/c/{'9' * 30}.jpg": 0,
        "real/c/face.jpg": 1,
    }


def test_frames_without_a_number_are_counted_in_the_order_of_their_paths(tmp_path: Path) -> None:
    names = ["f10_b.jpg", "f2_b.jpg", "f2_a.jpg"]
    root = touch(tmp_path, *(f"real/clip/{name}" for name in names), "fake/one/x.jpg")
    rows = by_path(root)
    assert [rows.loc[f"real/clip/{name}", "frame"] for name in names] == [2, 1, 0]
    assert rows.loc["fake/one/x.jpg", "frame"] is pd.NA  # a picture is in no order
    touch(root, "real/clip/0007.jpg")
    rows = by_path(root)
    assert rows.loc["real/clip/0007.jpg", "frame"] == 7  # given ones stay
    assert [rows.loc[f"real/clip/{name}", "frame"] for name in names] == [10, 9, 8]


def test_clips_of_two_methods_with_one_stem_are_two_videos(tmp_path: Path) -> None:
    names = [f"fake/{method}/000_003/{frame}.png"
             for method in ("Deepfakes", "FaceSwap") for frame in range(2)]  # fmt: skip
    rows = by_path(touch(tmp_path / "ff", *names, "real/000/0.png"))
    fakes = rows[rows["label"] == 1]
    assert sorted(fakes["video_id"].unique()) == [
        "ff/fake/Deepfakes/000_003",
        "ff/fake/FaceSwap/000_003",
    ]
    assert sorted(fakes["method"].unique()) == ["Deepfakes", "FaceSwap"]
    assert fakes["group_id"].nunique() == 1
    assert rows.loc["real/000/0.png", "method"] is pd.NA


@pytest.mark.parametrize("name", ["clip1_{:03}", "id0-frame{}", "video 7 f{}", "v.{:05}"])
def test_names_that_look_like_frames_are_refused(tmp_path: Path, name: str) -> None:
    frames = [f"{part}/{name.format(frame)}.jpg" for part in ("real", "fake") for frame in range(4)]
    error = refusal(touch(tmp_path, *frames))
    assert "they look like frames of one clip" in error.what
    assert "--data.group_pattern" in error.next_step


@pytest.mark.parametrize("name", ["person{}", "{:05}", "{}_portrait"])
def test_names_that_count_people_are_not(tmp_path: Path, name: str) -> None:
    pictures = [f"{part}/{name.format(n)}.jpg" for part in ("real", "fake") for n in range(4)]
    assert by_path(touch(tmp_path, *pictures))["group_id"].nunique() == 4


def test_the_group_pattern_names_the_clip(tmp_path: Path) -> None:
    root = touch(tmp_path, *(f"real/{c}_{f}.jpg" for c in "ab" for f in range(3)), "fake/a_9.jpg")
    groups = by_path(root, group_pattern="(.+)_[0-9]+")["group_id"]
    assert groups.nunique() == 2
    assert groups["real/a_0.jpg"] == groups["fake/a_9.jpg"]
    assert by_path(root, group_pattern="(.+)")["group_id"].nunique() == 7


def test_pictures_of_one_group_and_class_are_frames_of_one_item(tmp_path: Path) -> None:
    names = [f"{part}/{clip}_{frame}.jpg"
             for part in ("real", "fake") for clip in "ab" for frame in (2, 10)]  # fmt: skip
    root = touch(tmp_path / "set", *names)
    rows = by_path(root, group_pattern="(.+)_[0-9]+")
    assert rows.groupby("video_id").size().to_dict() == {
        "set/fake/a": 2, "set/fake/b": 2, "set/real/a": 2, "set/real/b": 2,
    }  # fmt: skip
    assert rows.loc["real/b_10.jpg", "frame"] == 10
    assert rows.loc["real/b_2.jpg", "frame"] == 2
    alone = by_path(root, group_pattern="(.+)")
    assert alone["video_id"].nunique() == len(alone) == 8
    assert alone["frame"].isna().all()


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("(.+", "not a regular expression"),
        (".+", "finds no group in 'ann'"),
        ("(bob)", "finds no group in 'ann'"),
        ("(bob)?.+", "finds no group in 'ann'"),
        ("()", "finds no group in 'ann'"),
    ],
)
def test_a_group_pattern_that_finds_nothing(tmp_path: Path, pattern: str, fault: str) -> None:
    root = touch(tmp_path, "real/ann.jpg", "fake/ann.jpg")
    assert fault in refusal(root, group_pattern=pattern).what


def test_videos_are_items_of_their_own(tmp_path: Path) -> None:
    names = ["real/000.mp4", "real/001.mp4", "fake/swap/000_001.MP4", "fake/swap/001_000.mp4"]
    rows = by_path(touch(tmp_path / "set", *names, "fake/a.jpg"))
    assert set(rows.loc[names, "media_type"]) == {"video"}
    assert rows["video_id"].nunique() == 5
    assert rows.loc["fake/swap/000_001.MP4", "video_id"] == "set/fake/swap/000_001"
    assert rows.loc["fake/swap/000_001.MP4", "method"] == "swap"
    assert rows["frame"].isna().all()


def test_a_group_pattern_groups_videos_and_leaves_them_items(tmp_path: Path) -> None:
    root = touch(tmp_path / "set", "real/ann_1.mp4", "real/ann_2.mp4", "fake/ann_7.mp4")
    rows = by_path(root, group_pattern="(.+)_[0-9]+")
    assert rows["group_id"].nunique() == 1
    assert rows["video_id"].nunique() == 3
    assert rows["frame"].isna().all()


def test_media_that_differ_in_suffix_alone_are_two_items(tmp_path: Path) -> None:
    names = ["real/a.mp4", "real/a.avi", "real/b.mp4", "real/b.jpg", "fake/c.mp4"]
    rows = by_path(touch(tmp_path / "set", *names))
    assert rows["video_id"].nunique() == 5
    assert rows.loc["fake/c.mp4", "video_id"] == "set/fake/c"
    assert rows["group_id"].nunique() == 3


def test_media_beside_the_class_folders_have_no_label(tmp_path: Path) -> None:
    rows = by_path(touch(tmp_path, "real/a.mp4", "fake/b.mp4", "c.mp4", "notes.txt"))
    assert rows["label"].isna().to_dict() == {
        "real/a.mp4": False, "fake/b.mp4": False, "c.mp4": True,
    }  # fmt: skip


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    names = ["real/a.jpg", "fake/b.jpg", "real/._a.jpg", "fake/._b.mp4", "real/.thumbs/a.jpg"]
    assert len(by_path(touch(tmp_path, *names, ".cache/x.jpg"))) == 2


def test_a_folder_that_is_neither_real_nor_fake(tmp_path: Path) -> None:
    root = touch(tmp_path, "real/a.jpg", "fake/b.jpg", "authentic/c.jpg")
    error = refusal(root)
    assert error.what == f"{root / 'authentic'} is neither real nor fake"
    assert "original" in error.why


def test_empty_class_folders(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "fake").mkdir()
    assert "hold no pictures" in refusal(tmp_path).what


@pytest.mark.parametrize("there", [True, False])
def test_no_data_names_two_ways_on(tmp_path: Path, there: bool) -> None:
    root = tmp_path / "mlops"
    if there:
        root.mkdir()
    error = refusal(root)
    assert error.what.startswith(f"no data: {root} ")
    assert "deepfake-lightning data demo" in error.next_step
    assert f"{root}/real and {root}/fake" in error.next_step


def test_a_manifest_goes_before_an_index_and_that_before_folders(
    tmp_path: Path, make_rows: Rows
) -> None:
    root = touch(tmp_path, "real/a.jpg", "fake/b.jpg")
    assert len(read_media(root)) == 2
    (root / "index.csv").write_text("path,label\nreal/a.jpg,real\n")
    assert len(read_media(root)) == 1
    write_manifest(Manifest(make_rows(3), root, root), root / "manifest.csv", policy="official")
    assert (len(read_media(root)), read_media(root).policy) == (3, "official")
    # a file that is named is the one that is read, whatever lies beside it
    assert len(read_media(root / "index.csv")) == 1
    assert len(read_media(root / "manifest.csv")) == 3
    write_manifest(Manifest(make_rows(4), root, root), root / "part.parquet", policy="group")
    assert read_media(root / "part.parquet").policy == "group"


@pytest.mark.parametrize(
    "metadata", ['{"a.mp4": {"label": "FAKE"}}', "[]", '{"schema": "x"}', '{"schema": true}', "{"]
)
def test_a_table_beside_foreign_metadata_is_an_index(tmp_path: Path, metadata: str) -> None:
    (tmp_path / "metadata.json").write_text(metadata)
    (tmp_path / "faces.csv").write_text("path,label\na.jpg,real\n")
    manifest = read_media(tmp_path / "faces.csv")
    assert (manifest.rows["label"].tolist(), manifest.policy) == ([0], "none")


def test_a_table_beside_a_manifests_metadata_is_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text('{"schema": 2}')
    (tmp_path / "faces.csv").write_text("path,label\na.jpg,real\n")
    with pytest.raises(TableError, match="schema 2 is newer"):
        read_media(tmp_path / "faces.csv")
