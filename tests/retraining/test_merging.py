"""New items beside the data of a training: apart, without copies, hashed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from deepfake_lightning.data.layouts import read_media
from deepfake_lightning.data.splits import check_splits, with_splits
from deepfake_lightning.errors import DataError
from deepfake_lightning.retraining.cutting import cut
from deepfake_lightning.retraining.merging import DATA, SLICE, in_slice, merge
from deepfake_lightning.retraining.new_items import NewItem
from deepfake_lightning.schemas import SCORED_SPLITS, Preprocess, read_manifest, write_manifest


@pytest.fixture
def base(faces, tmp_path):
    """Return the data of a training, with their splits."""
    shares = {"train": 0.5, "val": 0.1, "calib": 0.1, "test": 0.2, "gate": 0.1}
    manifest, _ = with_splits(read_media(faces), shares, 0)
    write_manifest(manifest, tmp_path / "run" / "manifest.parquet")
    return read_manifest(tmp_path / "run" / "manifest.parquet")


@pytest.fixture
def item(tmp_path, write_picture):
    """Return a function that makes a new item with a picture of its own."""

    def make(seed: int, fake: bool, label: int | None = None, source: Path | None = None, **fields):
        key = f"{seed:032x}"
        path = write_picture(tmp_path / "loop" / "media" / f"{key}.jpg", seed=seed, fake=fake)
        if source is not None:
            shutil.copy(source, path)
        return NewItem(key, int(fake) if label is None else label, "other", "image", seed,
                       path.name, not fields, already_cropped=True, fields=fields)  # fmt: skip

    return make


def merged(items, base, tmp_path, share=0.3, name="retrain-0001", corrected=None):
    rows, left_out = cut(items, base, Preprocess(), tmp_path / "loop")
    found = merge(rows, base, tmp_path / "loop", name, share=share, corrected=corrected,
                  workers=1)  # fmt: skip
    data = read_manifest(tmp_path / "loop" / DATA)
    return found, data, read_manifest(tmp_path / "loop" / SLICE), left_out


def test_new_items_are_added_and_a_share_is_held_out(base, item, tmp_path):
    items = [item(500 + number, fake=number % 2 == 0) for number in range(30)]
    found, data, held_out, _ = merged(items, base, tmp_path)
    new = data.rows[data.rows["dataset"] == "requests"]
    assert set(new["split"]) == {"train"}
    assert found.new == len(new)
    assert len(held_out) == sum(found.slice.values()) == 30 - len(new)
    assert set(new["group_id"]).isdisjoint(held_out.rows["group_id"])
    assert all(in_slice(group, 0.3) for group in held_out.rows["group_id"])
    for manifest in (data, held_out):
        assert all((manifest.root / path).is_file() for path in manifest.rows["path"])
    check_splits(data)
    record = json.loads((tmp_path / "loop/data/metadata.json").read_text())
    assert record["parent"] == found.parent == base.content_hash()
    assert record["content_hash"] == found.content_hash == data.content_hash()
    again, *_ = merged(items, base, tmp_path)
    assert again == found


def test_scored_splits_stay_row_for_row(base, item, tmp_path):
    _, data, _, _ = merged([item(500, fake=True)], base, tmp_path)
    for split in SCORED_SPLITS:
        before = base.rows[base.rows["split"] == split].reset_index(drop=True)
        after = data.rows[data.rows["split"] == split].reset_index(drop=True)
        pd.testing.assert_frame_equal(before, after)
        for path in after["path"]:
            assert (data.root / path).samefile(base.root / path)


def test_copies_of_what_is_there_are_left_out(base, item, tmp_path):
    trained = base.root / base.rows["path"].iloc[0]
    items = [item(500, True, source=trained), item(501, True),
             item(502, True, source=tmp_path / "loop/media" / f"{501:032x}.jpg"),
             item(503, True), item(504, True, label=0,
                                   source=tmp_path / "loop/media" / f"{503:032x}.jpg")]  # fmt: skip
    found, data, held_out, _ = merged(items, base, tmp_path)
    assert found.left_out == {
        "copies of what is trained on": 1, "copies of other new items": 1,
        "copies of each other whose labels contradict each other": 2}  # fmt: skip
    kept = pd.concat([data.rows, held_out.rows])
    assert kept.loc[kept["dataset"] == "requests", "video_id"].tolist() == [f"retrain/{501:032x}"]


def test_labels_that_were_corrected_since_are_put_right(base, item, tmp_path):
    _, first, _, _ = merged([item(500 + n, fake=True) for n in range(8)], base, tmp_path, 0.1)
    own = first.rows[first.rows["dataset"] == "requests"]
    relabelled, withdrawn = (name.removeprefix("retrain/") for name in own["video_id"][:2])
    (tmp_path / "loop").rename(tmp_path / "before")
    parent = read_manifest(tmp_path / "before" / DATA)
    corrected = {relabelled: 0, withdrawn: None, "of no row": 0}
    new = [item(600, fake=True)]
    found, data, _, _ = merged(new, parent, tmp_path, 0.1, "retrain-0002", corrected)
    labels = data.rows.set_index("video_id")["label"]
    assert labels[f"retrain/{relabelled}"] == 0
    assert f"retrain/{withdrawn}" not in labels
    assert (found.relabelled, found.withdrawn, found.parent) == (1, 1, parent.content_hash())
    assert len(data) == len(parent) + found.new - 1
    check_splits(data)


def test_people_of_scored_splits_and_of_train_keep_their_sides(base, item, tmp_path):
    rows = base.rows.set_index("split")["group_id"]
    dataset = str(base.rows["dataset"].iloc[0])
    tested, trained = str(rows["test"].iloc[0]), str(rows["train"].iloc[0])
    items = [item(500 + number, True, dataset=dataset, group_id=group)
             for number, group in enumerate((tested, trained))]  # fmt: skip
    found, data, _, _ = merged(items, base, tmp_path, share=0.999)
    assert found.left_out == {"show people of a scored split": 1}
    assert found.train == {"real": 0, "fake": 1}  # the base knows these people already
    check_splits(data)


def test_data_that_are_not_there_are_not_trained_without(base, item, tmp_path):
    elsewhere = replace(base, root=tmp_path / "not mounted")
    with pytest.raises(DataError, match="80 of the 80 files that"):
        merged([item(500, True)], elsewhere, tmp_path)


def test_a_parent_that_changed_meanwhile_is_refused(base, item, tmp_path, monkeypatch):
    from deepfake_lightning.retraining import merging

    real = merging.write_manifest

    def tamper(manifest, path, **more):
        real(manifest.with_rows(manifest.rows[manifest.rows["split"] != "val"]), path, **more)

    monkeypatch.setattr(merging, "write_manifest", tamper)
    with pytest.raises(DataError, match="scored splits are not those"):
        merged([item(500, True)], base, tmp_path)
