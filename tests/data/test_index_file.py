"""Index files as users write them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from deepfake_lightning.data.layouts import read_media
from deepfake_lightning.errors import LayoutError, TableError


def index(folder: Path, text: str) -> Path:
    path = folder / "index.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_path_and_label_are_enough(tmp_path: Path) -> None:
    text = "path,label\nreal/a.jpg,real\nfake/a.jpg,FAKE \n./b.jpg,0\nc.png,1\nd.jpg,\n"
    manifest = read_media(index(tmp_path, text))
    rows = manifest.rows
    assert rows["label"].tolist() == [0, 1, 0, 1, pd.NA]
    assert rows["path"].tolist()[2] == "b.jpg"
    assert rows["group_id"].nunique() == rows["video_id"].nunique() == 5
    assert rows["video_id"].iloc[0] == f"{tmp_path.name}/real/a"
    assert (manifest.root, manifest.policy) == (tmp_path, "none")


def test_what_else_is_known_is_kept(tmp_path: Path) -> None:
    text = (
        "filename,label,group,split,source_id,method,frame,dataset\n"
        "a.jpg,real,ann,Valid,,,3,ff\n"
        "b.jpg,fake,ann,val,bob,swap,4,ff\n"
    )
    manifest = read_media(index(tmp_path, text))
    rows = manifest.rows
    assert rows["group_id"].tolist() == ["ann", "ann"]
    assert rows["split"].tolist() == ["val", "val"]
    assert rows["source_id"].tolist() == [pd.NA, "bob"]
    assert rows["frame"].tolist() == [3, 4]
    assert rows["method"].tolist() == [pd.NA, "swap"]
    assert rows["dataset"].unique().tolist() == ["ff"]
    assert manifest.policy == "given"


def test_a_parquet_index_with_numbers_for_labels(tmp_path: Path) -> None:
    path = tmp_path / "list.parquet"
    pd.DataFrame({"file": ["a.jpg", "b.jpg"], "label": [0.0, 1.0]}).to_parquet(path)
    assert read_media(path).rows["label"].tolist() == [0, 1]


def test_both_a_name_and_its_synonym(tmp_path: Path) -> None:
    rows = read_media(index(tmp_path, "file,path,label,group,group_id\nx,a.jpg,0,g,h\n")).rows
    assert (rows["path"].iloc[0], rows["group_id"].iloc[0]) == ("a.jpg", "h")


def test_videos_are_told_from_pictures(tmp_path: Path) -> None:
    rows = read_media(index(tmp_path, "path,label\na.jpg,0\nb.mp4,1\n")).rows
    assert rows["media_type"].tolist() == ["image", "video"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,target\na.jpg,0\n", "missing column label"),
        ("name,label\na.jpg,0\n", "missing column path"),
        ("path;label\na.jpg;0\n", "missing column path"),
        ("path,label\na.jpg,0\nb.jpg,genuine\n", "row 3, column label: is 'genuine'"),
        ("path,label\n\na.jpg,2\nb.jpg,3\n", r"row 3, column label: is '2' \(and 1 more rows\)"),
        ("path,label\na.jpg,0\n,1\n", "row 3, column path: is empty"),
        ("path,label\n/srv/a.jpg,0\n", "row 2, column path: .* below the root"),
        ("path,label\n../a.jpg,0\n", "row 2, column path: .* below the root"),
        ("path,label\n..,0\n", "row 2, column path: .* below the root"),
        ("path,label\nreal\\a.jpg,0\n", "row 2, column path: .*back-slashes"),
        ("path,label\na.jpg,0\na.jpg,1\n", "row 3, column path: 'a.jpg' stands in row 2 already"),
        ("path,label,group\na.jpg,0,x\nb.jpg,0,\n", "row 3, column group: is empty"),
        ("path,label,split\na.jpg,0,dev\n", "row 2, column split: is 'dev'"),
        ("path,label,frame\na.jpg,0,first\n", "row 2, column frame: is 'first'"),
    ],
)
def test_a_fault_is_named_by_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    path = index(tmp_path, text)
    with pytest.raises(TableError, match=message) as caught:
        read_media(path)
    assert caught.value.what.startswith(str(path))
    assert caught.value.next_step


FRAMES = "".join(f"{part}/{clip}_{n}.jpg,{part}\n"
                 for part in ("real", "fake") for clip in "ab" for n in (2, 10))  # fmt: skip


def test_names_that_look_like_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="they look like frames of one clip") as caught:
        read_media(index(tmp_path, "path,label\n" + FRAMES))
    assert "column group" in caught.value.next_step
    assert "--data.group_pattern" in caught.value.next_step
    # an empty column of splits means a random split as well
    with pytest.raises(LayoutError, match="they look like frames"):
        read_media(index(tmp_path, "path,label,split\n" + FRAMES.replace("\n", ",\n")))


@pytest.mark.parametrize(("column", "cell"), [("group", "g"), ("split", "train")])
def test_names_are_no_matter_where_the_index_says_more(
    tmp_path: Path, column: str, cell: str
) -> None:
    text = f"path,label,{column}\n" + FRAMES.replace("\n", f",{cell}\n")
    assert len(read_media(index(tmp_path, text)).rows) == 8


def test_the_group_pattern_names_the_clip(tmp_path: Path) -> None:
    path = index(tmp_path, "path,label\n" + FRAMES)
    rows = read_media(path, group_pattern="(.+)_[0-9]+").rows
    assert rows["group_id"].unique().tolist() == [f"{tmp_path.name}/{clip}" for clip in "ab"]
    assert rows.groupby("video_id")["label"].agg(["size", "nunique"]).to_numpy().tolist() == [
        [2, 1],
    ] * 4  # fmt: skip
    assert rows["frame"].tolist() == [2, 10] * 4
    alone = read_media(tmp_path, group_pattern="(.+)").rows
    assert alone["video_id"].nunique() == 8
    assert alone["frame"].isna().all()
    with pytest.raises(LayoutError, match="finds no group in 'a_2'"):
        read_media(path, group_pattern="(clip)")


def test_what_an_index_says_of_items_and_frames_goes_before_the_pattern(tmp_path: Path) -> None:
    text = "path,label,video_id,frame\na_7.jpg,0,v,3\na_8.jpg,0,v,1\n"
    rows = read_media(index(tmp_path, text), group_pattern="(.+)_[0-9]+").rows
    assert rows["video_id"].tolist() == ["v", "v"]
    assert rows["frame"].tolist() == [3, 1]
    assert rows["group_id"].nunique() == 1


def test_frames_without_a_number_are_counted(tmp_path: Path) -> None:
    text = (
        "path,label,video_id,track_id,frame\n"
        "b10.jpg,0,v,0,\nb9.jpg,0,v,0,\na.jpg,0,v,1,\nc.jpg,0,w,,5\nd.jpg,0,w,,\ne.jpg,1,x,,\n"
    )
    rows = read_media(index(tmp_path, text)).rows
    assert rows["frame"].tolist() == [1, 0, pd.NA, 5, 6, pd.NA]


def test_real_face_crops(dfdc_faces: Path) -> None:
    manifest = read_media(dfdc_faces)
    assert manifest.counts()["train"] == {"real": 3150, "fake": 3150}
    assert manifest.rows["group_id"].nunique() == 4500
