"""DFDC and its preview."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfake_lightning.data.layouts import Found, find_layout
from deepfake_lightning.data.layouts.dfdc import read_list
from deepfake_lightning.data.splits import identity_groups
from deepfake_lightning.errors import LayoutError

Plant = Callable[..., Path]
Find = Callable[..., Found]
ByPath = Callable[..., pd.DataFrame]


def fake(original: str | None = None) -> dict[str, str]:
    known = {"label": "FAKE", "split": "train"}
    return known if original is None else {**known, "original": original}


REAL = {"label": "REAL", "split": "train"}


def part(folder: Path, entries: dict[str, Any], there: list[str] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metadata.json").write_text(json.dumps(entries))
    for name in there if there is not None else entries:
        (folder / name).touch()
    return folder


def test_absent_originals_name_the_group(tmp_path: Path, by_path: ByPath, find: Find) -> None:
    entries = {
        "a.mp4": fake("o.mp4"),
        "b.mp4": fake("o.mp4"),
        "c.mp4": fake("p.mp4"),
        "p.mp4": REAL,
    }
    root = part(tmp_path / "dfdc_train_part_3", entries)
    rows = by_path(root, "dfdc")
    assert rows["label"].to_dict() == {"a.mp4": 1, "b.mp4": 1, "c.mp4": 1, "p.mp4": 0}
    assert rows["group_id"].to_dict() == {
        "a.mp4": "DFDC/o", "b.mp4": "DFDC/o", "c.mp4": "DFDC/p", "p.mp4": "DFDC/p",
    }  # fmt: skip
    assert rows["target_id"].to_dict() == {"a.mp4": "o", "b.mp4": "o", "c.mp4": "p", "p.mp4": "p"}
    assert rows["split"].isna().all()  # 'train' of every clip is no split
    assert find(root, "dfdc").manifest.policy == "none"


def test_an_original_in_another_part(tmp_path: Path, find: Find) -> None:
    part(tmp_path / "dfdc_train_part_0", {"a.mp4": fake("o.mp4")})
    part(tmp_path / "dfdc_train_part_1", {"o.mp4": REAL, "q.mp4": fake("x.mp4")})
    rows = find(tmp_path, "dfdc").manifest.rows
    assert rows["path"].tolist()[0] == "dfdc_train_part_0/a.mp4"
    assert rows["video_id"].tolist()[0] == "DFDC/dfdc_train_part_0/a"
    groups = identity_groups(rows)
    assert groups[0] == groups[1] != groups[2]


def test_what_is_named_and_not_there_and_the_reverse(tmp_path: Path, find: Find) -> None:
    part(tmp_path, {"a.mp4": fake("o.mp4"), "b.mp4": REAL}, ["a.mp4", "z.mp4"])
    found = find(tmp_path, "dfdc")
    assert found.manifest.rows["path"].tolist() == ["a.mp4"]
    assert "not there" in found.skipped["b.mp4"]
    assert "not named" in found.skipped["z.mp4"]


def test_fakes_without_an_original_are_told(tmp_path: Path, find: Find) -> None:
    found = find(part(tmp_path, {"a.mp4": fake(), "b.mp4": fake("a.mp4"), "r.mp4": REAL}), "dfdc")
    assert found.notes == ("1 fakes name no original: each is a group of its own",)


def labels(folder: Path, **clips: int) -> None:
    folder.mkdir(parents=True)
    lines = "".join(f"{name}.mp4,{label}\n" for name, label in clips.items())
    (folder / "labels.csv").write_text(f"filename,label\n{lines}")
    for name in clips:
        (folder / f"{name}.mp4").touch()


@pytest.mark.parametrize("above", ["", "train"])
def test_validation_and_test_sets(tmp_path: Path, find: Find, above: str) -> None:
    root = tmp_path / "DFDC"
    part(root / above / "dfdc_train_part_0", {"a.mp4": fake("o.mp4"), "o.mp4": REAL})
    labels(root / "validation", aaaaaaaaaa=1, bbbbbbbbbb=0)
    real = {"augmentations": {"x": {"y": 1}}, "cluster": 3, "is_fake": 0, "split": "test"}
    part(root / "test", {"cccccccccc.mp4": real, "dddddddddd.mp4": {**real, "is_fake": 1}})
    found = find(root, "dfdc")
    assert found.manifest.counts() == {
        "train": {"fake": 1, "real": 1}, "val": {"fake": 1, "real": 1},
        "test": {"fake": 1, "real": 1},
    }  # fmt: skip
    assert found.manifest.policy == "official"
    assert found.manifest.rows["group_id"].nunique() == 5


def test_labels_go_before_the_metadata_of_a_test_set(tmp_path: Path, find: Find) -> None:
    labels(tmp_path / "test", aaaaaaaaaa=1)
    part(tmp_path / "test", {"aaaaaaaaaa.mp4": {"is_fake": 1}})
    assert find(tmp_path / "test", "dfdc").manifest.counts() == {"test": {"fake": 1}}


def test_foreign_files_of_those_names_are_not_dfdc(tmp_path: Path, plant: Plant) -> None:
    files = {
        "one/labels.csv": "filename,label\ncat.jpg,1\n",
        "two/metadata.json": '{"schema": 1, "root": "."}',
        "three/metadata.json": "[",
        "four/metadata.json": '{"a.mp4": {}}',
    }
    for name, text in files.items():
        (plant(tmp_path, name) / name).write_text(text)
        assert find_layout((tmp_path / name).parent) is None
    # nor is a folder with DFDC somewhere below it
    part(tmp_path / "other" / "dfdc" / "dfdc_train_part_0", {"a.mp4": REAL})
    assert find_layout(tmp_path / "other") is None


def test_a_damaged_list(tmp_path: Path, find: Find) -> None:
    text = '{"a.mp4": {"label": "FAKE"}, "b.mp4": {"label": "MAYBE"}}'
    (tmp_path / "metadata.json").write_text(text)
    with pytest.raises(LayoutError, match=r"metadata\.json is damaged: KeyError: 'MAYBE'"):
        find(tmp_path, "dfdc")
    (tmp_path / "metadata.json").write_text(text[:40])
    with pytest.raises(LayoutError, match="is damaged: JSONDecodeError"):
        find(tmp_path, "dfdc")


def test_no_clip_is_there(tmp_path: Path, find: Find) -> None:
    with pytest.raises(LayoutError, match="none of its media are there") as caught:
        find(part(tmp_path, {"a.mp4": REAL}, []), "dfdc")
    assert "not there" in caught.value.why


CLIPS = st.from_regex(r"[a-z]{10}\.mp4", fullmatch=True)


@given(st.dictionaries(CLIPS, st.one_of(st.none(), CLIPS), min_size=1))
def test_every_entry_is_read(
    tmp_path_factory: pytest.TempPathFactory, originals: dict[str, str | None]
) -> None:
    path = tmp_path_factory.mktemp("list") / "metadata.json"
    entries = {name: fake(other) if other else REAL for name, other in originals.items()}
    path.write_text(json.dumps(entries))
    found = read_list(path)
    assert {name: entry.original for name, entry in found.items()} == {
        name: other and other.removesuffix(".mp4") for name, other in originals.items()
    }


def test_real_parts(shared: Callable[[str], Path], find: Find) -> None:
    found = find(shared("dfdc"), "dfdc")
    assert found.manifest.counts() == {"unsplit": {"fake": 3}}
    assert found.manifest.rows["group_id"].nunique() == 3
    assert list(found.skipped) == ["dfdc_train_part_0/awnfpubqmo.mp4"]


PREVIEW = {
    "original_videos/64/64_A_001.mp4":
        {"label": "real", "set": "train", "target_id": 64, "swapped_id": None},
    "original_videos/65/65_B_001.mp4": {"label": "real", "set": "test", "target_id": 65},
    "method_A/64_65/64_65_A_001.mp4":
        {"label": "fake", "set": "train", "target_id": 64, "swapped_id": 65},
    "method_B/65_64/65_64_B_001.mp4":
        {"label": "fake", "set": "test", "target_id": 65, "swapped_id": 64},
}  # fmt: skip


def test_the_preview_names_people_sets_and_methods(
    tmp_path: Path, plant: Plant, by_path: ByPath, find: Find
) -> None:
    absent = {"method_A/1_2/1_2.mp4": {"label": "fake", "set": "test", "target_id": 1}}
    root = plant(tmp_path, *PREVIEW, "method_A/stray.mp4")
    (root / "dataset.json").write_text(json.dumps({**PREVIEW, **absent}))
    rows = by_path(root, "dfdc_preview")
    one = rows.loc["method_A/64_65/64_65_A_001.mp4"]
    assert one[["label", "target_id", "source_id", "method", "split", "group_id"]].tolist() == [
        1, "64", "65", "method_A", "train", "DFDC-preview/64",
    ]  # fmt: skip
    real = rows.loc["original_videos/64/64_A_001.mp4"]
    assert real[["label", "target_id", "source_id", "method"]].tolist() == [0, "64", None, None]
    found = find(root, "dfdc_preview")
    assert found.manifest.policy == "official"
    assert set(found.skipped) == {"method_A/stray.mp4", "method_A/1_2/1_2.mp4"}


@pytest.mark.parametrize(
    ("field", "value"), [("label", "maybe"), ("set", "holdout"), ("label", None)]
)
def test_a_damaged_list_of_the_preview(
    tmp_path: Path, plant: Plant, find: Find, field: str, value: str | None
) -> None:
    root = plant(tmp_path, *PREVIEW)
    last = list(PREVIEW)[-1]
    (root / "dataset.json").write_text(
        json.dumps({**PREVIEW, last: {**PREVIEW[last], field: value}})
    )
    with pytest.raises(LayoutError, match=r"dataset.json is damaged"):
        find(root, "dfdc_preview")
