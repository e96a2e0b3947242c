"""Frames, tracks and items of a table, and what an item is when its rows disagree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from deepfake_lightning.errors import DataError
from deepfake_lightning.evaluation.levels import levels_of
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.schemas.predictions import predictions_rows


def table(**columns: Any) -> Subject:
    """Return two clips of three frames each."""
    rows = {
        "schema": 1, "video_id": ["a"] * 3 + ["b"] * 3, "path": ["a.mp4"] * 3 + ["b.mp4"] * 3,
        "frame": [0, 1, 2] * 2, "label": [0] * 3 + [1] * 3, "status": "ok",
        "logit": [1.0, 2.0, 3.0, -1.0, 0.0, 4.0], **columns,
    }  # fmt: skip
    own = {name: rows.pop(name) for name in list(rows) if name.startswith("x_")}
    return Subject("t", predictions_rows(pd.DataFrame(rows), Path("t")).assign(**own))


def test_a_value_that_some_rows_lack_is_the_items() -> None:
    levels = levels_of(table(group_id=[None, "same", "same"] * 2))
    assert levels.items["group_id"].tolist() == ["same", "same"]
    assert len(set(levels.item.group)) == 1
    assert levels.item.logit.tolist() == [2.0, 1.0]
    assert levels.notes == ()


@pytest.mark.parametrize("column", ["group_id", "dataset", "method", "media_type"])
def test_an_item_is_of_one_group(column: str) -> None:
    values = ["image", "video"] if column == "media_type" else ["p", "q"]
    with pytest.raises(DataError, match=f"one item, a, have several values of {column}") as caught:
        levels_of(table(**{column: [values[0], values[1], values[0]] + [values[0]] * 3}))
    assert caught.value.next_step


def test_a_column_of_frames_is_none_of_items() -> None:
    levels = levels_of(table(group_id="g", x_pose=["front", "left", "right"] * 2, x_who="me"))
    assert "x_pose" not in levels.items and levels.items["x_who"].tolist() == ["me", "me"]
    assert levels.notes == ("x_pose differs within items: results are not broken down by it",)


def test_it_is_said_where_nobody_says_who_is_who() -> None:
    levels = levels_of(table())
    assert len(set(levels.item.group)) == 2
    assert "group_id" in levels.notes[0]


def test_a_scored_face_speaks_for_its_item() -> None:
    subject = table(
        status=["no_face", "ok", "ok", "unreadable", "no_face", "no_face"],
        logit=[None, 2.0, 3.0, None, None, None],
        reason=["turned away", None, None, "torn", None, None],
    )
    items = levels_of(subject).items
    assert items["status"].tolist() == ["ok", "no_face"]
    assert items["reason"].isna().tolist() == [True, True]


def test_a_score_that_is_none() -> None:
    with pytest.raises(DataError, match="a score of 1e\\+300 is no log-odds"):
        levels_of(table(logit=[1.0, 1e300, 0, 0, 0, 0]))
    ranked = table(logit=[1.0, 1e300, 0, 0, 0, 0])
    assert len(levels_of(Subject("r", ranked.predictions, scale="rank")).item) == 2
