"""Tables of other detectors: what they say is kept, what is not clear is asked for."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfake_lightning.errors import DeepfakeLightningError, TableError, UsageError
from deepfake_lightning.evaluation.levels import extra_columns, levels_of
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.evaluation.subjects.peer_values import (
    SUREST,
    log_odds,
    peer_labels,
    peer_scores,
)
from deepfake_lightning.evaluation.subjects.peers import PeerColumns, PeerTable, read_peer
from deepfake_lightning.metrics import sigmoid

HERE = Path("t.csv")


def table(tmp_path: Path, text: str, columns: str = "") -> PeerTable:
    path = tmp_path / "theirs.csv"
    path.write_text(text)
    return read_peer(path, PeerColumns.parse(columns))


def refused(tmp_path: Path, text: str, columns: str = "") -> str:
    with pytest.raises(TableError) as caught:
        table(tmp_path, text, columns)
    assert "theirs.csv" in caught.value.what
    assert caught.value.next_step
    return str(caught.value)


# What --columns says


def test_columns_are_read_from_a_flag() -> None:
    found = PeerColumns.parse(" id = clip name, score=p ,label=t,fake=FAKE|Synthetic,scale=logit,")
    assert found == PeerColumns(
        id="clip name", score="p", label="t", fake=("FAKE", "Synthetic"), scale="logit"
    )
    assert found.named() == {"id": "clip name", "score": "p", "label": "t"}
    assert PeerColumns.parse("") == PeerColumns()


@pytest.mark.parametrize(
    ("text", "says"),
    [("scor=p", "is 'score' meant?"), ("score", "not understood"), ("score=", "not understood"),
     ("id=a,id=b", "not understood"), ("scale=percent", "scale 'percent' is unknown"),
     ("=p", "not understood")],
)  # fmt: skip
def test_what_is_not_understood_is_said(text: str, says: str) -> None:
    with pytest.raises(UsageError, match="--columns") as caught:
        PeerColumns.parse(text)
    assert says in str(caught.value)


@given(st.text(max_size=40))
def test_any_flag_is_understood_or_refused(text: str) -> None:
    with suppress(UsageError):
        PeerColumns.parse(text)


NAMES = st.text(st.characters(exclude_characters=",=|", exclude_categories=("Cs",)), min_size=1)


@given(NAMES.map(str.strip).filter(bool), NAMES.map(str.strip).filter(bool))
def test_names_of_columns_stay_as_they_are(one: str, other: str) -> None:
    found = PeerColumns.parse(f"id={one},score={other}")
    assert (found.id, found.score) == (one, other)


# Scores


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))))
def test_scores_are_exactly_what_is_written(values: list[float | None]) -> None:
    texts = pd.Series([None if one is None else f" {one!r} " for one in values], dtype="string")
    found = peer_scores(HERE, texts, "s")
    assert [None if one is pd.NA else float(one) for one in found] == values


@pytest.mark.parametrize("cell", ["0,5", "x", "nan", "inf", "1_0", "True", "-", "0.5 0.6"])
def test_what_is_no_number_is_refused(tmp_path: Path, cell: str) -> None:
    said = refused(tmp_path, f'id,score\na,1\n\nb,"{cell}"\nc,"{cell}"\n')
    assert f"row 4, column score: is {cell!r}, not a finite number" in said
    assert "(and 1 more rows)" in said
    assert ("with a point" in said) == ("," in cell)


@given(st.lists(st.floats(0, 1), min_size=1))
def test_log_odds_keep_probabilities_and_their_order(values: list[float]) -> None:
    p = np.array(values)
    logits, _ = log_odds(HERE, pd.Series(pd.array(values, dtype="Float64")), "p")
    found = logits.to_numpy(float)
    assert np.isfinite(found).all()
    inner = (p > SUREST) & (p < 1 - SUREST)
    assert sigmoid(found[inner]) == pytest.approx(p[inner], abs=1e-12)
    order = np.argsort(p, kind="stable")
    assert (np.diff(found[order]) >= 0).all()


def test_probabilities_of_exactly_0_and_1(tmp_path: Path) -> None:
    found = table(tmp_path, "id,prob\na,0\nb,1\nc,0.25\nd,1e-9\n")
    logits = found.rows["logit"].to_list()
    assert found.scale == "logit"
    assert logits[1] == pytest.approx(-math.log(SUREST), abs=1e-6)
    assert logits[2] == pytest.approx(math.log(1 / 3))
    assert logits[0] == logits[3] == pytest.approx(math.log(1e-9))  # no surer than the surest
    assert "2 scores of exactly 0 or 1" in found.notes[-1]


def test_a_probability_outside_of_its_range(tmp_path: Path) -> None:
    said = refused(tmp_path, "id,prob\na,0.5\nb,1.5\n")
    assert "row 3, column prob: is 1.5, no probability" in said
    assert "scale=rank" in said


@pytest.mark.parametrize(
    ("header", "scores", "columns", "scale", "first"),
    [
        ("score", (0.9, 0.2), "", "logit", math.log(9)),
        ("score", (9, -2), "", "rank", 9),
        ("logit", (0.9, 0.2), "", "logit", 0.9),
        ("score", (0.9, 0.2), "scale=rank", "rank", 0.9),
        ("score", (0.9, 0.2), "scale=logit", "logit", 0.9),
        ("x", (0.9, 0.2), "score=x,scale=probability", "logit", math.log(9)),
    ],
)
def test_what_scores_are_is_said_or_guessed_aloud(
    tmp_path: Path, header: str, scores: tuple[float, float], columns: str, scale: str, first: float
) -> None:
    found = table(tmp_path, f"id,{header}\na,{scores[0]}\nb,{scores[1]}\n", columns)
    assert found.scale == scale
    assert found.rows["logit"].iloc[0] == pytest.approx(first)
    assert any("are taken for" in note for note in found.notes) == ("scale" not in columns)


def test_empty_cells_are_items_without_a_score(tmp_path: Path) -> None:
    found = table(tmp_path, "id,score,label\na,0.5,1\nb,,0\nc, ,0\n")
    assert found.rows["status"].tolist() == ["ok", "unreadable", "unreadable"]
    assert found.rows["logit"].isna().tolist() == [False, True, True]
    assert found.rows["reason"].iloc[1] == "theirs.csv has no score"
    assert "2 rows have no score: they count as unreadable" in found.notes


# Labels


@pytest.mark.parametrize(
    ("cells", "columns", "labels"),
    [
        (["REAL", "FAKE", "fake"], "", [0, 1, 1]),
        (["0", "1", ""], "", [0, 1, None]),
        (["0.0", "1.0", ""], "", [0, 1, None]),  # as pandas writes whole numbers with gaps
        (["1", "0", "0"], "fake=0", [0, 1, 1]),
        (["1", "0", "0"], "real=1", [0, 1, 1]),
        (["pristine", "DF", "F2F"], "fake=DF|f2f", [0, 1, 1]),
        (["pristine", "DF", "F2F"], "fake=DF|F2F,real=pristine", [0, 1, 1]),
        (["pristine", "youtube", "DF"], "real=pristine|youtube", [0, 0, 1]),
    ],
)
def test_labels(tmp_path: Path, cells: list[str], columns: str, labels: list[int | None]) -> None:
    rows = "".join(f"{name},0.5,{cell}\n" for name, cell in zip("abc", cells, strict=True))
    found = table(tmp_path, f"id,score,label\n{rows}", columns)
    assert [None if one is pd.NA else one for one in found.rows["label"]] == labels
    gaps = any("1 rows have no label" in note for note in found.notes)
    assert gaps == (None in labels)


def test_a_label_that_is_taken_for_the_other_is_said(tmp_path: Path) -> None:
    found = table(tmp_path, "id,score,label\na,1,X\nb,0,maybe\n", "fake=X")
    assert "the label 'maybe' is taken for real" in found.notes


@pytest.mark.parametrize(
    ("cells", "columns", "says"),
    [
        ("yes no", "", "what the label 'no' means is not known (labels there: 'no', 'yes')"),
        ("-1 1", "", "'-1' means is not known"),
        ("a a", "fake=b", "'a' means is not known"),
        ("a b", "fake=a,real=a|b", "'a' is said to mean both"),
        ("a b", "fake=c", "is not known"),
    ],
)
def test_labels_that_are_not_clear(tmp_path: Path, cells: str, columns: str, says: str) -> None:
    one, other = cells.split()
    said = refused(tmp_path, f"id,score,label\nx,1,{one}\ny,1,{other}\n", columns)
    assert "column label" in said and says in said
    assert "fake=FAKE|synthetic" in said


@given(st.lists(st.sampled_from(["0", "1", "fake", "REAL", " Fake ", "", "1.0"]), min_size=1))
def test_well_known_labels_never_swap(cells: list[str]) -> None:
    found, _ = peer_labels(HERE, pd.Series(cells, dtype="string"), "label", (), ())
    for cell, label in zip(cells, found, strict=True):
        plain = cell.strip().lower()
        assert (label is pd.NA) if not plain else label == (plain in ("1", "1.0", "fake"))


# Items, frames and tracks


def test_an_item_that_stands_twice_is_refused(tmp_path: Path) -> None:
    said = refused(tmp_path, "id,score\na,1\nb,1\na,0\n")
    assert "row 4, column id: 'a' has a score already" in said
    assert "frame=COLUMN" in said


def test_frames_and_tracks_of_items(tmp_path: Path) -> None:
    text = "clip,n,face,p,label\na,0,0,0.1,1\na,1,0,0.1,1\na,0,1,0.9,1\na,1,1,0.9,1\nb,0,0,0.2,0\n"
    found = table(tmp_path, text, "id=clip,frame=n,track=face,score=p")
    levels = levels_of(Subject("x", found.rows))
    assert (len(levels.frame), len(levels.track), len(levels.item)) == (5, 3, 2)
    assert sigmoid(levels.item.logit) == pytest.approx([0.9, 0.2])  # one fake face is enough
    twice = text + "b,0,0,0.2,0\n"
    assert "'b' has a score already" in refused(
        tmp_path, twice, "id=clip,frame=n,track=face,score=p"
    )


def test_frames_are_numbers(tmp_path: Path) -> None:
    assert "row 3, column n: is '0.5'" in refused(
        tmp_path, "id,score,n\na,1,1.0\na,1,0.5\n", "frame=n"
    )


def test_labels_of_one_item_must_agree(tmp_path: Path) -> None:
    found = table(tmp_path, "id,score,label,n\na,1,0,1\na,1,1,2\n", "frame=n")
    with pytest.raises(DeepfakeLightningError, match="rows of two labels, the first is a"):
        levels_of(Subject("x", found.rows))


def test_groups_methods_and_other_columns(tmp_path: Path) -> None:
    found = table(
        tmp_path,
        "id,score,label,who,how,camera,path,faces\na,1,1,p1,swap,front,x,3\nb,0,0,p1,,back,y,4\n",
        "id=id,group=who,method=how",
    )
    assert found.rows["group_id"].tolist() == ["p1", "p1"]
    assert found.rows["method"].fillna("-").tolist() == ["swap", "-"]
    assert found.rows["path"].tolist() == ["a", "b"]  # their own name says which item it is
    items = levels_of(Subject("x", found.rows)).items
    assert extra_columns(items) == ["camera", "their_path", "their_faces"]
    assert "the column faces is not used, and is called their_faces here" in found.notes


# The file


def test_columns_are_found_by_their_names_and_it_is_said(tmp_path: Path) -> None:
    found = table(tmp_path, "filename,probability,target\na,0.9,1\nb,0.1,0\n")
    assert "id from filename, score from probability, label from target" in found.notes[0]
    assert table(tmp_path, "id,score\na,1\n").rows["label"].isna().all()


@pytest.mark.parametrize(
    ("text", "columns", "says"),
    [
        ("clip,score\na,1\n", "", "no column is known to be the id"),
        ("video_id,path,score\na,b,1\n", "", "video_id and path could both be the id"),
        ("id,Score\na,1\n", "score=score", "no column 'score': is 'Score' meant?"),
        ("id,score\n", "", "has no rows"),
        ("id,score\n ,1\n", "", "row 2, column id: is empty"),
        ("id;score\na;1\n", "", "separate them by commas"),
        ("a,0.5\nb,0.6\n", "", "add a header"),
        ("id,score,score\na,1,1\n", "", "two columns are called 'score'"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path: Path, text: str, columns: str, says: str) -> None:
    assert says in refused(tmp_path, text, columns)


def test_any_format_gives_the_same(tmp_path: Path) -> None:
    rows = [{"id": 7, "score": 0.5, "label": 1}, {"id": 8, "score": None, "label": None}]
    frame = pd.DataFrame(rows)
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "t.json").write_text(json.dumps(rows))
    found = [read_peer(tmp_path / f"t.{suffix}").rows for suffix in ("parquet", "csv", "json")]
    plain: list[Any] = [one.drop(columns="reason") for one in found]
    pd.testing.assert_frame_equal(plain[0], plain[1])
    pd.testing.assert_frame_equal(plain[0], plain[2])
    assert plain[0]["video_id"].tolist() == ["7", "8"]


@pytest.mark.parametrize("text", ["{}", "[1]", "[", "", "[" * 100_000])
def test_json_that_is_no_table(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(TableError, match=r"t\.json cannot be read"):
        read_peer(path)
    with pytest.raises(TableError, match="does not exist"):
        read_peer(tmp_path / "gone.json")
