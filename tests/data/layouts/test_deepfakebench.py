"""DeepfakeBench's JSON lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from deepfake_lightning.data.layouts import Found, find_layout
from deepfake_lightning.data.splits import check_splits
from deepfake_lightning.errors import LayoutError

Find = Callable[..., Found]
ByPath = Callable[..., pd.DataFrame]
FRAMES = "FaceForensics++/manipulated_sequences/{}/c23/frames/{}"


def clip(folder: str, label: str, *, slash: str = "/", above: str = "") -> dict[str, Any]:
    frames = [f"{above}{folder}/{number:03}.png".replace("/", slash) for number in (0, 14)]
    return {"label": label, "frames": frames, "masks": []}


def write(root: Path, name: str, content: dict[str, Any], *, frames_in: str = "rgb") -> Path:
    """Write a list, and the frames that it names."""
    root.mkdir(parents=True, exist_ok=True)
    (root / f"{name}.json").write_text(json.dumps({name: content}))
    for splits in content.values():
        for clips in splits.values():
            levels = [clips] if "c23" not in clips else clips.values()
            for level in levels:
                for known in level.values():
                    for frame in known["frames"]:
                        tail = frame.replace("\\", "/").split("data/")[-1]
                        path = root / frames_in / tail
                        path.parent.mkdir(parents=True, exist_ok=True)
                        path.touch()
    return root


def faceforensics(**how: str) -> dict[str, Any]:
    real = "FaceForensics++/original_sequences/youtube/c23/frames/000"
    one, other = (FRAMES.format(method, "000_003") for method in ("Deepfakes", "Face2Face"))
    return {
        "FF-real": {"train": {"c23": {"000": clip(real, "FF-real", **how)}}},
        "FF-DF": {"train": {"c23": {"000_003": clip(one, "FF-DF", **how)}}},
        "FF-F2F": {"test": {"c23": {"000_003": clip(other, "FF-F2F", **how)}}},
    }


@pytest.mark.parametrize(
    "how",
    [{}, {"slash": "\\"}, {"above": "/home/anyone/data/"}, {"above": "..\\data\\", "slash": "\\"}],
)
def test_frames_clips_and_people(tmp_path: Path, by_path: ByPath, how: dict[str, str]) -> None:
    root = write(tmp_path / "bench", "FaceForensics++", faceforensics(**how))
    rows = by_path(root, "deepfakebench")
    assert len(rows) == 6
    # the same stem under two methods is two clips, whatever the lists call them
    assert rows["video_id"].nunique() == 3
    fake = rows.loc[FRAMES.format("Face2Face", "000_003") + "/014.png"]
    assert fake["video_id"] == "FaceForensics++/manipulated_sequences/Face2Face/c23/frames/000_003"
    assert fake[["label", "target_id", "source_id", "method", "compression", "frame", "split"]
                ].tolist() == [1, "000", "003", "Face2Face", "c23", 14, "test"]  # fmt: skip
    assert rows["group_id"].unique().tolist() == ["FaceForensics++/000"]


def test_frames_beside_the_lists_and_lists_below(tmp_path: Path, find: Find) -> None:
    write(tmp_path / "preprocessing" / "dataset_json", "FaceForensics++", faceforensics(),
          frames_in="../../datasets/rgb")  # fmt: skip
    found = find(tmp_path, "deepfakebench")
    assert found.manifest.root == (tmp_path / "datasets/rgb").resolve()
    assert found.manifest.policy == "given"
    path = tmp_path / "preprocessing/dataset_json/FaceForensics++.json"
    assert len(find(path, "deepfakebench").manifest) == 6


@pytest.mark.parametrize(
    ("dataset", "names"),
    [("UADFV", ("0000", "0000_fake")), ("DeepFakeDetection", ("01__a_b", "01_02__a_b__ABCDEFGH"))],
)
def test_splits_that_leak_are_told_and_not_used(
    tmp_path: Path, find: Find, dataset: str, names: tuple[str, str]
) -> None:
    content = {
        f"{dataset}_{label}": {split: {name: clip(f"{dataset}/{label}/frames/{name}", label)}
                               for split in ("train", "val", "test")}
        for label, name in zip(("Real", "Fake"), names, strict=True)
    }  # fmt: skip
    found = find(write(tmp_path / "bench", dataset, content), "deepfakebench")
    rows = found.manifest.rows
    assert len(rows) == 4  # each frame once
    assert rows["split"].isna().all()
    assert found.manifest.policy == "none"
    assert found.notes == (f"{dataset}: 2 of 2 clips stand in train and in val or test: its splits "
                           "leak and are not used",)  # fmt: skip
    if dataset == "DeepFakeDetection":
        assert rows["dataset"].unique().tolist() == ["DFD"]
        assert rows["source_id"].dropna().unique().tolist() == ["02"]


def test_a_val_that_equals_test_is_test(tmp_path: Path, find: Find) -> None:
    def celeb(label: str, *stems: str) -> dict[str, Any]:
        folder = "Celeb-real" if label.endswith("real") else "Celeb-synthesis"
        return {stem: clip(f"Celeb-DF-v2/{folder}/frames/{stem}", label) for stem in stems}

    real, fake = "CelebDFv2_real", "CelebDFv2_fake"
    content = {
        real: {"train": celeb(real, "id5_0000"), "val": celeb(real, "id0_0000"),
               "test": celeb(real, "id0_0000")},
        fake: {"train": celeb(fake, "id5_id6_0000"), "val": celeb(fake, "id0_id1_0000"),
               "test": celeb(fake, "id0_id1_0000")},
    }  # fmt: skip
    found = find(write(tmp_path / "bench", "Celeb-DF-v2", content), "deepfakebench")
    assert found.manifest.counts() == {
        "train": {"real": 2, "fake": 2}, "test": {"real": 2, "fake": 2},
    }  # fmt: skip
    assert "2 clips stand in val and in test: they are test" in found.notes[0]
    assert set(found.manifest.rows["source_id"].dropna()) == {"id1", "id6"}
    check_splits(found.manifest)


def test_absent_frames_are_counted(tmp_path: Path, find: Find) -> None:
    root = write(tmp_path / "bench", "FaceForensics++", faceforensics())
    gone = FRAMES.format("Deepfakes", "000_003") + "/014.png"
    (root / "rgb" / gone).unlink()
    found = find(root, "deepfakebench")
    assert dict(found.skipped) == {gone: "a frame that a list names, and that is not there"}
    assert len(found.manifest) == 5


def test_no_frames_at_all(tmp_path: Path, find: Find) -> None:
    root = tmp_path / "bench"
    root.mkdir()
    (root / "a.json").write_text(json.dumps({"FaceForensics++": faceforensics()}))
    with pytest.raises(LayoutError, match=r"none of the frames that .* names are in or beside it"):
        find(root, "deepfakebench")


def test_a_damaged_list(tmp_path: Path, find: Find) -> None:
    root = write(tmp_path / "bench", "FaceForensics++", faceforensics())
    text = (root / "FaceForensics++.json").read_text()
    (root / "FaceForensics++.json").write_text(text[:-9])
    with pytest.raises(LayoutError, match="is no list of DeepfakeBench"):
        find(root, "deepfakebench")


def test_other_json_is_not_recognised(tmp_path: Path) -> None:
    for text in ("[]", "{}", '{"a": {"b": {"train": 1}}}', "nonsense"):
        (tmp_path / "a.json").write_text(text)
        assert find_layout(tmp_path) is None
        assert find_layout(tmp_path / "a.json") is None
