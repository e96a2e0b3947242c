"""Which layout a root is of, and the layouts of installed packages."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deepfake_lightning.data.extraction import list_sources
from deepfake_lightning.data.layouts import find_layout, layout_named, layouts, read_media
from deepfake_lightning.errors import LayoutError, UsageError
from deepfake_lightning.inference.items import read_inputs

Plant = Callable[..., Path]
CELEB = ("Celeb-real/id0_0000.mp4", "Celeb-synthesis/id0_id1_0000.mp4")
FFPP = ("original_sequences/youtube/c23/videos/000.mp4",
        "manipulated_sequences/FaceSwap/c23/videos/000_001.mp4")  # fmt: skip
MODULE = """
from deepfake_lightning.data.layouts.clip_files import clip_files, clip_record
from deepfake_lightning.data.layouts.layout import Layout, found_rows


def read(root, options):
    skipped = {}
    rows = [clip_record(root, file, "mine", label=int(file.clip[0] == "f"), target_id=file.clip[1:])
            for file in clip_files(root, root / "takes", skipped)]
    return found_rows(root, rows, "none", skipped)


LAYOUT = Layout("mine", "My set", lambda root: (root / "takes").is_dir(), read)
"""


def test_two_layouts_at_once_are_an_error_that_names_both(tmp_path: Path, plant: Plant) -> None:
    root = plant(tmp_path, *CELEB, *FFPP)
    with pytest.raises(LayoutError, match=r"FaceForensics\+\+ and like Celeb-DF") as caught:
        read_media(root)
    assert "--layout faceforensics` (or celeb_df)" in caught.value.next_step
    plant(tmp_path / "other", *CELEB, "real/a.mp4")
    with pytest.raises(LayoutError, match="Celeb-DF and like folders real/ and fake/"):
        find_layout(tmp_path / "other")


def test_a_table_goes_before_what_the_folders_look_like(tmp_path: Path, plant: Plant) -> None:
    root = plant(tmp_path, *CELEB, *FFPP)
    (root / "index.csv").write_text(f"path,label\n{CELEB[0]},real\n")
    assert len(read_media(root)) == 1


def test_all_who_read_media_recognise_published_data_sets(tmp_path: Path, plant: Plant) -> None:
    root = plant(tmp_path / "Celeb-DF-v2", *CELEB)
    assert read_media(root).rows["source_id"].dropna().tolist() == ["id1"]
    assert [source.fields["label"] for source in list_sources([root])] == [0, 1]
    (manifest,) = read_inputs([str(root)])
    assert manifest.rows["dataset"].tolist() == ["Celeb-DF-v2"] * 2


def test_what_is_left_out_is_told(
    tmp_path: Path, plant: Plant, caplog: pytest.LogCaptureFixture
) -> None:
    root = plant(tmp_path, *FFPP, "original_sequences/youtube/c23/videos/trailer.mp4")
    with caplog.at_level(logging.WARNING):
        read_media(root, group_pattern="(.+)")
    assert "1 files are skipped" in caplog.text
    assert "group_pattern is not used: FaceForensics++ says that itself" in caplog.text


def test_names_of_layouts() -> None:
    assert layout_named("dfdc").title == "DFDC"
    with pytest.raises(UsageError, match="no layout 'ffpp'") as caught:
        layout_named("ffpp")
    assert "faceforensics" in caught.value.next_step


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that installs a package with an entry point, as pip would lay it out."""

    def lay_out(name: str, module: str, text: str) -> None:
        site = tmp_path / "site"
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            f"[deepfake_lightning.layouts]\n{name} = {module}:LAYOUT\n"
        )
        (site / f"{module}.py").write_text(text)
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, module, raising=False)

    return lay_out


def test_an_installed_package_adds_a_layout(
    tmp_path: Path, plant: Plant, install: Callable[..., None]
) -> None:
    root = plant(tmp_path / "set", "takes/f1.mp4", "takes/r1.mp4", "takes/r2.mp4")
    assert find_layout(root) is None
    install("my-set", "my_set_layout", MODULE)
    rows = read_media(root).rows
    assert rows["label"].tolist() == [1, 0, 0]
    assert rows["group_id"].tolist() == ["mine/1", "mine/1", "mine/2"]
    # and it is asked beside ours, never instead of them
    plant(root, *CELEB)
    with pytest.raises(LayoutError, match="Celeb-DF and like My set"):
        read_media(root)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("raise RuntimeError('no licence')", "cannot be loaded"),
        ("LAYOUT = 3", "is no Layout"),
        (MODULE.replace('"mine", "My set"', '"celeb_df", "My set"'), "is named celeb_df, too"),
    ],
)
def test_a_package_that_is_broken_stops_nothing_else(
    tmp_path: Path,
    plant: Plant,
    install: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    text: str,
    fault: str,
) -> None:
    install("broken-set", "broken_set_layout", text)
    assert len(read_media(plant(tmp_path / "set", *CELEB))) == 2
    assert fault in caplog.text
    assert "broken_set_layout" in caplog.text
    assert len({layout.name for layout in layouts()}) == len(layouts())
