"""Several roots as one manifest, and what is left out of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from deepfake_lightning.data.layouts import Options
from deepfake_lightning.data.layouts.collection import Indexed, index_root, joined
from deepfake_lightning.errors import LayoutError, UsageError
from deepfake_lightning.schemas import Extraction, Manifest, write_manifest

Plant = Callable[..., Path]
CELEB = ("Celeb-real/id0_0000.mp4", "Celeb-synthesis/id0_id1_0000.mp4")


def index(*roots: Path) -> list[Indexed]:
    return [index_root(root, Options()) for root in roots]


def test_paths_are_below_the_folder_of_all(tmp_path: Path, plant: Plant) -> None:
    roots = [plant(tmp_path / "a/Celeb-DF-v2", *CELEB),
             plant(tmp_path / "b/c/faces", "real/x.jpg", "fake/x.jpg")]  # fmt: skip
    manifest = joined(index(*roots), tmp_path / "m.parquet")
    assert manifest.root == tmp_path.resolve()
    assert all((manifest.root / path).is_file() for path in manifest.rows["path"])
    assert manifest.rows["video_id"].tolist()[0] == "Celeb-DF-v2/Celeb-real/id0_0000"
    assert sorted(manifest.rows["dataset"].unique()) == ["Celeb-DF-v2", "faces"]
    alone = joined(index(roots[0]), tmp_path / "m.parquet")
    assert alone.root == roots[0].resolve()
    assert alone.rows["path"].tolist() == list(CELEB)


def test_parts_of_dfdc_one_by_one_are_one_data_set(tmp_path: Path) -> None:
    known = {"label": "FAKE", "original": "o.mp4"}
    for part, name in enumerate(["a.mp4", "b.mp4"]):
        folder = tmp_path / f"dfdc_train_part_{part}"
        folder.mkdir()
        (folder / name).touch()
        (folder / "metadata.json").write_text(json.dumps({name: known}))
    rows = joined(index(*sorted(tmp_path.iterdir())), tmp_path / "m.csv").rows
    assert rows["group_id"].unique().tolist() == ["DFDC/o"]
    assert rows["video_id"].nunique() == 2


def test_what_cannot_stand_in_one_manifest(tmp_path: Path, plant: Plant) -> None:
    one = plant(tmp_path / "one/faces", "real/a.jpg", "fake/b.jpg")
    other = plant(tmp_path / "two/faces", "real/c.jpg", "fake/d.jpg")
    with pytest.raises(UsageError, match="2 of the folders are called faces"):
        joined(index(one, other), tmp_path / "m.csv")
    versions = [plant(tmp_path / name, *CELEB) for name in ("Celeb-DF-v1", "Celeb-DF-v2")]
    with pytest.raises(UsageError, match=r"Celeb-DF-v1 and Celeb-DF-v2 are versions of one"):
        joined(index(*versions), tmp_path / "m.csv")
    copy = plant(tmp_path / "copy/Celeb-DF-v2", *CELEB)
    with pytest.raises(UsageError, match=r"id0_0000 is in two of the roots \(and 1 more\)"):
        joined(index(versions[1], copy), tmp_path / "m.csv")


def test_pictures_that_were_taken_in_different_ways(
    tmp_path: Path, plant: Plant, make_rows: Callable[..., object]
) -> None:
    roots = []
    for name, size in (("a", 224), ("b", 256)):
        root = plant(tmp_path / name, "faces/0.jpg", "faces/1.jpg")
        rows = make_rows(2, video_id=[f"{name}/0", f"{name}/1"], dataset=name)
        manifest = Manifest(rows, root, root, "none", Extraction(faces=None, size=size))  # type: ignore[arg-type]
        write_manifest(manifest, root / "manifest.csv")
        roots.append(root)
    with pytest.raises(UsageError, match="in different ways"):
        joined(index(*roots), tmp_path / "m.csv")
    extraction = joined(index(roots[0]), tmp_path / "m.csv").extraction
    assert extraction is not None
    assert extraction.size == 224


def test_policies_are_not_lost(tmp_path: Path, plant: Plant) -> None:
    given = plant(tmp_path / "given", "train/real/a.jpg", "test/fake/b.jpg")
    none = plant(tmp_path / "none", "real/a.jpg", "fake/b.jpg")
    official = plant(tmp_path / "Celeb-DF-v2", *CELEB)
    (official / "List_of_testing_videos.txt").write_text(f"1 {CELEB[0]}\n")
    out = tmp_path / "m.csv"
    assert joined(index(none), out).policy == "none"
    assert joined(index(none, given), out).policy == "given"
    assert joined(index(none, given, official), out).policy == "official"


def test_every_file_is_a_row_or_is_skipped_with_a_reason(tmp_path: Path, plant: Plant) -> None:
    used = ["Celeb-real/id0_0000.mp4", "Celeb-synthesis/id0_id1_0000.mp4"]
    left = {
        "readme.txt": "neither a picture nor a video",
        "Celeb-real/odd.mp4": "a name that is not",
        "promo/clip.mp4": "where this layout has no media",
        ".cache/x.mp4": "hidden",
        "Celeb-real/._id0_0000.mp4": "hidden",
    }
    root = plant(tmp_path / "set", *used, *left)
    (part,) = index(root)
    assert part.found.manifest.rows["path"].tolist() == used
    assert set(part.found.skipped) == set(left)
    assert all(part.found.skipped[name].startswith(reason) for name, reason in left.items())


def test_rows_without_a_file_go_and_are_told(tmp_path: Path, plant: Plant) -> None:
    elsewhere = plant(tmp_path / "elsewhere", "d.jpg")
    root = plant(tmp_path / "set", "a.jpg", "b.jpg", "not_listed.jpg")
    (root / "linked").symlink_to(elsewhere)
    lines = "a.jpg,0\nb.jpg,1\ngone.jpg,1\nlinked/d.jpg,0\n"
    (root / "index.csv").write_text(f"path,label\n{lines}")
    (part,) = index(root)
    assert part.found.manifest.rows["path"].tolist() == ["a.jpg", "b.jpg", "linked/d.jpg"]
    assert part.found.skipped == {
        "gone.jpg": "named in a table, and not there",
        "index.csv": "neither a picture nor a video",
        "not_listed.jpg": "where this layout has no media",
    }
    (root / "index.csv").write_text("path,label\nx/a.jpg,0\n")
    with pytest.raises(LayoutError, match="none of the 1 files"):
        index(root)


def test_a_root_of_roots_names_them(tmp_path: Path, plant: Plant) -> None:
    plant(tmp_path / "data", "Celeb-DF-v2/" + CELEB[0], "faces/real/a.jpg", "notes/x.txt")
    with pytest.raises(LayoutError, match="is of no known layout") as caught:
        index(tmp_path / "data")
    assert caught.value.next_step.endswith(
        f"data index {tmp_path}/data/Celeb-DF-v2 {tmp_path}/data/faces"
    )
    with pytest.raises(LayoutError, match="does not exist"):
        index(tmp_path / "nowhere")
