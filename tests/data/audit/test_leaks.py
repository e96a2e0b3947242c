"""Names that stand on two sides, labels that are missing or far from balance."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from deepfake_lightning.data.audit.findings import AuditReport, Finding, check_kinds, in_order
from deepfake_lightning.data.audit.leaks import look_at_names
from deepfake_lightning.data.audit.official import look_at_official_tests
from deepfake_lightning.errors import UsageError
from deepfake_lightning.schemas import Manifest

Rows = Callable[..., pd.DataFrame]
Make = Callable[..., Manifest]
SPLITS = ["train"] * 4 + ["val"] * 2 + ["test"] * 2


def kinds(found: list[Finding]) -> dict[str, str]:
    return {one.kind: one.severity for one in found}


def test_clean_splits_raise_nothing(make_rows: Rows, manifest_of: Make) -> None:
    assert look_at_names(manifest_of(make_rows(8, split=SPLITS))) == []


def test_a_group_in_train_and_test(make_rows: Rows, manifest_of: Make) -> None:
    groups = ["anna", *[f"g{n}" for n in range(6)], "anna"]
    found = look_at_names(manifest_of(make_rows(8, split=SPLITS, group_id=groups)))
    assert kinds(found) == {"identity_across_splits": "error"}
    assert "'d/anna'" in found[0].what
    assert found[0].evidence["examples"] == {"d/anna": ["test", "train"]}


def test_a_donor_counts_as_much_as_a_target(make_rows: Rows, manifest_of: Make) -> None:
    rows = make_rows(8, split=SPLITS, source_id=["bob"] + [None] * 7)
    rows["target_id"] = [None] * 7 + ["bob"]
    found = look_at_names(manifest_of(rows))
    assert kinds(found) == {"identity_across_splits": "error"}
    assert "bob" in found[0].what


def test_two_scored_splits_leak_too(make_rows: Rows, manifest_of: Make) -> None:
    rows = make_rows(8, split=["train"] * 4 + ["calib"] * 2 + ["gate"] * 2)
    rows.loc[7, "group_id"] = rows.loc[4, "group_id"]
    found = look_at_names(manifest_of(rows))
    assert found[0].evidence["splits"] == {"calib and gate": 1}


def test_what_is_not_used_does_not_leak(make_rows: Rows, manifest_of: Make) -> None:
    rows = make_rows(8, split=["train"] * 4 + ["quarantine", "unused"] * 2, group_id="one")
    assert look_at_names(manifest_of(rows)) == []


def test_official_splits_warn(make_rows: Rows, manifest_of: Make) -> None:
    rows = make_rows(8, split=SPLITS, group_id="one")
    found = look_at_names(manifest_of(rows, policy="official"))
    assert kinds(found) == {"identity_across_splits": "warning", "official_policy": "note"}


def test_frames_of_one_clip(make_rows: Rows, manifest_of: Make) -> None:
    rows = make_rows(8, split=SPLITS)
    rows.loc[7, "video_id"] = rows.loc[1, "video_id"]
    assert kinds(look_at_names(manifest_of(rows))) == {"item_across_splits": "error"}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0, 1] * 20, {}),
        ([0] * 8 + [1] * 32, {"imbalance": "note"}),
        ([0] * 37 + [1] * 3, {"imbalance": "warning"}),
        ([1] * 40, {"one_class": "note"}),
        ([None] * 40, {"unlabelled": "note"}),
    ],
)
def test_balance(make_rows: Rows, manifest_of: Make, labels: list, expected: dict) -> None:
    rows = make_rows(40, label=labels, split="train")
    assert kinds(look_at_names(manifest_of(rows))) == expected


def test_frames_count_once_for_balance(make_rows: Rows, manifest_of: Make) -> None:
    """Real clips with many frames are no imbalance: an item is one item."""
    rows = make_rows(24, label=[0] * 20 + [1] * 4, split="train")
    rows["video_id"] = ["r0", "r1", "r2", "r3"] * 5 + ["f0", "f1", "f2", "f3"]
    assert look_at_names(manifest_of(rows)) == []


def test_without_splits_it_says_so(make_rows: Rows, manifest_of: Make) -> None:
    assert kinds(look_at_names(manifest_of(make_rows(8)))) == {"not_split": "note"}


CELEB = "1 Celeb-real/id0_0000.mp4\n0 Celeb-synthesis/id0_id1_0000.mp4\n"


@pytest.mark.parametrize("place", ["", "celeb"])
def test_the_list_of_celeb_df(
    tmp_path: Path, place: str, make_rows: Rows, manifest_of: Make
) -> None:
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / "List_of_testing_videos.txt").write_text(CELEB)
    items = ["c/Celeb-real/id0_0000", "c/Celeb-synthesis/id0_id1_0000", "c/Celeb-real/id0_0001"]
    rows = make_rows(3, video_id=items, split=["train", "test", "train"])
    found = look_at_official_tests(manifest_of(rows, tmp_path))
    assert kinds(found) == {"official_test_in_train": "error"}
    assert found[0].evidence["examples"] == ["c/Celeb-real/id0_0000"]  # the first line counts


def test_the_list_of_faceforensics(tmp_path: Path, make_rows: Rows, manifest_of: Make) -> None:
    (tmp_path / "test.json").write_text(json.dumps([["953", "974"], ["012", "026"]]))
    items = [
        "ff/original_sequences/youtube/c23/videos/953",
        "ff/manipulated_sequences/Deepfakes/c23/videos/974_953",
        "ff/manipulated_sequences/FaceSwap/raw/videos/000_003",
        "ff/original_sequences/youtube/c23/videos/001",
    ]
    rows = make_rows(4, video_id=items, split="train")
    found = look_at_official_tests(manifest_of(rows, tmp_path))
    assert found[0].evidence["examples"] == items[:2]
    assert look_at_official_tests(manifest_of(rows.assign(split="test"), tmp_path)) == []


def test_a_foreign_test_json_is_nothing(tmp_path: Path, make_rows: Rows, manifest_of: Make) -> None:
    (tmp_path / "test.json").write_text('{"a": 1}')
    rows = make_rows(2, video_id=["ff/original_sequences/youtube/c23/videos/953", "x"])
    assert look_at_official_tests(manifest_of(rows.assign(split="train"), tmp_path)) == []


def test_named_test_items(make_rows: Rows, manifest_of: Make) -> None:
    rows = make_rows(2, video_id=["dfdc/part_0/abc", "dfdc/part_0/xyz"], split="train")
    found = look_at_official_tests(manifest_of(rows), ["part_0/abc.mp4", "part_0\\other.mp4"])
    assert found[0].evidence["items"] == 1


def test_errors_come_first_and_are_let_through_by_name() -> None:
    found = in_order(
        [Finding("imbalance", "note", "a"), Finding("shortcut", "warning", "b"),
         Finding("near_copy", "error", "c"), Finding("same_content", "error", "d")]
    )  # fmt: skip
    assert [one.what for one in found] == ["d", "c", "b", "a"]
    report = AuditReport("x", "", "given", {}, 1, 1, found)
    assert [one.kind for one in report.refused(["near_copy"])] == ["same_content"]
    assert json.loads(json.dumps(report.to_dict()))["findings"][0]["kind"] == "same_content"
    with pytest.raises(UsageError, match="near_copie"):
        check_kinds(["near_copie"])
