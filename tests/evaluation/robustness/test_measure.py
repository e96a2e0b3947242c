"""Degraded scores beside clean ones: figures that are known, and against scikit-learn."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from deepfake_lightning.evaluation.report import Evaluation, evaluate
from deepfake_lightning.evaluation.report.files import evaluation_markdown
from deepfake_lightning.evaluation.report.page import evaluation_page
from deepfake_lightning.evaluation.robustness.record import (
    DegradedResult,
    DegradedScores,
    Face,
    Robustness,
    Unmade,
)
from deepfake_lightning.evaluation.robustness.words import worst_words
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.metrics import delong
from deepfake_lightning.schemas import Calibration

COUNT = 200


@pytest.fixture
def degraded(
    noisy: Callable[..., Subject], fitted: Calibration
) -> Callable[..., tuple[Subject, Robustness]]:
    """Return a function that measures a detector under changes of its logits, by key."""

    def make(
        changes: dict[str, Any], unmade: dict[str, Unmade] | None = None, **fields: Any
    ) -> tuple[Subject, Robustness]:
        subject = noisy(COUNT, **{"calibration": fitted, **fields})
        rows = subject.predictions.sort_values("video_id")
        logit, name = rows["logit"].to_numpy(float), rows["video_id"].to_numpy(str)
        parts = []
        for key, change in changes.items():
            values = change(logit)
            parts.append(pd.DataFrame({
                "degradation": key, "video_id": name, "logit": values,
                "status": np.where(np.isnan(values), "no_face", "ok"),
            }))  # fmt: skip
        scores = DegradedScores(pd.concat(parts), tuple(name), 1000, {"crop": COUNT}, 0,
                                unmade=unmade or {})  # fmt: skip
        found = evaluate(
            Subject(**{**vars(subject), "degraded": scores}), draws=300
        ).robustness  # fmt: skip
        assert found is not None
        return subject, found

    return make


def of(found: Robustness, key: str) -> DegradedResult:
    return next(one for one in found.results if one.key == key)


def mixed(logit: np.ndarray) -> np.ndarray:
    return logit + np.random.default_rng(9).normal(size=logit.size) * 3


def test_figures_are_those_of_the_scores(degraded: Any) -> None:
    subject, found = degraded({"jpeg_30": mixed})
    one = of(found, "jpeg_30")
    rows = subject.predictions.sort_values("video_id")
    label, clean = rows["label"].to_numpy(int), rows["logit"].to_numpy(float)
    dirty = mixed(clean)
    assert one.auroc.clean == pytest.approx(roc_auc_score(label, clean))
    assert one.auroc.degraded.value == pytest.approx(roc_auc_score(label, dirty))
    pair = delong(clean, dirty, label, rows["group_id"].to_numpy(str))
    ends = one.auroc.difference
    assert (ends.value, ends.low, ends.high) == pytest.approx(
        (pair.difference, pair.low, pair.high)
    )
    assert one.lost == pytest.approx(-ends.value) and one.lost > 0.05
    # Called manipulated from calibrated log-odds 1 on, the temperature being 2.
    for change, hit, sign in (
        (one.false_alarms, lambda x: (x[label == 0] >= 2).mean(), 1),
        (one.missed, lambda x: (x[label == 1] < 2).mean(), -1),
    ):
        assert change.clean == pytest.approx(hit(clean))
        assert change.degraded.value == pytest.approx(hit(dirty))
        assert change.difference.value == pytest.approx(hit(dirty) - hit(clean))
        assert change.difference.low < change.difference.value < change.difference.high
        assert sign
    assert (found.real, found.fake, found.of) == (100, 100, 1000)
    assert found.auroc.value == one.auroc.clean
    assert found.false_alarms.value == one.false_alarms.clean


def test_what_changes_nothing_costs_nothing(degraded: Any) -> None:
    _, found = degraded({"jpeg_95": lambda logit: logit.copy()})
    one = of(found, "jpeg_95")
    for change in (one.auroc, one.false_alarms, one.missed):
        assert change.difference.value == 0 and change.difference.low <= 0 <= change.difference.high
    assert one.unscored.value == 0 and one.lost == 0


def test_a_shift_leaves_the_ranking_and_moves_the_errors(degraded: Any) -> None:
    _, found = degraded({"noise_20": lambda logit: logit - 2})
    one = of(found, "noise_20")
    assert one.lost == 0
    assert one.missed.difference.low > 0 and one.false_alarms.difference.value < 0


def test_the_worst_comes_first_and_what_is_gone_before_all(degraded: Any) -> None:
    def lost(logit: np.ndarray) -> np.ndarray:
        return np.full(logit.size, np.nan)

    def half(logit: np.ndarray) -> np.ndarray:
        return np.where(np.arange(logit.size) % 2 == 0, logit, np.nan)

    changes = {"jpeg_95": lambda x: x, "jpeg_30": lambda x: mixed(x), "blur_4": lost,
               "blur_2": half, "noise_20": lambda x: -x}  # fmt: skip
    _, found = degraded(changes)
    keys = [one.key for one in found.results]
    assert keys[:3] == ["blur_4", "noise_20", "jpeg_30"]
    assert found.worst is not None and found.worst.lost is None
    gone = of(found, "blur_4")
    assert (gone.no_face, gone.real, gone.unscored.value) == (COUNT, 0, 1.0)
    some = of(found, "blur_2")
    assert some.no_face == COUNT // 2 and some.unscored.value == 0.5
    assert some.lost == 0  # of the items that still have a score, clean and degraded alike


@pytest.mark.parametrize("label, name", [(0, "false alarms"), (1, "missed fakes")])
def test_of_one_class_the_worst_adds_most_mistakes(
    make_subject: Any, fitted: Calibration, label: int, name: str
) -> None:
    """Real items alone are how false alarms are looked for: there is nothing to rank then."""
    worse = 1 if label == 0 else -1
    clean = np.random.default_rng(0).normal(size=40) + (-1.0 if label == 0 else 3.0)
    subject = make_subject(clean, [label] * 40, calibration=fitted)
    names = subject.predictions["video_id"].to_numpy(str)
    parts = [pd.DataFrame({"degradation": key, "video_id": names, "logit": clean + change,
                           "status": "ok"})
             for key, change in (("jpeg_95", 0.0), ("blur_2", 9.0 * worse), ("noise_20", worse),
                                 ("jpeg_30", 0.4 * worse))]  # fmt: skip
    scores = DegradedScores(pd.concat(parts), tuple(names), 40, {"crop": 40}, 0)
    found = evaluate(Subject(**{**vars(subject), "degraded": scores}), draws=200)
    assert found.robustness is not None
    assert [one.key for one in found.robustness.results] == [
        "blur_2", "noise_20", "jpeg_30", "jpeg_95"
    ]  # fmt: skip
    (said,) = worst_words(found.robustness)
    assert f"{name} 100.0 %, +" in said and "points, all scored" in said
    text = evaluation_markdown(found)
    assert ("of the manipulated pictures" in text) is (label == 1)
    assert ("of the real pictures manipulated" in text) is (label == 0)


def test_few_that_are_left_are_no_measure(degraded: Any) -> None:
    def three_reals(logit: np.ndarray) -> np.ndarray:
        rows = np.random.default_rng(0).random(logit.size)
        return np.where(rows < 0.03, logit, np.nan)

    _, found = degraded({"noise_20": lambda x: -x, "downscale_4": three_reals})
    one = found.results[0]
    assert one.key == "downscale_4" and one.is_gone and not of(found, "noise_20").is_gone
    assert (one.reals, one.fakes) == (100, 100) and 0 < one.real + one.fake < 20
    (said,) = worst_words(found)
    assert f"{one.no_face} of 200 items without a score" in said
    assert f"{one.real} of 100 real items" in said and "AUROC" not in said


def test_what_could_not_be_degraded_is_in_no_figure_and_said(degraded: Any) -> None:
    unmade = {"h264_28": Unmade(3, "clip.mp4 is too long"), "jpeg_30": Unmade(1, "no room"),
              "jpeg_50": Unmade(1, "no room")}  # fmt: skip
    subject, found = degraded({"jpeg_30": mixed}, unmade=unmade)
    assert found.to_dict()["unmade"]["h264_28"] == {"items": 3, "reason": "clip.mp4 is too long"}
    assert of(found, "jpeg_30").unmade == 1 and of(found, "jpeg_30").unscored.value == 0
    page = evaluation_page(evaluated(subject, found))
    assert "H.264, CRF 28: 3 items (the first: clip.mp4 is too long)" in page
    assert "JPEG, quality 30 / JPEG, quality 50: 1 item each (the first: no room)" in page


def test_without_a_calibration_probability_a_half_decides(degraded: Any) -> None:
    subject, found = degraded({"jpeg_50": lambda x: x}, calibration=Calibration())
    rows = subject.predictions
    alarms = (rows["logit"][rows["label"] == 0] >= 0).mean()
    assert found.calibrated == () and found.kinds == ("image",)
    assert found.false_alarms.value == pytest.approx(alarms)


def test_scores_that_only_rank_have_no_errors(degraded: Any) -> None:
    _, found = degraded({"jpeg_50": mixed}, scale="rank", calibration=Calibration())
    one = of(found, "jpeg_50")
    assert one.auroc.difference.value is not None
    assert one.false_alarms.degraded.value is None and found.missed.value is None


def evaluated(subject: Subject, found: Robustness) -> Evaluation:
    return Evaluation(**{**vars(evaluate(subject, draws=50)), "robustness": found})


def test_the_report_says_it_in_all_its_files(degraded: Any) -> None:
    subject, found = degraded({"jpeg_95": lambda x: x, "noise_20": mixed})
    shown = Robustness(
        **{**vars(found), "faces": (Face("as it is", b"jpeg"), Face("blur", None),
                                  Face("social", None, "unreadable")),
           "example": "real/<i>0</i>"}
    )  # fmt: skip
    one = evaluated(subject, shown)
    page, markdown = evaluation_page(one), evaluation_markdown(one)
    for said in ("Under degradations", "Worst: noise, sigma 20 levels", "drawn from 1,000",
                 "at the calibrated threshold of pictures", "200 face crops"):  # fmt: skip
        assert said in page and said in markdown, said
    assert markdown.index("| noise, sigma 20 levels") < markdown.index("| JPEG, quality 95")
    assert page.count("data:image/svg+xml") == 5
    assert "no face</div>" in page and "unreadable</div>" in page
    assert "<i>0</i>" not in page and "data:image/jpeg" in page
    record = json.loads(json.dumps(one.to_dict(), allow_nan=False))["robustness"]
    assert record["results"][0]["key"] == "noise_20" and record["places"] == {"crop": COUNT}
    assert "faces" not in record and "example" not in record
    without = evaluate(subject, draws=50)
    assert "Under degradations" not in evaluation_page(without)
    assert without.to_dict()["robustness"] is None
