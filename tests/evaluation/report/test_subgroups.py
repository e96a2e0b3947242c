"""Whom a detector works for, and whom it does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from deepfake_lightning.evaluation.report import evaluate
from deepfake_lightning.evaluation.report.record import Breakdown
from deepfake_lightning.evaluation.report.sections import sections
from deepfake_lightning.evaluation.subject import Subject

Make = Callable[..., Subject]


def broken_down(subject: Subject, column: str, **options: object) -> Breakdown:
    found = evaluate(subject, draws=200, **options)  # type: ignore[arg-type]
    return next(one for one in found.breakdowns if one.column == column)


def test_a_gap_is_that_of_counts_by_hand(noisy: Make) -> None:
    side = np.where(np.arange(200) % 4 < 2, "left", "right")
    subject = noisy(columns={"x_side": side})
    logit = subject.predictions["logit"].to_numpy(float) + np.where(side == "left", 1.5, 0)
    subject = Subject("v1", subject.predictions.assign(logit=pd.array(logit, dtype="Float64")))
    found = broken_down(subject, "x_side")
    fake = subject.predictions["label"].to_numpy(int) == 1
    rates = {name: float((logit[~fake & (side == name)] >= 0).mean()) for name in ("left", "right")}
    groups = {group.value: group for group in found.subgroups}
    for name, rate in rates.items():
        assert groups[name].false_alarms.value == pytest.approx(rate)
        assert (groups[name].real, groups[name].fake) == (50, 50)
    gap = next(gap for gap in found.gaps if gap.of == "false_alarms")
    assert (gap.highest, gap.lowest) == ("left", "right")
    assert gap.difference.value == pytest.approx(rates["left"] - rates["right"])
    assert gap.difference.low is not None and gap.difference.low > 0


def test_small_groups_are_shown_and_not_compared(noisy: Make) -> None:
    side = np.array(["many"] * 190 + ["few"] * 10)
    found = broken_down(noisy(columns={"x_side": side}), "x_side")
    groups = {group.value: group for group in found.subgroups}
    assert [group.value for group in found.subgroups] == ["many", "few"]
    assert (groups["few"].real, found.least) == (5, 20)
    assert groups["few"].false_alarms.value is not None
    assert found.gaps == ()
    assert broken_down(noisy(columns={"x_side": side}), "x_side", least=5).gaps
    # A group with few reals takes part in the gap of misses alone, and its other rate is marked.
    subject = noisy()
    fake = (subject.predictions["label"] == 1).to_numpy(bool)
    half = np.where(fake, np.arange(200) % 4 == 1, np.arange(200) < 10)
    subject = Subject("v1", subject.predictions.assign(x_half=np.where(half, "a", "b")))
    evaluated = evaluate(subject, draws=100)
    found = next(one for one in evaluated.breakdowns if one.column == "x_half")
    assert [gap.of for gap in found.gaps] == ["missed"]
    section = next(one for one in sections(evaluated) if one.key == "by_x_half")
    row = next(row for row in section.rows if row[0] == "a")
    assert row[5].endswith("*") and not row[6].endswith("*")


def test_methods_are_held_against_the_reals_of_their_data_sets(make_subject: Make) -> None:
    labels = [0] * 10 + [1] * 10 + [0] * 10 + [1] * 10
    logits = [-2.0] * 10 + [1.0] * 10 + [2.0] * 10 + [1.0] * 10
    columns = {
        "dataset": ["a"] * 20 + ["b"] * 20,
        "method": [None] * 10 + ["swap"] * 10 + [None] * 10 + ["swap2"] * 5 + ["gan"] * 5,
    }
    found = broken_down(make_subject(logits, labels, columns=columns), "method")
    assert found.shared_reals
    groups = {group.value: group for group in found.subgroups}
    assert {name: (g.real, g.fake) for name, g in groups.items()} == {
        "swap": (10, 10), "swap2": (10, 5), "gan": (10, 5),
    }  # fmt: skip
    assert groups["swap"].auroc.value == 1.0
    assert groups["gan"].auroc.value == 0.0  # the reals of b score higher
    assert groups["swap"].missed.value == 0.0


def test_what_has_one_value_is_not_broken_down_unless_asked(noisy: Make) -> None:
    columns = {"x_camera": "one", "compression": ["c23", "c40"] * 30, "x_many": range(60)}
    subject = noisy(60, columns=columns)
    found = evaluate(subject, draws=50)
    assert [one.column for one in found.breakdowns] == ["compression"]
    assert any("x_many has 60 values: --by x_many" in note for note in found.subject.notes)
    found = evaluate(subject, draws=50, by=["x_camera"])
    assert [one.column for one in found.breakdowns] == ["compression", "x_camera"]


def test_unscored_items_are_counted_where_they_belong(make_subject: Make) -> None:
    subject = make_subject(
        [None, 1.0, -1.0, 2.0], [1, 1, 0, 1], columns={"compression": ["c40", "c23", "c23", None]}
    )
    groups = {group.value: group for group in broken_down(subject, "compression").subgroups}
    assert (groups["c40"].unscored, groups["c40"].fake) == (1, 0)
    assert groups["(unknown)"].fake == 1
