"""Nobody stands on two sides, by groups and by people, whatever the identity graph looks like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfake_lightning.data.splits import check_splits, draw
from deepfake_lightning.data.splits.checking import HELD_APART
from deepfake_lightning.data.splits.draw import Draw
from deepfake_lightning.errors import SplitError
from deepfake_lightning.schemas import Manifest

Rows = Callable[..., pd.DataFrame]
AsManifest = Callable[..., Manifest]
SHARES = {"train": 0.6, "val": 0.1, "calib": 0.1, "test": 0.1, "gate": 0.1}
TWO = {"train": 0.7, "test": 0.3}

people = st.one_of(st.none(), st.sampled_from([f"p{n}" for n in range(14)]))
records = st.lists(
    st.tuples(
        st.sampled_from("aaabcdefghijklmnop"),  # group; "a" often is an umbrella
        people,  # target
        people,  # source
        st.sampled_from([0, 1, None]),
        st.sampled_from(["ff", "dfdc"]),
        st.one_of(st.none(), st.sampled_from(["swap", "reenact"])),
        st.one_of(st.none(), st.integers(0, 12)),  # an item of several rows, or one of its own
    ),
    min_size=6,
    max_size=70,
)


def graph(drawn: list[tuple]) -> pd.DataFrame:
    names = ["group_id", "target_id", "source_id", "label", "dataset", "method", "video_id"]
    frame = pd.DataFrame(drawn, columns=names, dtype=object).astype({"label": "Int64"})
    own = [f"v{row}" if item is None else f"shared{item}"
           for row, item in enumerate(frame["video_id"])]  # fmt: skip
    return frame.assign(path=[f"{n}.jpg" for n in range(len(frame))], video_id=own)


def sides(rows: pd.DataFrame, *columns: str) -> dict[tuple, set[str]]:
    """Return where each name of some columns stands, counted the slow way."""
    found: dict[tuple, set[str]] = {}
    for row in rows[rows["split"].isin(HELD_APART)].to_dict("records"):
        for column in columns:
            if row[column] is not None and row[column] is not pd.NA:
                found.setdefault((row["dataset"], row[column]), set()).add(row["split"])
    return found


def drawn_rows(rows: pd.DataFrame, found: Draw) -> pd.DataFrame:
    return rows.assign(split=found.split.to_numpy(), group_id=found.groups.to_numpy())


@pytest.mark.parametrize("unit", ["auto", "group", "identity"])
@settings(deadline=None, max_examples=50)
@given(drawn=records, seed=st.integers(0, 5), shares=st.sampled_from([SHARES, TWO]))
def test_no_identity_on_two_sides(
    unit: Any, as_manifest: AsManifest, drawn: list[tuple], seed: int, shares: dict[str, float]
) -> None:
    rows = graph(drawn)
    try:
        found = draw(rows, shares, seed, unit)
    except SplitError:
        return
    made = drawn_rows(rows, found)
    assert all(len(where) == 1 for where in sides(made, "target_id", "source_id").values())
    assert all(len(where) == 1 for where in sides(made, "group_id").values())
    assert set(found.split) <= {*shares, "quarantine"}
    check_splits(as_manifest(made))
    # An item stays whole, or is set aside whole.
    assert (made.groupby(["dataset", "video_id"])["split"].nunique() == 1).all()
    for part in found.datasets:
        if part.unit == "identity":
            assert 0 <= part.kept <= part.ties
            assert all(count >= 1 for count in part.people.values())
        else:
            here = (rows["dataset"] == part.dataset).to_numpy()
            assert "quarantine" not in set(found.split[here])
            assert (found.groups[here] == rows["group_id"][here]).all()


@settings(deadline=None, max_examples=40)
@given(drawn=records, seed=st.integers(0, 3))
def test_groups_that_are_clips_stay_whole(drawn: list[tuple], seed: int) -> None:
    rows = graph(drawn)
    rows["group_id"] = rows["target_id"].fillna(rows["source_id"]).fillna(rows["group_id"])
    rows["video_id"] = [f"v{row}" for row in rows.index]
    try:
        found = draw(rows, TWO, seed, "identity")
    except SplitError:
        return
    assert (found.groups == rows["group_id"]).all()
    made = rows.assign(split=found.split)
    assert all(len(where) == 1 for where in sides(made, "group_id").values())


@pytest.mark.parametrize("unit", ["group", "identity"])
@settings(deadline=None, max_examples=30)
@given(drawn=records, seed=st.integers(0, 3), shuffle=st.randoms(use_true_random=False))
def test_a_draw_depends_on_seed_and_names_alone(
    unit: Any, drawn: list[tuple], seed: int, shuffle: Any
) -> None:
    rows = graph(drawn).drop_duplicates("video_id", ignore_index=True)
    order = list(rows.index)
    shuffle.shuffle(order)
    try:
        first = draw(rows, TWO, seed, unit).split.set_axis(rows["path"]).sort_index()
    except SplitError:
        return
    mixed = rows.loc[order]
    second = draw(mixed, TWO, seed, unit).split.set_axis(mixed["path"]).sort_index()
    pd.testing.assert_series_equal(first, second)


@pytest.mark.parametrize("unit", ["group", "identity"])
def test_the_name_of_the_only_data_set_plays_no_part(unit: Any, celeb_rows: Rows) -> None:
    one, moved = (
        draw(celeb_rows(people=20, dataset=name), TWO, 1, unit) for name in ("faces", "moved")
    )
    assert (one.split == moved.split).all()


def test_another_seed_is_another_split(celeb_rows: Rows) -> None:
    rows = celeb_rows(people=20)
    first, other = (draw(rows, TWO, seed).split for seed in (0, 1))
    assert (first != other).mean() > 0.1


@pytest.mark.parametrize("group", ["target", "all"])
def test_people_are_split_where_everybody_is_tied(
    group: str, celeb_rows: Rows, as_manifest: AsManifest
) -> None:
    rows = celeb_rows(group=group)
    found = draw(rows, SHARES, 0)
    (part,) = found.datasets
    assert part.unit == "identity"
    assert part.largest_group > 0.95
    assert part.people == {"train": 35, "val": 6, "calib": 6, "test": 6, "gate": 6}
    assert part.ties == 59 * 58
    # On a complete graph nothing can be won: n (n - 1) of N (N - 1) are kept, whoever they are.
    exact = sum(count * (count - 1) for count in part.people.values()) / part.ties
    assert part.kept / part.ties == pytest.approx(exact)
    assert part.expected == pytest.approx(sum((n / 59) ** 2 for n in part.people.values()))
    assert part.kept / part.ties == pytest.approx(part.expected, abs=0.015)
    made = drawn_rows(rows, found)
    check_splits(as_manifest(made))
    assert (found.split == "quarantine").sum() == part.ties - part.kept
    real = made[made["label"] == 0]["split"].value_counts(normalize=True)
    assert all(real[name] == pytest.approx(share, abs=0.02) for name, share in SHARES.items())
    for split in SHARES:  # each side can be scored
        assert set(made.loc[made["split"] == split, "label"]) == {0, 1}


def test_pairs_are_kept_as_groups(ffpp_rows: Rows) -> None:
    rows = ffpp_rows()
    found = draw(rows, SHARES, 0)
    assert [part.unit for part in found.datasets] == ["group"]
    share = rows.assign(split=found.split).groupby("split")["method"].value_counts(normalize=True)
    assert share.to_numpy() == pytest.approx(0.25)
    sizes = found.split.value_counts(normalize=True)
    assert all(sizes[name] == pytest.approx(share, abs=0.011) for name, share in SHARES.items())


def test_people_of_pairs_are_hardly_torn_apart(ffpp_rows: Rows) -> None:
    (part,) = draw(ffpp_rows(), SHARES, 0, "identity").datasets
    assert part.unit == "identity"
    assert part.expected == pytest.approx(0.4)
    assert part.kept / part.ties > 0.97  # chance keeps 40 %; the assignment looks for pairs


def test_circles_of_people_stay_together(as_manifest: AsManifest, make_rows: Rows) -> None:
    generator = np.random.default_rng(0)
    targets = generator.integers(0, 60, 3000)
    same_circle = targets // 6 * 6 + generator.integers(0, 6, 3000)
    sources = np.where(generator.random(3000) < 0.9, same_circle, generator.integers(0, 60, 3000))
    rows = make_rows(
        3000, label=1, group_id="all", method="swap",
        target_id=[f"p{n}" for n in targets], source_id=[f"p{n}" for n in sources],
    )  # fmt: skip
    found = draw(rows, SHARES, 0)
    (part,) = found.datasets
    assert part.unit == "identity"
    assert part.expected == pytest.approx(0.4)
    assert part.kept / part.ties > 0.9  # as many as lie within circles
    check_splits(as_manifest(drawn_rows(rows, found)))


def test_each_data_set_is_drawn_as_it_needs(
    celeb_rows: Rows, ffpp_rows: Rows, as_manifest: AsManifest, shuffled: Callable
) -> None:
    rows = shuffled(pd.concat([celeb_rows(people=20), ffpp_rows(pairs=400)]))
    found = draw(rows, SHARES, 0)
    assert [(part.dataset, part.unit) for part in found.datasets] == [
        ("Celeb-DF-v2", "identity"), ("FaceForensics++", "group"),
    ]  # fmt: skip
    check_splits(as_manifest(drawn_rows(rows, found)))
    by = pd.crosstab(rows["dataset"], found.split.to_numpy(), normalize="index")
    assert by.loc["FaceForensics++", "test"] == pytest.approx(0.1, abs=0.02)


def test_one_split_needs_no_draw(celeb_rows: Rows) -> None:
    found = draw(celeb_rows(people=5), {"test": 1.0}, 0)
    assert set(found.split) == {"test"}


def test_two_people_in_one_clip_stay_together(make_rows: Rows) -> None:
    rows = make_rows(
        6, label=[0, 0, 1, 1, 1, 1], group_id="all",
        video_id=["d/both", "d/both", "d/1", "d/2", "d/3", "d/4"],
        target_id=["a", "b", "c", "d", "e", "a"], source_id=[None, None, "d", "e", "a", "c"],
    )  # fmt: skip
    for seed in range(5):
        found = draw(rows, TWO, seed, "identity")
        assert found.split[0] == found.split[1] != "quarantine"


def test_too_few_people_are_named(make_rows: Rows) -> None:
    rows = make_rows(10, group_id="all", target_id=["a", "b"] * 5)
    with pytest.raises(SplitError, match="1 identity groups cannot fill 5 splits"):
        draw(rows, SHARES, 0, "group")
    rows = make_rows(8, target_id=["a", "b"] * 4, source_id=["b", "a"] * 4, group_id="all")
    with pytest.raises(SplitError):
        draw(rows, SHARES, 0)
