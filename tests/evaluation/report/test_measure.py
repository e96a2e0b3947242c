"""What a report measures, held against other libraries and counts by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from deepfake_lightning.errors import UsageError
from deepfake_lightning.evaluation.report import evaluate
from deepfake_lightning.evaluation.report.record import Evaluation
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.metrics import Interval, sigmoid
from deepfake_lightning.schemas import Calibration

Make = Callable[..., Subject]


def measured(subject: Subject, **options: Any) -> Evaluation:
    found = evaluate(subject, **{"draws": 200, **options})
    json.dumps(found.to_dict(), allow_nan=False)  # whatever was found can be written
    return found


def test_metrics_are_those_of_another_library(noisy: Make) -> None:
    subject = noisy()
    item = measured(subject).results["item"]
    labels = subject.predictions["label"].to_numpy(int)
    logits = subject.predictions["logit"].to_numpy(float)
    assert item.metrics["auroc"].value == pytest.approx(roc_auc_score(labels, logits))
    expected = average_precision_score(labels, logits)
    assert item.metrics["average_precision"].value == pytest.approx(expected)
    assert item.metrics["log_loss"].value == pytest.approx(log_loss(labels, sigmoid(logits)))
    assert (item.real, item.fake, item.groups) == (100, 100, 100)
    assert item.confusion is not None
    assert item.confusion.tp + item.confusion.fn == 100
    assert item.confusion.fp == int((logits[labels == 0] >= 0).sum())
    for one in item.metrics.values():
        if one.low is not None and one.high is not None and one.value is not None:
            assert one.low <= one.value <= one.high


def test_two_faces_in_a_clip_are_two_tracks_and_one_item(make_subject: Make) -> None:
    # The first clip shows a real and a swapped face: the higher score is the clip's.
    columns = {
        "video_id": ["a", "a", "a", "a", "b", "b"], "path": ["a.mp4"] * 4 + ["b.mp4"] * 2,
        "media_type": "video", "track_id": [0, 0, 1, 1, 0, 0], "frame": [0, 5, 0, 5, 0, 5],
        "group_id": "g",
    }  # fmt: skip
    subject = make_subject([-3, -1, 2, 4, -4, -2], [1, 1, 1, 1, 0, 0], columns=columns)
    found = measured(subject)
    assert (found.counts.items, found.counts.tracks, found.counts.frames) == (2, 3, 6)
    assert found.levels.item.logit.tolist() == [3.0, -3.0]
    assert sorted(found.levels.track.logit.tolist()) == [-3.0, -2.0, 3.0]
    assert found.results["item"].metrics["auroc"].value == 1.0
    tracks = next(one for one in found.breakdowns if one.column == "tracks")
    assert {group.value: (group.real, group.fake) for group in tracks.subgroups} == {
        "1": (1, 0), "2": (0, 1),
    }  # fmt: skip


def test_items_without_a_face_are_counted_and_in_no_figure(make_subject: Make) -> None:
    logits, labels = [2.0, None, -1.0, None, None, 1.0], [1, 1, 0, 0, 0, 1]
    found = measured(make_subject(logits, labels))
    assert found.counts.unscored == {"no_face": {"real": 2, "fake": 1}}
    assert found.counts.without_score == 3
    assert (found.counts.real, found.counts.fake) == (1, 2)
    assert found.results["item"].metrics["accuracy"].value == 1.0
    assert found.counts.examples["no_face"][0] == "fake/0001.jpg"


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_alone(make_subject: Make, label: int) -> None:
    found = measured(make_subject(np.linspace(-2, 2, 20), [label] * 20))
    metrics = found.results["item"].metrics
    for name in ("auroc", "eer", "average_precision", "balanced_accuracy", "tpr_at_fpr_1"):
        assert metrics[name] == Interval(None, None, None)
    assert metrics["accuracy"].value == 0.5
    (kind,) = found.kinds
    (threshold,) = kind.thresholds
    assert (threshold.found if label else threshold.false_alarms).value == 0.5
    assert (threshold.false_alarms if label else threshold.found).value is None
    assert threshold.precision is None


def test_twenty_equal_scores_are_chance(make_subject: Make) -> None:
    found = measured(make_subject([0.3] * 20, [0, 1] * 10))
    metrics = found.results["item"].metrics
    assert metrics["auroc"].value == metrics["eer"].value == 0.5
    assert metrics["tpr_at_fpr_1"].value == 0.0
    assert metrics["recall"].value == 1.0


@pytest.mark.parametrize("logit", [1.5, None])
def test_a_single_item(make_subject: Make, logit: float | None) -> None:
    found = measured(make_subject([logit], [1]))
    metrics = found.results["item"].metrics
    assert metrics["auroc"].value is None
    assert metrics["recall"].value == (None if logit is None else 1.0)
    assert metrics["recall"].low is None
    assert found.counts.items == 1


def test_a_ranking_has_no_probabilities(noisy: Make) -> None:
    subject = noisy()
    shifted = subject.predictions.assign(logit=subject.predictions["logit"] * 100 + 7)
    found = measured(Subject("r", shifted, scale="rank"))
    plain = measured(subject).results["item"].metrics
    metrics = found.results["item"].metrics
    assert metrics["auroc"] == plain["auroc"]
    assert metrics["log_loss"] == metrics["accuracy"] == Interval(None, None, None)
    assert (found.kinds, found.results["item"].confusion) == ((), None)
    assert all(one.probability is None for one in found.mistakes)


def test_thresholds_are_measured_and_verdicts_counted(noisy: Make, fitted: Calibration) -> None:
    subject = noisy(calibration=fitted)
    (kind,) = measured(subject, prevalence=0.1).kinds
    values = subject.predictions["logit"].to_numpy(float) / 2
    fake = subject.predictions["label"].to_numpy(int) == 1
    first, second = kind.thresholds
    assert (first.decides, second.decides) == (True, False)
    assert first.false_alarms.value == pytest.approx((values[~fake] >= 1.0).mean())
    assert second.found.value == pytest.approx((values[fake] >= 1.25).mean())
    assert first.probability == pytest.approx(1 / (1 + np.exp(-1)))
    assert first.promised is not None and first.promised.max_fpr == 0.05
    fpr = max(0.05, float(first.false_alarms.value or 0))
    tpr = float(first.found.value or 0)
    assert first.precision == pytest.approx(tpr * 0.1 / (tpr * 0.1 + fpr * 0.9))
    for label, of in (("real", ~fake), ("fake", fake)):
        counts = kind.verdicts[label]
        assert counts["manipulation_indicated"] == (values[of] >= 1.0).sum()
        assert counts["no_indication"] == (values[of] < -0.5).sum()
        assert sum(counts.values()) == 100
    assert kind.before["log_loss"] == pytest.approx(log_loss(fake, sigmoid(values * 2)))
    assert kind.after["log_loss"] == pytest.approx(log_loss(fake, sigmoid(values)))


def test_no_false_alarm_is_no_promise_of_none(make_subject: Make) -> None:
    # 20 reals without a false alarm: one in seven may be one, and most alarms false.
    (kind,) = measured(make_subject([-2.0, 2.0] * 20, [0, 1] * 20)).kinds
    (one,) = kind.thresholds
    assert one.false_alarms.value == 0.0 and one.false_alarms.high is not None
    high = one.false_alarms.high
    assert one.precision == pytest.approx(0.01 / (0.01 + 0.99 * high))
    assert one.precision < 0.1
    (kind,) = measured(make_subject([-2.0, 2.0] * 2, [0, 1] * 2)).kinds
    assert kind.thresholds[0].precision is None  # too few for an interval


def test_kinds_of_media_are_decided_apart(noisy: Make, fitted: Calibration) -> None:
    kinds = ["image"] * 100 + ["video"] * 100
    found = measured(noisy(calibration=fitted, columns={"media_type": kinds}))
    image, video = found.kinds
    assert (image.kind, image.temperature, video.kind, video.temperature) == (
        "image", 2.0, "video", None,
    )  # fmt: skip
    assert video.verdicts == {}
    assert [one.promised for one in video.thresholds] == [None]


def test_a_number_out_of_range(noisy: Make) -> None:
    for options in ({"prevalence": 0.0}, {"prevalence": 1.0}, {"least": 0}, {"by": ["x_none"]}):
        with pytest.raises(UsageError) as caught:
            evaluate(noisy(20), **options)  # type: ignore[arg-type]
        assert caught.value.next_step
