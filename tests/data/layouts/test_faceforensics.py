"""FaceForensics++ and DFD, which share a tree."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfake_lightning.data.layouts import Found, dfd, faceforensics, find_layout, read_media
from deepfake_lightning.data.splits import check_splits
from deepfake_lightning.errors import LayoutError

Plant = Callable[..., Path]
Find = Callable[..., Found]
ByPath = Callable[..., pd.DataFrame]
METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
REAL = "original_sequences/youtube/{}/videos/{}.mp4"
FAKE = "manipulated_sequences/{}/{}/videos/{}.mp4"
ACTOR = "original_sequences/actors/c23/videos/{}.mp4"
DFD_FAKE = "manipulated_sequences/DeepFakeDetection/c23/videos/{}.mp4"


def test_one_stem_under_five_methods_is_five_videos(
    tmp_path: Path, plant: Plant, by_path: ByPath
) -> None:
    names = [FAKE.format(method, "c23", "000_003") for method in METHODS]
    rows = by_path(plant(tmp_path, REAL.format("c23", "000"), *names), "faceforensics")
    fakes = rows.loc[names]
    assert fakes["method"].tolist() == list(METHODS)
    assert fakes["video_id"].nunique() == 5
    assert fakes["video_id"].iloc[0] == f"FaceForensics++/{names[0][:-4]}"
    assert rows["group_id"].unique().tolist() == ["FaceForensics++/000"]
    assert set(zip(fakes["target_id"], fakes["source_id"], strict=True)) == {("000", "003")}
    real = rows.loc[REAL.format("c23", "000")]
    assert (real["label"], real["target_id"], real["source_id"]) == (0, "000", None)
    assert (real["dataset"], real["licence"]) == ("FaceForensics++", faceforensics.LICENCE)


def test_compressions(tmp_path: Path, plant: Plant, find: Find) -> None:
    levels = {"raw": "raw", "c0": "raw", "c23": "c23", "c40": "c40"}
    root = plant(tmp_path, *(REAL.format(level, "000") for level in [*levels, "c99"]))
    found = find(root, "faceforensics")
    rows = found.manifest.rows.set_index("path")["compression"]
    assert rows.to_dict() == {REAL.format(level, "000"): name for level, name in levels.items()}
    ((name, reason),) = found.skipped.items()
    assert name == REAL.format("c99", "000")
    assert "c99, which is none of the compressions" in reason


def test_masks_are_no_media(tmp_path: Path, plant: Plant, find: Find) -> None:
    masks = [FAKE.format("Deepfakes", "masks", "000_003"),
             "manipulated_sequences/Deepfakes/masks/images/000_003/0.png"]  # fmt: skip
    root = plant(tmp_path, REAL.format("c23", "000"), FAKE.format("Deepfakes", "c23", "000_003"))
    found = find(plant(root, *masks), "faceforensics")
    assert len(found.manifest) == 2
    assert dict(found.skipped) == dict.fromkeys(masks, "a mask")


def test_frames_are_items_of_their_clip(tmp_path: Path, plant: Plant, by_path: ByPath) -> None:
    clip = "manipulated_sequences/FaceSwap/c23/images/000_003"
    rows = by_path(plant(tmp_path, f"{clip}/0000.png", f"{clip}/0010.png"), "faceforensics")
    assert rows["video_id"].unique().tolist() == [f"FaceForensics++/{clip}"]
    assert rows["frame"].tolist() == [0, 10]
    assert rows["target_id"].tolist() == ["000", "000"]


def test_frames_of_a_clip_that_is_there_are_not_counted_twice(
    tmp_path: Path, plant: Plant, find: Find
) -> None:
    level = "original_sequences/youtube/c23"
    pictures = ("images/000/0.png", "images/001/0.png", "faces/001/0.png", "x.png")
    root = plant(tmp_path, REAL.format("c23", "000"), *(f"{level}/{name}" for name in pictures))
    found = find(root, "faceforensics")
    paths = found.manifest.rows["path"].tolist()
    assert sorted(paths) == [f"{level}/faces/001/0.png", f"{level}/videos/000.mp4"]
    assert {name.removeprefix(f"{level}/") for name in found.skipped} == {
        "images/000/0.png", "images/001/0.png", "x.png",
    }  # fmt: skip


def test_odd_names_and_hidden_files(tmp_path: Path, plant: Plant, find: Find) -> None:
    odd = [REAL.format("c23", "000_003"), REAL.format("c23", "trailer"),
           FAKE.format("FaceSwap", "c23", "000")]  # fmt: skip
    root = plant(tmp_path, REAL.format("c23", "007"), *odd, REAL.format("c23", "._007"))
    found = find(root, "faceforensics")
    assert found.manifest.rows["path"].tolist() == [REAL.format("c23", "007")]
    assert sorted(found.skipped) == sorted(odd)


def write_lists(folder: Path, **splits: list[list[str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, pairs in splits.items():
        (folder / f"{name}.json").write_text(json.dumps(pairs))


@pytest.mark.parametrize("place", ["splits", ".", "elsewhere"])
def test_official_splits(tmp_path: Path, plant: Plant, find: Find, place: str) -> None:
    root = tmp_path / "set"
    clips = ["000", "003", "100", "200", "201", "900"]
    fakes = ["000_003", "003_000", "200_201", "000_201"]
    plant(root, *(REAL.format("c23", clip) for clip in clips))
    plant(root, *(FAKE.format("Deepfakes", "c23", clip) for clip in fakes))
    folder = tmp_path / place if place == "elsewhere" else root / place
    lists = {"train": [["003", "000"]], "val": [["100", "101"]], "test": [["200", "201"]]}
    write_lists(folder, **lists)
    found = find(root, "faceforensics", splits=folder if place == "elsewhere" else None)
    rows = found.manifest.rows
    splits = dict(zip(rows["path"].map(lambda path: Path(path).stem), rows["split"], strict=True))
    # both swaps of a pair, and its clips; a pair of no list and a clip of none have no split
    assert splits == {
        "000": "train", "003": "train", "000_003": "train", "003_000": "train", "100": "val",
        "200": "test", "201": "test", "200_201": "test", "900": pd.NA, "000_201": pd.NA,
    }  # fmt: skip
    assert found.manifest.policy == "official"
    assert any("2 files of FaceForensics++ are in no official split" in n for n in found.notes)


def test_the_official_splits_share_no_clip(tmp_path: Path, plant: Plant, find: Find) -> None:
    root = plant(tmp_path, *(REAL.format("c23", f"{n:03}") for n in range(8)))
    plant(root, *(FAKE.format("FaceSwap", "c23", f"{n:03}_{n ^ 1:03}") for n in range(8)))
    write_lists(root / "splits", train=[["000", "001"], ["003", "002"]], val=[["004", "005"]],
                test=[["007", "006"]])  # fmt: skip
    manifest = find(root, "faceforensics").manifest
    check_splits(manifest.with_rows(manifest.rows, "given"))
    assert manifest.counts()["train"] == {"real": 4, "fake": 4}


@pytest.mark.parametrize(
    ("lists", "fault"),
    [
        ({"train": [["000", "001"]], "test": [["001", "002"]]}, "clip 001 stands in train, too"),
        ({"train": ["000"]}, "no list of pairs"),
        ({"val": [["000", "001", "002"]]}, "no list of pairs"),
    ],
)
def test_damaged_split_files(
    tmp_path: Path, plant: Plant, lists: dict[str, list[list[str]]], fault: str
) -> None:
    root = plant(tmp_path, REAL.format("c23", "000"))
    write_lists(root / "splits", **lists)
    with pytest.raises(LayoutError, match=fault) as caught:
        read_media(root)
    assert caught.value.next_step


def test_a_folder_of_splits_without_any(tmp_path: Path, plant: Plant, find: Find) -> None:
    root = plant(tmp_path / "set", REAL.format("c23", "000"))
    with pytest.raises(LayoutError, match=r"holds no train\.json"):
        find(root, "faceforensics", splits=tmp_path)


def test_a_method_of_others(tmp_path: Path, plant: Plant, find: Find) -> None:
    root = plant(tmp_path, REAL.format("c23", "000"), FAKE.format("MyMethod", "c23", "000_003"))
    found = find(root, "faceforensics")
    assert found.manifest.rows["method"].dropna().tolist() == ["MyMethod"]
    assert found.notes == ("MyMethod: not of FaceForensics++ itself, read by the same rules",)


def test_dfd_names_its_people(tmp_path: Path, plant: Plant, by_path: ByPath) -> None:
    fake = DFD_FAKE.format("01_27__outside_talking_still_laughing__ATMG6ZPF")
    real = ACTOR.format("01__outside_talking_still_laughing")
    rows = by_path(plant(tmp_path, fake, real), "dfd")
    assert rows["dataset"].unique().tolist() == ["DFD"]
    assert rows["group_id"].unique().tolist() == ["DFD/01"]
    assert (rows.loc[fake, "target_id"], rows.loc[fake, "source_id"]) == ("01", "27")
    assert (rows.loc[real, "target_id"], rows.loc[real, "source_id"]) == ("01", None)
    assert rows.loc[fake, ["method", "compression"]].tolist() == ["DeepFakeDetection", "c23"]
    assert rows["split"].isna().all()


def test_dfd_in_the_tree_of_faceforensics(tmp_path: Path, plant: Plant, find: Find) -> None:
    root = plant(tmp_path, REAL.format("c23", "001"), FAKE.format("FaceSwap", "c23", "001_002"),
                 ACTOR.format("01__x_y"), DFD_FAKE.format("01_02__x_y__ABCDEFGH"))  # fmt: skip
    write_lists(root / "splits", test=[["001", "002"]])
    found = find(root, "faceforensics")
    rows = found.manifest.rows
    assert rows.groupby("dataset").size().to_dict() == {"DFD": 2, "FaceForensics++": 2}
    assert rows.loc[rows["dataset"] == "DFD", "split"].isna().all()
    assert "2 files of DFD are in no official split" in found.notes


@given(st.integers(0, 999), st.integers(0, 999))
def test_stems_of_faceforensics(target: int, source: int) -> None:
    one, other = f"{target:03}", f"{source:03}"
    assert faceforensics.parse_name(f"{one}_{other}") == (one, other)
    assert faceforensics.parse_name(one) == (one, None)


SCENE = st.from_regex(r"[a-z]+(_[a-z]+){0,4}", fullmatch=True)


@given(st.integers(1, 28), st.integers(1, 28), SCENE, st.from_regex(r"[A-Z0-9]{8}", fullmatch=True))
def test_stems_of_dfd(target: int, source: int, scene: str, code: str) -> None:
    one, other = f"{target:02}", f"{source:02}"
    assert dfd.parse_name(f"{one}_{other}__{scene}__{code}") == (one, other)
    assert dfd.parse_name(f"{one}__{scene}") == (one, None)


@given(st.text())
def test_any_stem_is_parsed_or_refused(stem: str) -> None:
    for parse in (faceforensics.parse_name, dfd.parse_name):
        found = parse(stem)
        assert found is None or stem.startswith(found[0])


def test_real_clips(shared: Callable[[str], Path], find: Find) -> None:
    found = find(shared("ffpp"), "faceforensics")
    rows = found.manifest.rows
    assert found.manifest.counts() == {"unsplit": {"real": 3, "fake": 4}}
    assert sorted(rows["method"].dropna()) == sorted(METHODS[:4])
    assert rows.loc[rows["label"] == 1, "source_id"].notna().all()
    assert found.skipped == {}


def test_a_tree_of_other_folders_is_not_recognised(tmp_path: Path, plant: Plant) -> None:
    assert find_layout(plant(tmp_path, "original_sequences/readme.txt", "a/b.mp4")) is None
