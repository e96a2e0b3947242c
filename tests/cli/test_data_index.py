"""``data index`` as a command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.data.layouts import read_media
from deepfake_lightning.schemas import Extraction, Manifest, read_manifest, write_manifest

SHARED = Path(__file__).parents[3] / "shared" / "data"


def plant(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def celeb(root: Path) -> Path:
    plant(root, "Celeb-real/id0_0000.mp4", "Celeb-real/id1_0000.mp4", "YouTube-real/00170.mp4",
          "Celeb-synthesis/id0_id1_0000.mp4", "Celeb-synthesis/id1_id0_0000.mp4",
          "Celeb-synthesis/unknown.mp4")  # fmt: skip
    (root / "List_of_testing_videos.txt").write_text("1 YouTube-real/00170.mp4\n")
    return root


def index(*args: object) -> int:
    return main(["data", "index", *map(str, args)])


def test_several_roots_become_one_manifest(tmp_path: Path, capsys: Any) -> None:
    roots = celeb(tmp_path / "Celeb-DF-v2"), plant(tmp_path / "mine", "real/a.mp4", "fake/a.mp4")
    out = tmp_path / "work/manifest.parquet"
    assert index(*roots, "--out", out) == 0
    shown = capsys.readouterr().out
    manifest = read_manifest(out)
    assert manifest.root == tmp_path.resolve()
    assert len(manifest) == 7
    assert all((manifest.root / path).is_file() for path in manifest.rows["path"])
    assert manifest.policy == "official"
    for text in (f"{roots[0]}: Celeb-DF", "2 fake, 3 real", "note", "1 of the 1 clips",
                 "Celeb-synthesis/unknown.mp4", f"{roots[1]}: folders real/ and fake/",
                 "7 rows of 2 roots", "policy of the splits: official", "next: "):  # fmt: skip
        assert text in shown
    metadata = json.loads((out.parent / "metadata.json").read_text())
    assert metadata["counts"]["test"] == {"real": 1}
    # what was written is read as it was
    assert read_media(out.parent).content_hash() == metadata["content_hash"]


def test_the_summary_as_json(tmp_path: Path, capsys: Any) -> None:
    root = celeb(tmp_path / "Celeb-DF-v2")
    assert index(root, "--out", tmp_path / "o/m.csv", "--json", "true") == 0
    record = json.loads(capsys.readouterr().out)
    (part,) = record["roots"]
    assert part["layout"] == "celeb_df"
    assert part["items"] == {"fake": 2, "real": 3}
    assert (part["groups"], part["identities"]) == (3, 3)
    assert part["methods"] == {"Celeb-synthesis": 2}
    assert part["splits"] == {"none": 4, "test": 1}
    reasons = {entry["reason"][:14]: entry["count"] for entry in part["skipped"]}
    assert reasons == {"a name that is": 1, "neither a pict": 1}
    assert record["rows"] == 5
    assert str(tmp_path / "o/m.csv") in record["next"]


def test_the_default_is_in_the_workspace(tmp_path: Path) -> None:
    root = plant(tmp_path / "mine", "real/a.mp4", "fake/a.mp4")
    assert index(root, "--workspace", tmp_path / "w") == 0
    assert (tmp_path / "w/data/manifest.parquet").is_file()


def test_a_manifest_is_replaced_only_when_asked(tmp_path: Path, capsys: Any) -> None:
    root = plant(tmp_path / "mine", "real/a.mp4", "fake/a.mp4")
    out = root / "manifest.csv"
    assert index(root, "--out", out) == 0
    plant(root, "real/b.mp4")
    assert index(root, "--out", out) == 2
    assert "--overwrite true" in capsys.readouterr().err
    assert index(root, "--out", root / "other.parquet") == 2  # metadata.json is the first one's
    assert len(read_manifest(out)) == 2
    # the folders are read anew, and not the manifest that lies in them
    assert index(root, "--out", out, "--overwrite", "true") == 0
    assert len(read_manifest(out)) == 3


def test_what_an_extraction_has_recorded_is_kept(tmp_path: Path) -> None:
    root = plant(tmp_path / "faces", "real/a.jpg", "fake/a.jpg")
    rows = read_media(root).rows.assign(licence="mine")
    how = Extraction(faces=None, size=64)
    write_manifest(Manifest(rows, root, root, "none", how), root / "manifest.parquet")
    assert index(root, "--out", root / "manifest.parquet", "--overwrite", "true") == 0
    kept = read_manifest(root / "manifest.parquet")
    assert kept.extraction == how
    assert kept.rows["licence"].tolist() == ["mine", "mine"]


def test_a_data_sets_own_metadata_are_never_replaced(tmp_path: Path, capsys: Any) -> None:
    text = '{"a.mp4": {"label": "REAL"}}'
    (plant(tmp_path / "part", "a.mp4") / "metadata.json").write_text(text)
    args = (tmp_path / "part", "--out", tmp_path / "part/manifest.csv", "--overwrite", "true")
    assert index(*args) == 2
    assert "belongs to a data set" in capsys.readouterr().err
    assert (tmp_path / "part/metadata.json").read_text() == text
    assert not (tmp_path / "part/manifest.csv").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "no data set is named"),
        (["{}/nowhere"], "does not exist"),
        (["{}/empty"], "no known layout"),
        (["{}/mine", "--layout", "imagenet"], "there is no layout 'imagenet'"),
        (["{}/mine", "--out", "{}/o.txt"], "is no name of a manifest"),
        (["{}/mine", "{}/mine/../mine"], "is in two of the roots"),
    ],
)
def test_faults_are_named_and_nothing_is_written(
    tmp_path: Path, capsys: Any, args: list[str], message: str
) -> None:
    plant(tmp_path / "mine", "real/a.mp4", "fake/a.mp4")
    (tmp_path / "empty").mkdir()
    filled = [arg.format(tmp_path) for arg in args]
    out = [] if "--out" in args else ["--out", str(tmp_path / "o/m.csv")]
    assert index(*filled, *out) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_the_layout_can_be_said(tmp_path: Path, capsys: Any) -> None:
    root = plant(celeb(tmp_path / "set"), "real/a.mp4", "fake/a.mp4")
    out = tmp_path / "o/m.csv"
    assert index(root, "--out", out) == 2
    assert "--layout celeb_df" in capsys.readouterr().err
    assert index(root, "--out", out, "--layout", "celeb_df") == 0
    assert len(read_manifest(out)) == 5
    assert "2: where this layout has no media" in capsys.readouterr().out


def test_group_patterns_and_official_lists(tmp_path: Path) -> None:
    mine = plant(tmp_path / "mine", "real/ann_1.mp4", "real/ann_2.mp4", "fake/ann_3.mp4")
    ff = plant(tmp_path / "ff", "original_sequences/youtube/c23/videos/000.mp4")
    (plant(tmp_path, "lists/test.json") / "lists/test.json").write_text('[["000", "001"]]')
    out = tmp_path / "o/m.csv"
    assert index(mine, ff, "--out", out, "--group_pattern", "(.+)_", "--splits",
                 tmp_path / "lists") == 0  # fmt: skip
    rows = read_manifest(out).rows
    assert rows.loc[rows["dataset"] == "mine", "group_id"].unique().tolist() == ["mine/ann"]
    assert rows.loc[rows["dataset"] == "FaceForensics++", "split"].tolist() == ["test"]


def test_real_media(tmp_path: Path, capsys: Any) -> None:
    roots = [SHARED / name for name in ("ffpp", "dfdc", "dfdc_faces")]
    if not all(root.is_dir() for root in roots):
        pytest.skip("the real media are not here")
    assert index(*roots, "--out", tmp_path / "m.parquet", "--json", "true") == 0
    record = json.loads(capsys.readouterr().out)
    assert [part["layout"] for part in record["roots"]] == ["faceforensics", "dfdc", "index_file"]
    assert [part["items"] for part in record["roots"]] == [
        {"fake": 4, "real": 3}, {"fake": 3}, {"fake": 4500, "real": 4500},
    ]  # fmt: skip
    assert record["roots"][0]["compressions"] == {"c23": 7}
    assert len(read_manifest(tmp_path / "m.parquet")) == 9010
