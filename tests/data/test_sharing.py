"""Data sets in an object storage."""

from __future__ import annotations

import json
import uuid

import pandas as pd
import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.data.layouts import read_media
from deepfake_lightning.data.sharing import MARK, pull_data, push_data
from deepfake_lightning.errors import DataError
from deepfake_lightning.object_storage import FileList, Item, open_place, push
from deepfake_lightning.object_storage.file_list import item_of
from deepfake_lightning.schemas import read_manifest, write_manifest


@pytest.fixture
def url():
    return f"memory://{uuid.uuid4().hex}/faces"


def columns(manifest):
    return manifest.rows.drop(columns=["path"]).astype("string").fillna("").to_numpy().tolist()


def test_plain_folders_become_a_data_set(make_faces, tmp_path, url):
    root = make_faces(tmp_path / "faces", people=5)
    (root / "notes.txt").write_text("not of the data")
    made = push_data(root, url)
    assert len(made.files.items) == 12  # pictures, manifest and its metadata
    there = pull_data(url, tmp_path / "there")
    assert there.manifest.content_hash() == read_media(root).content_hash()
    for name in there.manifest.rows["path"]:
        assert (tmp_path / "there" / name).read_bytes() == (root / name).read_bytes()
    assert not (tmp_path / "there" / "notes.txt").exists()
    assert push_data(tmp_path / "there", f"{url}2").files == made.files  # and from there on


def test_a_manifest_keeps_all_that_it_says(make_faces, tmp_path, url):
    """Splits, seed, parent and failed media; its media may lie elsewhere."""
    root = make_faces(tmp_path / "faces", people=5)
    manifest = read_media(root)
    rows = manifest.rows.assign(split="train", status="ok")
    lost = {**rows.iloc[0].to_dict(), "path": "real/lost.mp4", "status": "no_face", "video_id": "x"}
    manifest = manifest.with_rows(pd.concat([rows, pd.DataFrame([lost])]), "group")
    path = tmp_path / "split" / "mine.parquet"
    write_manifest(manifest, path, split_seed=7, parent="ab" * 32)
    push_data(path, url)
    found = pull_data(url, tmp_path / "there").manifest
    assert found.content_hash() == read_manifest(path).content_hash()
    assert (len(found), found.policy) == (11, "group")
    record = json.loads((tmp_path / "there" / "metadata.json").read_text())
    assert (record["root"], record["split_seed"], record["parent"]) == (".", 7, "ab" * 32)


def test_a_row_without_its_file_stops_the_push(make_faces, tmp_path, url):
    root = make_faces(tmp_path / "faces", people=5)
    manifest = read_media(root)
    write_manifest(manifest, root / "manifest.parquet")
    (root / "real" / "person3.jpg").unlink()
    with pytest.raises(DataError, match=r"person3.jpg cannot be read"):
        push_data(root, url)


def test_a_manifest_that_leads_out_of_its_folder_is_refused(make_faces, tmp_path, url):
    root = make_faces(tmp_path / "faces", people=5)
    write_manifest(read_media(root), root / "manifest.parquet")
    metadata = root / "metadata.json"
    metadata.write_text(metadata.read_text().replace('"root": "."', '"root": "/etc"'))
    items = [item_of(path, path.relative_to(root).as_posix())
             for path in root.rglob("*") if path.is_file()]  # fmt: skip
    push(open_place(url), MARK, FileList.of("data", "", items), lambda one: root / one.path)
    with pytest.raises(DataError, match="no manifest of its own files"):
        pull_data(url, tmp_path / "there")
    metadata.write_text(metadata.read_text().replace("/etc", "."))
    less = [item_of(root / one.path, one.path) for one in items if "person3" not in one.path]
    push(open_place(f"{url}2"), MARK, FileList.of("data", "", less), lambda one: root / one.path)
    with pytest.raises(DataError, match=r"has no fake/person3.jpg, which its manifest names"):
        pull_data(f"{url}2", tmp_path / "there")
    assert isinstance(items[0], Item) and not (tmp_path / "there").exists()


def test_the_commands_say_what_came_of_it(make_faces, tmp_path, url, capsys):
    root = make_faces(tmp_path / "faces", people=5)
    assert main(["data", "push", str(root), url, "--json", "true"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["files"], record["sent"], record["was_there"]) == (12, 12, False)
    assert main(["data", "pull", url, "--workspace", str(tmp_path / "mlops")]) == 0
    assert "12 fetched, all verified" in capsys.readouterr().out
    assert len(read_media(tmp_path / "mlops" / "data" / "faces")) == 10
    (root / "real" / "person0.jpg").write_bytes((root / "real" / "person1.jpg").read_bytes())
    assert main(["data", "push", str(root), url]) == 2
    assert "--overwrite true" in capsys.readouterr().err


def test_an_address_where_a_folder_has_to_be_is_said(capsys):
    assert main(["data", "audit", "s3://me:hunter2@bucket/faces"]) == 2
    said = capsys.readouterr().err
    assert "data pull s3://bucket/faces --out FOLDER" in said
    assert "hunter2" not in said
