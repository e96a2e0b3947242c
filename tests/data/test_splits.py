"""No identity stands on two sides, whatever the graph of targets and sources looks like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfake_lightning.data.splits import (
    check_classes,
    check_shares,
    check_splits,
    draw_splits,
    identity_groups,
)
from deepfake_lightning.errors import SplitError, UsageError
from deepfake_lightning.schemas import Manifest

Rows = Callable[..., pd.DataFrame]
SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}


def manifest(rows: pd.DataFrame, policy: str = "none") -> Manifest:
    return Manifest(rows, Path("root"), Path("x.csv"), policy)


people = st.one_of(st.none(), st.sampled_from([f"p{n}" for n in range(12)]))
records = st.lists(
    st.tuples(
        st.sampled_from("abcdefghijklmnop"),  # group
        people,  # target
        people,  # source
        st.sampled_from([0, 1, None]),
        st.sampled_from(["ff", "dfdc"]),
    ),
    min_size=1,
    max_size=60,
)


def graph(drawn: list[tuple]) -> pd.DataFrame:
    names = ["group_id", "target_id", "source_id", "label", "dataset"]
    frame = pd.DataFrame(drawn, columns=names, dtype=object)
    return frame.astype({"label": "Int64"}).assign(
        path=[f"{number}.jpg" for number in range(len(frame))]
    )


def standing(rows: pd.DataFrame) -> dict[tuple[str, str, str], set[str]]:
    """Return the splits in which each group and identity stands, counted the slow way."""
    found: dict[tuple[str, str, str], set[str]] = {}
    for row in rows.itertuples():
        for kind, name in (("g", row.group_id), ("i", row.target_id), ("i", row.source_id)):
            if name is not None:
                found.setdefault((kind, row.dataset, name), set()).add(row.split)
    return found


@settings(deadline=None, max_examples=80)
@given(drawn=records, seed=st.integers(0, 5))
def test_no_identity_on_two_sides(drawn: list[tuple], seed: int) -> None:
    rows = graph(drawn)
    try:
        split = draw_splits(rows, SHARES, seed)
    except SplitError:
        assert len(set(identity_groups(rows))) < len(SHARES)
        return
    rows = rows.assign(split=split)
    assert all(len(splits) == 1 for splits in standing(rows).values())
    check_splits(manifest(rows))


@settings(deadline=None, max_examples=40)
@given(drawn=records, seed=st.integers(0, 3), shuffle=st.randoms(use_true_random=False))
def test_a_draw_depends_on_seed_and_names_alone(drawn: list[tuple], seed: int, shuffle) -> None:
    rows = graph(drawn)
    if len(set(identity_groups(rows))) < len(SHARES):
        return
    order = list(rows.index)
    shuffle.shuffle(order)
    first = pd.Series(draw_splits(rows, SHARES, seed), rows["path"]).sort_index()
    mixed = rows.loc[order]
    second = pd.Series(draw_splits(mixed, SHARES, seed), mixed["path"]).sort_index()
    pd.testing.assert_series_equal(first, second)


@settings(deadline=None, max_examples=80)
@given(drawn=records, draw=st.data())
def test_any_overlap_is_found(drawn: list[tuple], draw) -> None:
    sides = st.sampled_from(["train", "val", "calib", "test", "gate", "quarantine", "unused"])
    rows = graph(drawn)
    rows["split"] = draw.draw(st.lists(sides, min_size=len(rows), max_size=len(rows)))
    kept = rows[~rows["split"].isin(["quarantine", "unused"])]
    overlaps = any(len(splits) > 1 for splits in standing(kept).values())
    if overlaps:
        with pytest.raises(SplitError):
            check_splits(manifest(rows))
    else:
        check_splits(manifest(rows))


def test_shares_are_met_and_classes_are_spread(make_rows: Rows) -> None:
    rows = make_rows(1200, label=[0] * 300 + [1] * 900)
    shares = {"train": 0.7, "val": 0.1, "calib": 0.05, "test": 0.15}
    split = pd.Series(draw_splits(rows, shares, 0))
    for name, share in shares.items():
        assert (split == name).mean() == pytest.approx(share, abs=0.005)
        assert rows["label"][split == name].mean() == pytest.approx(0.75, abs=0.02)


def test_the_name_of_the_only_data_set_plays_no_part(make_rows: Rows) -> None:
    drawn = []
    for name in ("faces", "faces_moved"):
        groups = [f"{name}/p{number}" for number in range(60)]
        drawn.append(draw_splits(make_rows(60, dataset=name, group_id=groups), SHARES, 0))
    assert (drawn[0] == drawn[1]).all()


def test_large_groups_do_not_upset_the_shares(make_rows: Rows) -> None:
    groups = [f"g{number // 40}" for number in range(400)] + [f"s{n}" for n in range(200)]
    split = pd.Series(draw_splits(make_rows(600, group_id=groups), SHARES, 0))
    for name, share in SHARES.items():
        assert (split == name).mean() == pytest.approx(share, abs=0.03)


def test_another_seed_is_another_split(make_rows: Rows) -> None:
    rows = make_rows(100)
    first, again, other = (draw_splits(rows, SHARES, seed) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).mean() > 0.2


def test_people_of_two_data_sets_are_different_people(make_rows: Rows) -> None:
    rows = make_rows(4, target_id="7", dataset=["a", "a", "b", "b"])
    groups = identity_groups(rows)
    assert groups[0] == groups[1] != groups[2] == groups[3]


def test_a_group_and_a_person_of_the_same_name_are_not_the_same(make_rows: Rows) -> None:
    groups = identity_groups(make_rows(2, group_id=["7", "8"], target_id=[None, "7"]))
    assert groups[0] != groups[1]


def test_too_few_groups_are_refused(make_rows: Rows) -> None:
    rows = make_rows(10, group_id=["a", "b"] * 5)
    with pytest.raises(SplitError, match="2 identity groups cannot fill 3 splits"):
        draw_splits(rows, SHARES, 0)


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"train": 0.8, "dev": 0.2}, "unknown split dev"),
        ({"train": 0.8, "val": 0.1}, "add up to 0.9"),
        ({"train": 1.2, "val": -0.2}, "shares .* add up to 1"),
        ({}, "add up to 0"),
    ],
)
def test_wrong_shares_are_refused(shares: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_shares(shares)


def test_shares_of_nothing_are_left_out() -> None:
    assert check_shares({"test": 0.2, "train": 0.8, "val": 0}) == {"train": 0.8, "test": 0.2}


def test_the_source_of_a_fake_counts_as_well(make_rows: Rows) -> None:
    rows = make_rows(
        4,
        target_id=["ann", "bob", "cat", "dan"],
        source_id=[None, "eve", None, "eve"],
        split=["train", "train", "test", "test"],
    )
    with pytest.raises(SplitError, match=r"x\.csv: identity d/eve stands in test and train\n") as e:
        check_splits(manifest(rows))
    assert "--data.resplit true" in e.value.next_step
    check_splits(manifest(rows, "official"))
    with pytest.raises(SplitError):
        check_splits(manifest(rows, "given"))


def test_every_pair_of_scored_splits_is_held_apart(make_rows: Rows) -> None:
    for pair in (["val", "test"], ["calib", "test"], ["calib", "gate"], ["train", "val"]):
        with pytest.raises(SplitError, match=f"{' and '.join(sorted(pair))}\n"):
            check_splits(manifest(make_rows(2, group_id="g", split=pair)))
    for side in ("quarantine", "unused", None):
        check_splits(manifest(make_rows(2, group_id="g", split=["train", side])))


def test_classes_of_a_split(make_rows: Rows) -> None:
    rows = make_rows(
        6,
        label=pd.array([0, 1, 0, 0, None, None], "Int64"),
        split=["train", "train", "val", "test", "test", "calib"],
    )
    check_classes(rows, "train", "x.csv")
    check_classes(rows, "test", "x.csv", one_class=True)
    with pytest.raises(SplitError, match="val split has one class only, no fake pictures"):
        check_classes(rows, "val", "x.csv")
    with pytest.raises(SplitError, match=r"gate split is empty \(splits with data: calib, test, t"):
        check_classes(rows, "gate", "x.csv", one_class=True)
    with pytest.raises(SplitError, match="no picture of the calib split has a label"):
        check_classes(rows, "calib", "x.csv")


@pytest.mark.parametrize(
    ("drawn", "helps", "cannot"),
    [
        (True, "another --data.split_seed", "--data.resplit"),
        (False, "--data.resplit true", "--data.split_seed"),
    ],
)
def test_the_next_step_can_help(make_rows: Rows, drawn: bool, helps: str, cannot: str) -> None:
    rows = make_rows(
        4, label=pd.array([0, 0, None, 1], "Int64"), split=["val", "val", "calib", "x"]
    )
    for split in ("val", "calib", "train"):
        with pytest.raises(SplitError) as caught:
            check_classes(rows, split, "x.csv", drawn=drawn)
        assert helps in caught.value.next_step
        assert cannot not in caught.value.next_step


def test_published_splits_that_lack_one_are_not_drawn_anew(
    make_rows: Callable[..., pd.DataFrame],
) -> None:
    """Celeb-DF publishes a test list alone: new splits would train on it."""
    rows = make_rows(4, split="test")
    with pytest.raises(SplitError) as caught:
        check_classes(rows, "train", "Celeb-DF-v2", official=True)
    assert "resplit" not in caught.value.next_step
    assert "data split Celeb-DF-v2 --out" in caught.value.next_step
