"""What is to be extracted, and what is known of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfake_lightning.data.extraction import Source, list_sources
from deepfake_lightning.data.extraction.sources import balanced, share
from deepfake_lightning.errors import DataError, LayoutError, UsageError
from deepfake_lightning.schemas import Extraction, Manifest, Sampling, write_manifest


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def labels(sources: list[Source]) -> dict[str, object]:
    return {source.key: source.fields["label"] for source in sources}


def test_labels_come_from_folders(tmp_path: Path) -> None:
    root = touch(tmp_path / "set", "real/a.mp4", "fake/swap/b.mp4", "loose.mp4", "fake/c.jpg")
    found = list_sources([root])
    assert labels(found) == {
        "set/real/a.mp4": 0, "set/fake/swap/b.mp4": 1, "set/loose.mp4": None, "set/fake/c.jpg": 1,
    }  # fmt: skip
    assert [source.key for source in found] == sorted(source.key for source in found)
    methods = {source.key: source.fields["method"] for source in found}
    assert methods["set/fake/swap/b.mp4"] == "swap"


def test_a_label_is_never_guessed(tmp_path: Path) -> None:
    root = touch(tmp_path / "deepfakes_fake", "fake_1.mp4", "deep/real.mkv", "notes.txt")
    assert set(labels(list_sources([root])).values()) == {None}
    assert len(list_sources([root])) == 2
    assert set(labels(list_sources([root], label="fake")).values()) == {1}


def test_a_label_that_contradicts_the_folder_is_refused(tmp_path: Path) -> None:
    root = touch(tmp_path / "set", "real/a.mp4", "fake/b.mp4")
    with pytest.raises(UsageError, match="labelled otherwise"):
        list_sources([root], label="real")


def test_what_a_manifest_knows_is_kept(tmp_path: Path) -> None:
    root = touch(tmp_path / "set", "a.mp4", "b.mp4")
    rows = {"path": ["a.mp4", "b.mp4"], "label": ["real", "fake"], "group": ["g1", "g2"],
            "split": ["train", "test"], "licence": ["CC0", None]}  # fmt: skip
    pd.DataFrame(rows).to_csv(root / "index.csv", index=False)
    first, second = list_sources([root / "index.csv"])
    assert (first.fields["group_id"], first.fields["split"]) == ("g1", "train")
    assert (first.fields["licence"], second.fields["licence"]) == ("CC0", None)
    assert [s.key for s in list_sources([root])] == [first.key, second.key]


def test_a_file_named_twice_is_one_source(tmp_path: Path) -> None:
    root = touch(tmp_path / "set", "a.mp4", "b.mp4")
    assert len(list_sources([root, root / "a.mp4", root])) == 2


def test_one_file_with_two_labels_is_refused(tmp_path: Path) -> None:
    root = touch(tmp_path / "set", "real/a.mp4")
    (root / "fake").mkdir()
    (root / "fake/b.mp4").symlink_to(root / "real/a.mp4")
    with pytest.raises(UsageError, match="one file with two labels"):
        list_sources([root])


def test_the_name_with_a_label_is_kept_in_any_order(tmp_path: Path, caplog: Any) -> None:
    root = touch(tmp_path / "set", "real/a.mp4", "fake/b.mp4")
    for inputs in ([root, root / "real/a.mp4"], [root / "real/a.mp4", root]):
        assert labels(list_sources(inputs)) == {"set/real/a.mp4": 0, "set/fake/b.mp4": 1}
        assert "it is taken once" in caplog.text
        caplog.clear()


def test_two_data_sets_of_one_name_are_refused(tmp_path: Path) -> None:
    for parent in ("one", "two"):
        touch(tmp_path / parent / "set", "a.mp4")
    with pytest.raises(UsageError, match=r"set/a\.mp4"):
        list_sources([tmp_path / "one/set", tmp_path / "two/set"])


@pytest.mark.parametrize(
    ("name", "fault"),
    [("gone", "does not exist"), ("empty", "no videos and no pictures"), ("x.txt", "neither")],
)
def test_what_holds_no_media_is_named(tmp_path: Path, name: str, fault: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.txt").touch()
    with pytest.raises(LayoutError, match=fault):
        list_sources([tmp_path / name])


def test_crops_are_never_cropped_again(
    tmp_path: Path, make_rows: Callable[..., pd.DataFrame]
) -> None:
    manifest = Manifest(make_rows(2), tmp_path, tmp_path, extraction=Extraction())
    write_manifest(manifest, tmp_path / "manifest.csv")
    with pytest.raises(UsageError, match="extracted already"):
        list_sources([tmp_path])


def test_a_data_set_whose_name_leads_out_is_refused(tmp_path: Path) -> None:
    rows = {"path": ["a.mp4"], "label": ["real"], "dataset": ["../../elsewhere"]}
    pd.DataFrame(rows).to_csv(tmp_path / "index.csv", index=False)
    with pytest.raises(DataError, match="cannot name a folder"):
        list_sources([tmp_path])


def test_a_name_that_is_not_text_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    shutil.copy(tmp_path / "a.mp4", os.fsdecode(bytes(tmp_path) + b"/\xff.mp4"))
    with pytest.raises(LayoutError, match="not UTF-8"):
        list_sources([tmp_path])


def sources_of(counts: dict[int | None, int]) -> list[Source]:
    return [
        Source(f"d/{label}-{n}.mp4", Path(), {"label": label, "media_type": "video"})
        for label, count in counts.items()
        for n in range(count)
    ]


@given(st.integers(0, 40), st.integers(1, 9))
def test_shards_share_out_everything_once(count: int, shards: int) -> None:
    everything = sources_of({0: count})
    parts = [share(everything, f"{n + 1}/{shards}") for n in range(shards)]
    assert sorted(s.key for part in parts for s in part) == sorted(s.key for s in everything)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "a/b", "-1/2", "1/0", ""])
def test_a_shard_that_does_not_exist(shard: str) -> None:
    with pytest.raises(UsageError, match="shard"):
        share([], shard)


@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 64))
def test_balanced_classes_come_close(real: int, fake: int, frames: int) -> None:
    chosen = balanced(sources_of({0: real, 1: fake, None: 3}), Sampling("even", frames))
    fewer, more = sorted([(real, 0), (fake, 1)])
    assert chosen[fewer[1]].amount == frames
    wanted = fewer[0] * frames
    each = chosen[more[1]].amount
    assert each is not None
    assert each == 1 or abs(each * more[0] - wanted) <= more[0] / 2


def test_what_cannot_be_balanced() -> None:
    with pytest.raises(UsageError, match="both classes"):
        balanced(sources_of({0: 3, None: 4}), Sampling("even", 8))
    with pytest.raises(UsageError, match="keyframes"):
        balanced(sources_of({0: 3, 1: 4}), Sampling("keyframes"))
