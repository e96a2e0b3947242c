"""Verdicts on detectors of which it is known which is better, and on which items they rest."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from deepfake_lightning.errors import DataError, UsageError
from deepfake_lightning.evaluation.comparison.compare import compare
from deepfake_lightning.evaluation.comparison.record import Comparison
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.metrics import COMPARED, auroc, brier, holm, log_loss, sigmoid
from deepfake_lightning.schemas import Calibration, ItemCalibration

SUBJECTS = runpy.run_path(str(Path(__file__).parents[1] / "comparison_subjects.py"))
subject, of_logits, changed = (SUBJECTS[k] for k in ("subject", "of_logits", "changed"))


def quick(*subjects: Subject) -> Comparison:
    return compare(subjects, draws=200)


def verdicts(found: Comparison) -> list[str]:
    return [pair.headline.verdict for pair in found.pairs]


def moved(one: Subject, **change: object) -> Subject:
    return Subject(**{**vars(one), **change})


def test_a_clearly_better_detector_is_better_and_the_other_way_round_worse() -> None:
    weak, strong = subject("weak", 0.8, 1), subject("strong", 1.8, 2)
    found = quick(weak, strong)
    assert verdicts(found) == ["better"]
    assert {one.verdict for one in found.pairs[0].differences.values()} == {"better"}
    says = found.says(found.pairs[0])
    assert says.startswith("strong is better than weak: AUROC +0.")
    assert says.endswith("It rests on 400 items (200 real, 200 fake) of 100 groups.")
    back = quick(strong, weak)
    assert verdicts(back) == ["worse"]
    assert back.pairs[0].headline.difference == -found.pairs[0].headline.difference


def test_equal_detectors_cannot_be_told_apart() -> None:
    found = quick(subject("a", 1, 1), subject("b", 1, 2))
    assert set(one.verdict for one in found.pairs[0].differences.values()) == {"cannot tell"}
    assert found.says(found.pairs[0]).startswith("Cannot tell whether b is better than a: AUROC")


def test_the_same_scores_differ_in_nothing() -> None:
    found = quick(subject("a"), subject("a"))
    assert [one.name for one in found.detectors] == ["a", "a (2)"]
    for one in found.pairs[0].differences.values():
        assert (one.difference, one.low, one.high, one.verdict) == (0, 0, 0, "cannot tell")
    assert found.disagreements == ()


def test_names_stay_apart() -> None:
    found = quick(*(subject(name) for name in ("a", "a (2)", "a", "a")))
    assert len({one.name for one in found.detectors}) == 4
    assert found.detectors[1].name == "a (2)"


def test_verdicts_rest_on_values_of_calibrated_items() -> None:
    fitted = ItemCalibration(temperature=2.5, indicated_from=0.0, clear_below=0.0, items=50)
    a, b = subject("a", 1.0, 1), subject("b", 1.2, 2, calibration=Calibration(video=fitted))
    found = quick(a, b)
    logits = b.predictions["logit"].to_numpy(float)
    labels = b.predictions["label"].to_numpy(int)
    order = np.argsort(b.predictions["video_id"].to_numpy(str))
    assert np.array_equal(found.items.logits[1], logits[order] / 2.5)
    shown = {name: one.value for name, one in found.detectors[1].metrics.items()}
    assert shown["auroc"] == pytest.approx(auroc(logits, labels))
    assert shown["log_loss"] == pytest.approx(log_loss(logits / 2.5, labels))
    assert shown["brier"] == pytest.approx(brier(sigmoid(logits / 2.5), labels))


def test_items_of_unknown_kind_are_not_calibrated_and_it_is_said() -> None:
    fitted = ItemCalibration(temperature=2.0, indicated_from=0.0, clear_below=0.0, items=50)
    b = changed(subject("b", calibration=Calibration(video=fitted)), slice(None), media_type=None)
    found = quick(subject("a"), b)
    assert any("400 items do not say whether" in note for note in found.notes)
    assert np.array_equal(found.items.logits[0], found.items.logits[1])


def test_one_class_leaves_undefined_what_needs_two() -> None:
    labels = np.zeros(40, dtype=int)
    noise = np.random.default_rng(0).normal(size=(2, 40))
    found = quick(of_logits("a", noise[0], labels), of_logits("b", noise[1] - 3, labels))
    assert found.pairs[0].headline.difference is None
    assert verdicts(found) == ["cannot tell"]
    assert "AUROC is undefined, since there are no items of both" in found.says(found.pairs[0])
    assert found.pairs[0].differences["brier"].difference < 0
    json.dumps(found.to_dict(), allow_nan=False)


def test_twenty_identical_scores() -> None:
    labels = np.tile([0, 1], 10)
    found = quick(of_logits("a", np.zeros(20), labels), of_logits("b", np.zeros(20), labels))
    assert found.detectors[0].metrics["auroc"].value == 0.5
    assert verdicts(found) == ["cannot tell"]
    assert any("5 groups only" in note for note in found.notes)


def test_one_item() -> None:
    found = quick(of_logits("a", [1.0], [1]), of_logits("b", [-1.0], [1]))
    assert verdicts(found) == ["cannot tell"]
    assert "1 item (0 real, 1 fake) of 1 group." in found.says(found.pairs[0])
    assert [one.right for one in found.disagreements] == [("a",)]


def test_what_one_did_not_score_is_counted_and_named() -> None:
    a, b = subject("a"), subject("b", 1.1, 2)
    b = changed(b, slice(0, 3), status="no_face", logit=None)
    b = changed(b, slice(3, 5), status="unreadable", logit=None)
    b = moved(b, predictions=b.predictions.iloc[:-7])
    found = quick(a, b)
    counted = {(one.name, one.reason): one.count for one in found.items.left_out}
    assert counted == {("b", "no_face"): 3, ("b", "unreadable"): 2, ("b", "absent"): 7}
    assert found.counts["items"] == 400 - 12
    shown = next(one for one in found.items.left_out if one.reason == "no_face")
    assert set(shown.examples) == {
        "set/real/clip_0000", "set/fake/clip_0001", "set/real/clip_0002"
    }  # fmt: skip
    other_way = {(one.name, one.reason): one.count for one in quick(b, a).items.left_out}
    assert other_way == counted


def test_labels_that_disagree_are_refused() -> None:
    b = changed(subject("b"), slice(0, 2), label=1)
    with pytest.raises(DataError, match="disagree on the label of 1 items") as caught:
        quick(subject("a"), b)
    assert "set/real/clip_0000 (real in a, fake in b)" in str(caught.value)


def test_labels_are_taken_from_who_has_them() -> None:
    b = changed(subject("b", 1.5, 2), slice(None), label=None)
    found = quick(subject("a"), b)
    assert found.counts["items"] == 400
    assert "Labels that b lacks are those of the others." in found.notes
    neither = [changed(one, slice(0, 4), label=None) for one in (subject("a"), b)]
    left = quick(*neither).items.left_out
    assert [(one.name, one.reason, one.count) for one in left] == [("", "unlabelled", 4)]


def test_nothing_in_common_is_refused() -> None:
    b = subject("b")
    strange = b.predictions.assign(video_id="x", path="y/z.mp4").iloc[:1]
    with pytest.raises(DataError, match="no item in common"):
        quick(subject("a"), moved(b, predictions=strange))
    blind = changed(b, slice(None), status="no_face", logit=None)
    with pytest.raises(DataError, match=r"no item that all detectors scored.*400 no face"):
        quick(subject("a"), blind)
    blank = [changed(subject(name), slice(None), label=None) for name in ("a", "b")]
    with pytest.raises(DataError, match="and that has a label"):
        quick(*blank)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (lambda path: path, "path"),
        (lambda path: "/data/elsewhere/" + path.replace(".mp4", ".avi"), "folder and file name"),
        (lambda path: path.rpartition("/")[2], "file name"),
    ],
)
def test_items_are_matched_by_path_where_no_id_is_shared(path: object, key: str) -> None:
    b = subject("b", 1.5, 2)
    table = b.predictions.assign(
        video_id=[f"n{number}" for number in range(400)],
        path=[path(one) for one in b.predictions["path"]],  # type: ignore[operator]
    )
    table = table.iloc[::-1]
    found = quick(subject("a"), moved(b, predictions=table.astype(b.predictions.dtypes)))
    assert found.items.matched_by == (key,)
    assert found.counts["items"] == 400
    assert found.pairs[0].differences == quick(subject("a"), b).pairs[0].differences
    assert any(f"matched with a by {key}" in note for note in found.notes)


def test_names_that_stand_twice_match_nothing() -> None:
    b = subject("b")
    paths = b.predictions["path"].str.rpartition("/")[2].to_list()
    paths[1] = paths[0]
    table = b.predictions.assign(video_id=[f"n{n}" for n in range(400)], path=paths)
    found = quick(subject("a"), moved(b, predictions=table.astype(b.predictions.dtypes)))
    assert found.counts["items"] == 398
    assert any("2 items of b have a name that stands twice" in note for note in found.notes)


def test_a_ranking_is_compared_by_ranking_metrics_alone() -> None:
    b = subject("b", 1.8, 2)
    ranks = b.predictions.assign(logit=b.predictions["logit"].rank())
    found = quick(subject("a"), moved(b, predictions=ranks, scale="rank"))
    assert set(found.pairs[0].differences) == {
        "auroc", "average_precision", "eer", "tpr_at_fpr_1",
    }  # fmt: skip
    assert verdicts(found) == ["better"]
    unranked = quick(subject("a"), b).pairs[0].headline.difference
    assert found.pairs[0].headline.difference == pytest.approx(unranked)
    assert found.detectors[1].metrics["log_loss"].value is None
    assert found.detectors[0].metrics["log_loss"].value is not None
    assert "share of items" in found.apart_by
    assert all(0 <= score <= 1 for one in found.disagreements for score in one.scores.values())


def test_three_are_compared_pair_by_pair_under_one_correction() -> None:
    found = quick(subject("a", 0.8, 1), subject("b", 1.8, 2), subject("c", 1.9, 3))
    assert [(pair.a, pair.b) for pair in found.pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [tuple(pair.differences) for pair in found.pairs] == [COMPARED, COMPARED, ("auroc",)]
    assert verdicts(found) == ["better", "better", "cannot tell"]
    every = [one for pair in found.pairs for one in pair.differences.values()]
    adjusted = holm(np.array([one.p for one in every]))
    assert [one.p_adjusted for one in every] == adjusted.tolist()
    assert found.tests == found.to_dict()["correction"]["tests"] == len(every) == 15


def test_the_furthest_apart_come_first_and_say_who_is_right() -> None:
    a = of_logits("a", [5.0, -5, 2, -2, 1, -1, 0.1, 0], [1, 0, 1, 0, 1, 0, 1, 0])
    b = changed(a, slice(0, 1), logit=-5.0)
    b = moved(changed(b, slice(3, 4), logit=2.0), name="b")
    first, second = quick(a, b).disagreements
    assert (first.item, first.label, first.right) == ("set/fake/clip_0000", 1, ("a",))
    assert first.scores == pytest.approx({"a": sigmoid(5), "b": sigmoid(-5)})
    assert (second.item, second.right) == ("set/real/clip_0003", ("a",))
    assert len(quick(subject("a"), subject("b", 1, 2)).disagreements) == 20


def test_groups_are_of_the_first_that_has_any() -> None:
    a, b = subject("a"), subject("b", 1.5, 2)
    lone = changed(a, slice(None), group_id=None)
    found = quick(lone, b)
    assert found.counts["groups"] == 100
    assert "Groups are those of b: a has none." in found.notes
    assert any("(group_id)" in note for note in quick(lone, lone).notes)
    other = changed(b, slice(0, 40), group_id="one")
    assert any("b groups the items in another way" in note for note in quick(a, other).notes)
    renamed = b.predictions.assign(group_id="x" + b.predictions["group_id"])
    assert not any("groups the items" in n for n in quick(a, moved(b, predictions=renamed)).notes)


def test_what_a_reader_has_to_know_is_said() -> None:
    a = subject("a", is_demo=True, data={"split": "val", "content_hash": "x"})
    b = subject("b", 1.5, 2, data={"split": "test", "content_hash": "y"})
    notes = " ".join(quick(a, b).notes)
    for words in ("a was trained on drawn faces", "val data for a", "different data sets",
                  "two trainings of one recipe", "data like these"):  # fmt: skip
        assert words in notes
    twice = [subject(name, model={"digest": "d"}) for name in ("a", "b")]
    assert any("same detector" in note for note in quick(*twice).notes)


def test_one_detector_is_no_comparison() -> None:
    with pytest.raises(UsageError, match="1 detectors"):
        compare([subject("a")])


def test_the_order_of_rows_does_not_matter() -> None:
    a, b = subject("a"), subject("b", 1.4, 2)
    mixed = moved(b, predictions=b.predictions.sample(frac=1, random_state=0))
    assert quick(a, mixed).to_dict() == quick(a, b).to_dict()


def test_who_is_not_calibrated_is_said() -> None:
    fitted = ItemCalibration(temperature=2.0, indicated_from=0.0, clear_below=0.0, items=50)
    raw, good = subject("raw"), subject("good", 1.5, 2, calibration=Calibration(video=fitted))
    assert any(note.startswith("Not calibrated: raw. Log loss") for note in quick(raw, good).notes)
    assert not any("Not calibrated" in note for note in quick(good, good).notes)


def test_versions_of_one_name_are_told_apart_by_their_experiments() -> None:
    both = [
        subject("v1", 1, seed, model={"experiment": name}) for seed, name in ((1, "a"), (2, "b"))
    ]
    assert [one.name for one in quick(*both).detectors] == ["a/v1", "b/v1"]


def test_many_looks_at_the_same_items_are_said() -> None:
    def looked(looks: int) -> Subject:
        return subject(str(looks), 1, looks, data={"split": "test", "looks": looks})

    assert any("scored 9 times" in note for note in quick(looked(8), looked(9)).notes)
    assert not any(" times:" in note for note in quick(looked(1), looked(2)).notes)
