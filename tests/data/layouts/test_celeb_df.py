"""Celeb-DF v1, v2 and ++."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfake_lightning.data.layouts import Found, celeb_df
from deepfake_lightning.errors import LayoutError

Plant = Callable[..., Path]
Find = Callable[..., Found]
ByPath = Callable[..., pd.DataFrame]
NAMES = ("Celeb-real/id0_0000.mp4", "Celeb-real/id16_0003.mp4", "YouTube-real/00170.mp4",
         "Celeb-synthesis/id0_id16_0000.mp4", "Celeb-synthesis/id16_id0_0003.mp4")  # fmt: skip
LIST = "1 YouTube-real/00170.mp4\n0 Celeb-synthesis/id0_id16_0000.mp4\n"


def listed(root: Path, text: str = LIST) -> Path:
    root.mkdir(exist_ok=True)
    (root / celeb_df.TEST_LIST).write_text(text, encoding="utf-8")
    return root


def test_people(tmp_path: Path, plant: Plant, by_path: ByPath) -> None:
    rows = by_path(plant(tmp_path / "Celeb-DF-v2", *NAMES), "celeb_df")
    assert rows["label"].tolist() == [0, 0, 1, 1, 0]
    fake = rows.loc["Celeb-synthesis/id0_id16_0000.mp4"]
    assert (fake["target_id"], fake["source_id"]) == ("id0", "id16")
    assert fake["group_id"] == rows.loc["Celeb-real/id0_0000.mp4", "group_id"]
    assert fake["video_id"] == "Celeb-DF-v2/Celeb-synthesis/id0_id16_0000"
    assert fake["method"] == "Celeb-synthesis"
    assert rows.loc["YouTube-real/00170.mp4", "target_id"] == "YouTube-real/00170"
    assert rows["licence"].unique().tolist() == ["Celeb-DF Terms of Use"]


@pytest.mark.parametrize("youtube", ["YouTube-real", "Youtube-real"])
@pytest.mark.parametrize("level", ["", "videos/"])
def test_the_test_list_is_read_whole_and_one_is_real(
    tmp_path: Path, plant: Plant, find: Find, youtube: str, level: str
) -> None:
    names = [f"{folder}/{level}{name}".replace("YouTube-real", youtube)
             for folder, name in (name.split("/") for name in NAMES)]  # fmt: skip
    found = find(plant(listed(tmp_path / "Celeb-DF-v2"), *names), "celeb_df")
    rows = found.manifest.rows
    test = rows[rows["split"] == "test"]
    # the first line is a clip, and no header
    stems = test["path"].map(lambda path: Path(path).stem)
    assert dict(zip(stems, test["label"], strict=True)) == {"00170": 0, "id0_id16_0000": 1}
    assert rows.loc[rows["split"] != "test", "split"].isna().all()  # never train by itself
    assert found.manifest.policy == "official"
    assert found.skipped == {}
    assert "2 of the 2 clips" in found.notes[1]


def test_byte_order_marks_back_slashes_and_blank_lines(
    tmp_path: Path, plant: Plant, find: Find
) -> None:
    root = plant(listed(tmp_path / "set", "\ufeff1 YouTube-real\\00170.mp4\r\n\r\n"), *NAMES)
    rows = find(root, "celeb_df").manifest.rows
    assert rows.loc[rows["split"] == "test", "path"].tolist() == ["YouTube-real/00170.mp4"]


def test_listed_clips_that_are_not_there(tmp_path: Path, plant: Plant, find: Find) -> None:
    root = plant(listed(tmp_path / "set", LIST + "0 Celeb-synthesis/id1_id2_0000.mp4\n"), *NAMES)
    ((name, reason),) = find(root, "celeb_df").skipped.items()
    assert name == "Celeb-synthesis/id1_id2_0000.mp4"
    assert "not there" in reason


def test_labels_the_other_way_round_are_refused(tmp_path: Path, plant: Plant, find: Find) -> None:
    root = plant(listed(tmp_path / "set", "0 YouTube-real/00170.mp4\n"), *NAMES)
    with pytest.raises(LayoutError, match="says fake of YouTube-real/00170") as caught:
        find(root, "celeb_df")
    assert "1 is real" in caught.value.why


@pytest.mark.parametrize("line", ["label path", "2 YouTube-real/00170.mp4", "YouTube-real/1.mp4"])
def test_a_damaged_list(tmp_path: Path, plant: Plant, find: Find, line: str) -> None:
    root = plant(listed(tmp_path / "set", f"{LIST}{line}\n"), *NAMES)
    with pytest.raises(LayoutError, match="line 3"):
        find(root, "celeb_df")


def test_a_list_from_elsewhere(tmp_path: Path, plant: Plant, find: Find) -> None:
    root = plant(tmp_path / "set", *NAMES)
    assert find(root, "celeb_df").manifest.policy == "none"
    listed(tmp_path / "lists")
    assert find(root, "celeb_df", splits=tmp_path / "lists").manifest.policy == "official"
    with pytest.raises(LayoutError, match="does not exist"):
        find(root, "celeb_df", splits=tmp_path)


def test_versions(tmp_path: Path, plant: Plant, find: Find) -> None:
    def version(name: str, *more: str) -> str:
        found = find(plant(tmp_path / name, *NAMES, *more), "celeb_df")
        (dataset,) = found.manifest.rows["dataset"].unique()
        assert found.notes[0] == f"taken for {dataset}"
        return str(dataset)

    assert version("Celeb-DF") == "Celeb-DF"
    assert version("Celeb-DF-v1") == "Celeb-DF-v1"
    assert version("celebdf_v2") == "Celeb-DF-v2"
    assert version("archive2") == "Celeb-DF"
    assert version("new", "Celeb-synthesis/FaceSwap/SimSwap/id0_id1_0.mp4") == "Celeb-DF++"
    lines = "".join(f"0 Celeb-synthesis/id1_id2_{n:04}.mp4\n" for n in range(518))
    listed(tmp_path / "mine", lines)
    assert version("mine") == "Celeb-DF-v2"


def test_methods_of_plus_plus_are_told_apart(tmp_path: Path, plant: Plant, by_path: ByPath) -> None:
    methods = ("FaceSwap/SimSwap", "FaceSwap/Blend", "TalkingFace/videos")
    fakes = [f"Celeb-synthesis/{method}/id0_id1_0000.mp4" for method in methods]
    talking = "Celeb-synthesis/TalkingFace/id0_0000.mp4"
    root = listed(tmp_path / "Celeb-DF++", f"0 {fakes[0]}\n")
    rows = by_path(plant(root, *NAMES[:3], *fakes, talking), "celeb_df")
    assert rows.loc[fakes, "method"].tolist() == [
        "FaceSwap/SimSwap",
        "FaceSwap/Blend",
        "TalkingFace",
    ]
    assert rows.loc[fakes, "video_id"].nunique() == 3
    assert rows.loc[fakes, "split"].tolist() == ["test", None, None]
    assert (rows.loc[talking, "target_id"], rows.loc[talking, "source_id"]) == ("id0", None)


def test_a_fake_whose_donor_cannot_be_told_is_skipped(
    tmp_path: Path, plant: Plant, find: Find
) -> None:
    odd = ["Celeb-synthesis/id0_0000.mp4", "Celeb-synthesis/clip.mp4", "Celeb-real/clip.mp4"]
    found = find(plant(tmp_path, *NAMES, *odd), "celeb_df")
    assert sorted(found.skipped) == sorted(odd)
    assert len(found.manifest) == len(NAMES)


def test_frames(tmp_path: Path, plant: Plant, by_path: ByPath) -> None:
    clip = "Celeb-synthesis/frames/id0_id16_0000"
    root = listed(tmp_path / "Celeb-DF-v2")
    rows = by_path(plant(root, f"{clip}/000.png", f"{clip}/012.png"), "celeb_df")
    assert rows["video_id"].unique().tolist() == [f"Celeb-DF-v2/{clip}"]
    assert rows["split"].unique().tolist() == ["test"]
    assert rows["frame"].tolist() == [0, 12]


@given(st.integers(0, 61), st.integers(0, 61), st.integers(0, 9999))
def test_stems(target: int, source: int, recording: int) -> None:
    one, other = f"id{target}", f"id{source}"
    assert celeb_df.parse_name(f"{one}_{other}_{recording:04}") == (one, other)
    assert celeb_df.parse_name(f"{one}_{recording:04}") == (one, None)


@given(st.text())
def test_any_stem_is_parsed_or_refused(stem: str) -> None:
    found = celeb_df.parse_name(stem)
    assert found is None or stem.startswith(found[0])
