"""Media of which nothing is known but where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfake_lightning.data.layouts.unlabelled import unlabelled
from deepfake_lightning.schemas import read_manifest, write_manifest


def test_each_is_an_item_and_a_group_of_its_own(tmp_path: Path) -> None:
    root = tmp_path / "holiday"
    media = [root / "a.jpg", root / "a.mp4", root / "beach/a.jpg"]
    rows = unlabelled(root, media).rows
    assert rows["path"].tolist() == ["a.jpg", "a.mp4", "beach/a.jpg"]
    assert rows["media_type"].tolist() == ["image", "video", "image"]
    assert rows["video_id"].tolist() == [f"holiday/{name}" for name in rows["path"]]
    assert rows["group_id"].tolist() == rows["video_id"].tolist()
    assert set(rows["dataset"]) == {"holiday"}
    assert rows["label"].isna().all()


def test_what_is_returned_is_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    made = unlabelled(tmp_path / "set", [tmp_path / "set/a.jpg", tmp_path / "set/b.MOV"])
    write_manifest(made, tmp_path / "set/manifest.parquet")
    again = read_manifest(tmp_path / "set/manifest.parquet")
    assert again.rows.astype(object).equals(made.rows[list(again.rows)].astype(object))


def test_files_of_anywhere_belong_to_no_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    manifest = unlabelled(None, [Path("a.jpg"), tmp_path / "a.jpg"])
    assert manifest.rows["dataset"].isna().all()
    assert manifest.rows["video_id"].tolist() == ["a.jpg", str(tmp_path / "a.jpg")]
    assert (manifest.root / manifest.rows["path"][1]) == tmp_path / "a.jpg"


def test_without_a_suffix_the_first_bytes_tell(tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(b"\xff\xd8\xff\xe0" + bytes(20))
    (tmp_path / "other").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(20))
    rows = unlabelled(None, [tmp_path / "picture", tmp_path / "other"]).rows
    assert rows["media_type"].tolist() == ["image", "video"]


def test_the_root_of_the_disk_has_no_name() -> None:
    assert unlabelled(Path("/"), [Path("/a.jpg")]).rows["video_id"].tolist() == ["media/a.jpg"]


def test_nothing(tmp_path: Path) -> None:
    assert len(unlabelled(tmp_path, [])) == 0
