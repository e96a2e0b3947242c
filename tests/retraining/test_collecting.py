"""New media for a training: which are taken, and why others are not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from deepfake_lightning.monitoring.log.request_ids import time_of
from deepfake_lightning.retraining.collecting import find_new, kind_of, take_media
from deepfake_lightning.retraining.labelled import LabelledRequest
from deepfake_lightning.retraining.new_items import NewItem
from deepfake_lightning.retraining.policy import RetrainPolicy


def found_in(production, policy=None, **more):
    more = {"files_since_us": 0, **more}
    return find_new(production.log, production.workspace, "production",
                    policy or RetrainPolicy(), **more)  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "score", "label", "kind"),
    [("manipulation_indicated", 0.9, 0, "misclassified"), ("no_indication", 0.45, 1,
     "misclassified"), ("inconclusive", 0.9, 1, "uncertain"), ("no_indication", 0.45, 0,
     "uncertain"), ("no_indication", 0.1, 0, "drifted")],
)  # fmt: skip
def test_what_an_item_is_to_the_detector(verdict, score, label, kind):
    one = LabelledRequest("r", 50, "image", label, 60, "v1", verdict, score, True, True)
    assert kind_of(one, {"v1": [(40, 60)]}) == kind
    assert kind_of(one, {"v2": [(40, 60)], "v1": [(0, 50)]}) != "drifted"


def test_labelled_media_are_taken_and_the_others_counted(production):
    wrong = production.reviewed(fake=True)
    right = production.reviewed(fake=False)
    production.reviewed(fake=True, kept=False)
    production.ask(fake=True)  # nobody has said anything
    found = found_in(production)
    assert {(one.key, one.kind, one.label) for one in found.items} == {
        (wrong, "misclassified", 1), (right, "other", 0)}  # fmt: skip
    assert found.left_out == {"labelled, and their media are not kept": 1}
    assert found.new_labels(0) == (1, 1)


def test_what_is_trained_on_is_not_new_and_its_label_is_put_right(production):
    same, other = (production.reviewed(fake=True) for _ in range(2))
    doubted = production.ask(fake=True, labels=[("bo", -1, "review"), ("cy", -1, "review")])
    new = production.reviewed(fake=False)
    policy = RetrainPolicy(most=1)  # known ones take no place of new ones
    found = found_in(production, policy, learnt={same: 1, other: 0, doubted: 1, "pruned": 1})
    assert [one.key for one in found.items] == [new]
    assert found.corrected == {other: 1, doubted: None}
    assert found.left_out == {"reviewers cannot tell": 1, "trained on already": 1}


def test_the_policy_says_which_come_first_and_how_many(production):
    for number in range(4):
        production.reviewed(fake=number % 2 == 0)
    policy = RetrainPolicy(take=("misclassified", "other"), most=3)
    found = found_in(production, policy)
    assert [one.kind for one in found.items] == ["misclassified", "misclassified", "other"]
    assert found.left_out == {"more than the policy takes": 1}
    none = found_in(production, RetrainPolicy(take=("uncertain",)))
    assert not none.items
    assert sum(none.left_out.values()) == 4


def test_files_that_were_dropped_are_found_by_when_they_came(production, write_picture):
    images = production.workspace.data / "images"
    write_picture(images / "train" / "fake" / "a.jpg", fake=True)
    known = write_picture(images / "train" / "real" / "b.jpg")
    write_picture(images / "test" / "real" / "c.jpg")
    found = found_in(production, known_files=lambda: {known.resolve()})
    assert [(Path(one.media).name, one.label, one.kind) for one in found.items] == [
        ("a.jpg", 1, "files")]  # fmt: skip
    assert found.left_out == {"files that belong to a scored split of their own": 1}
    assert found.items[0].key.startswith("file-")
    assert time_of(found.items[0].key) is None  # and so nothing erases it
    later = known.stat().st_ctime_ns // 1000 + 60_000_000
    assert not found_in(production, files_since_us=later).items


def test_files_are_copied_and_do_not_look_new_afterwards(production, write_picture, tmp_path):
    path = write_picture(production.workspace.data / "images" / "fake" / "a.jpg", fake=True)
    write_picture(production.workspace.data / "images" / "real" / "b.jpg")
    came = path.stat().st_ctime_ns
    taken = take_media(find_new(None, production.workspace, "production", RetrainPolicy(),
                                files_since_us=0), tmp_path / "media")  # fmt: skip
    assert len(taken.items) == 2
    assert (path.stat().st_ctime_ns, path.stat().st_nlink) == (came, 1)
    assert (tmp_path / "media" / taken.items[0].media).is_file()


def test_files_without_known_labels_are_said(production, write_picture):
    write_picture(production.workspace.data / "images" / "loose.jpg")
    found = found_in(production)
    assert not found.items
    assert [name.startswith("files whose labels cannot") for name in found.left_out] == [True]


def test_media_are_linked_under_the_names_of_their_requests(production, tmp_path):
    kept, gone = production.reviewed(fake=True), production.reviewed(fake=False)
    found = found_in(production)
    for one in found.items:
        if one.key == gone:
            Path(one.media).unlink()
    taken = take_media(found, tmp_path / "media")
    again = take_media(found, tmp_path / "media")
    assert taken.items == again.items
    assert [one.media for one in taken.items] == [f"{kept}.jpg"]
    assert (tmp_path / "media" / f"{kept}.jpg").stat().st_nlink == 2
    assert Counter(taken.left_out)["their media were removed meanwhile"] == 1
    assert NewItem(**vars(taken.items[0])) == taken.items[0]
