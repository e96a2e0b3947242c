"""Manifests: what is refused, what survives a round trip, what the hash stands for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from deepfake_lightning.errors import TableError
from deepfake_lightning.schemas import Manifest, read_manifest, write_manifest

Rows = Callable[..., pd.DataFrame]


@pytest.fixture
def manifest(make_rows: Rows, tmp_path: Path) -> Manifest:
    rows = make_rows(
        6,
        label=pd.array([0, 1, None, 0, 1, 1], "Int64"),
        source_id=[None, "a,b", None, None, 'quoted "x"', "ü"],
        split=["train", "train", "val", "test", "quarantine", None],
        frame=pd.array([None, 3, 0, 1, 2, 3], "Int64"),
        licence="CC0",
    )
    return Manifest(rows, tmp_path, tmp_path)


@pytest.mark.parametrize("name", ["manifest.csv", "manifest.parquet"])
def test_round_trip(manifest: Manifest, tmp_path: Path, name: str) -> None:
    write_manifest(manifest, tmp_path / name, policy="official", split_seed=3)
    again = read_manifest(tmp_path / name)
    columns = list(manifest.rows.columns)
    expected = manifest.rows.astype(again.rows[columns].dtypes.to_dict())
    pd.testing.assert_frame_equal(again.rows[columns], expected)
    assert (again.root, again.origin) == (tmp_path.resolve(), tmp_path / name)
    assert again.policy == "official"
    assert again.content_hash() == read_manifest(tmp_path / name).content_hash()


def test_metadata_tells_the_story(manifest: Manifest, tmp_path: Path) -> None:
    write_manifest(manifest, tmp_path / "manifest.csv", policy="group", split_seed=7)
    record = json.loads((tmp_path / "metadata.json").read_text())
    assert record["schema"] == 1
    assert (record["policy"], record["split_seed"], record["root"]) == ("group", 7, ".")
    assert record["counts"]["train"] == {"real": 1, "fake": 1}
    assert record["counts"]["val"] == {"unknown": 1}
    assert record["counts"]["unsplit"] == {"fake": 1}
    assert record["content_hash"] == read_manifest(tmp_path / "manifest.csv").content_hash()


def test_rewriting_keeps_the_policy(manifest: Manifest, tmp_path: Path) -> None:
    write_manifest(manifest, tmp_path / "manifest.csv", policy="official")
    write_manifest(read_manifest(tmp_path / "manifest.csv"), tmp_path / "manifest.csv")
    assert read_manifest(tmp_path / "manifest.csv").policy == "official"


def test_a_folder_can_move_with_its_manifest(manifest: Manifest, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    below = Manifest(manifest.rows, old / "pictures", old)
    write_manifest(below, old / "manifest.csv")
    old.rename(new)
    assert read_manifest(new / "manifest.csv").root == (new / "pictures").resolve()


def test_the_hash_is_of_the_content(manifest: Manifest, tmp_path: Path) -> None:
    hashes = set()
    for name in ("a.csv", "b.parquet"):
        write_manifest(manifest, tmp_path / name)
        read = read_manifest(tmp_path / name)
        hashes |= {read.content_hash(), read.with_rows(read.rows[::-1]).content_hash()}
    assert len(hashes) == 1
    for column, value in (("label", 0), ("split", "val"), ("source_id", "other")):
        rows = read.rows.copy()
        rows.loc[1, column] = value
        assert read.with_rows(rows).content_hash() not in hashes
    assert read.with_rows(read.rows[:-1]).content_hash() not in hashes


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("path", "/etc/passwd", "column path: is '/etc/passwd': paths stay below the root"),
        ("path", "a/../../b.jpg", "column path: .*paths stay below the root"),
        ("path", "real\\a.jpg", "column path: .*back-slashes"),
        ("path", "", "column path: is empty"),
        ("label", "2", "column label: is 2"),
        ("label", "maybe", "column label: is 'maybe'"),
        ("split", "training", "column split: is 'training'"),
        ("frame", "third", "column frame: is 'third'"),
        ("media_type", "sound", "column media_type: is 'sound'"),
        ("group_id", "", "column group_id: is empty"),
    ],
)
def test_a_wrong_cell_is_named(
    make_rows: Rows, tmp_path: Path, column: str, value: str, message: str
) -> None:
    rows = make_rows(3).astype("string")
    rows.loc[1, column] = value
    path = tmp_path / "manifest.csv"
    rows.to_csv(path, index=False)
    with pytest.raises(TableError, match=f"row 3, {message}") as caught:
        read_manifest(path)
    assert str(path) in caught.value.what
    assert caught.value.next_step


@pytest.mark.parametrize("column", ["path", "media_type", "video_id", "group_id", "dataset"])
def test_a_missing_column_is_named(make_rows: Rows, tmp_path: Path, column: str) -> None:
    path = tmp_path / "manifest.csv"
    make_rows(2).drop(columns=column).to_csv(path, index=False)
    with pytest.raises(TableError, match=f"missing column {column}\n"):
        read_manifest(path)


def test_duplicates_are_refused_however_they_are_spelt(make_rows: Rows, tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    names = ["a/b.jpg", "c.jpg", "a/b.jpg", "./a//b.jpg"]
    make_rows(4, path=names, frame=[0, None, 1, 1]).to_csv(path, index=False)
    with pytest.raises(TableError, match=r"row 5, column path: 'a/b\.jpg' stands in row 4"):
        read_manifest(path)


def test_a_picture_with_two_faces_is_two_rows(make_rows: Rows, tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    make_rows(2, path="group.jpg", track_id=[0, 1]).to_csv(path, index=False)
    assert read_manifest(path).rows["track_id"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema": 2, "shape": "new"}', "schema 2 is newer than this version reads"),
        ('{"schema": null}', "not a manifest's metadata"),
        ("[]", "not a manifest's metadata"),
        ("{", "not a manifest's metadata"),
        ('{"schema": 1, "seed": 3}', "not a manifest's metadata"),
    ],
)
def test_foreign_metadata_is_refused(
    make_rows: Rows, tmp_path: Path, text: str, message: str
) -> None:
    make_rows(2).to_csv(tmp_path / "manifest.csv", index=False)
    (tmp_path / "metadata.json").write_text(text)
    with pytest.raises(TableError, match=message) as caught:
        read_manifest(tmp_path / "manifest.csv")
    assert "metadata.json" in caught.value.what
    assert "delete" not in caught.value.next_step


def test_a_manifest_alone_is_relative_to_its_folder(make_rows: Rows, tmp_path: Path) -> None:
    make_rows(2).to_csv(tmp_path / "manifest.csv", index=False)
    manifest = read_manifest(tmp_path / "manifest.csv")
    assert (manifest.root, manifest.policy) == (tmp_path.resolve(), "none")


def test_an_item_with_two_labels_is_named(make_rows: Rows, tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    labels = pd.array([0, None, 0, 1, 1], "Int64")
    make_rows(5, video_id=["v", "w", "w", "w", "u"], label=labels).to_csv(path, index=False)
    with pytest.raises(
        TableError,
        match=r"manifest\.csv, row 5, column label: is 1 for the item 'w', .* in row 4\n",
    ):
        read_manifest(path)
    make_rows(3, video_id="v", label=pd.array([1, None, 1], "Int64")).to_csv(path, index=False)
    assert len(read_manifest(path)) == 3
