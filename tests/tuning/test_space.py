"""The search space: what it takes, and what becomes flags of ``fit``."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import ValidationError

from deepfake_lightning.tuning.space import (
    Choices,
    Range,
    default_values,
    distributions,
    flags,
    nested,
    rounds,
    setting,
)

NAMES = st.from_regex(r"[a-z]{1,4}", fullmatch=True)


def test_whole_numbers_are_searched_where_the_base_has_one() -> None:
    assert isinstance(Range(low=1, high=9).distribution(3), IntDistribution)
    assert isinstance(Range(low=0, high=1).distribution(0.5), FloatDistribution)
    assert isinstance(Range(low=1, high=9.5).distribution(3), FloatDistribution)


@pytest.mark.parametrize(
    ("low", "high", "more", "says"),
    [
        (2, 1, {}, "not below"),
        (0, 1, {"log": True}, "above 0"),
        (1, 9, {"log": True, "step": 2}, "not both"),
        (1, 9, {"step": 0}, "greater than 0"),
        (float("nan"), 1, {}, "finite"),
    ],
)
def test_ranges_that_cannot_be_are_refused(low: float, high: float, more: dict, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Range(low=low, high=high, **more)


def test_a_choice_that_stands_there_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="twice"):
        Choices(choices=(1, 2, 1))
    assert Choices(choices=(True, 1)).choices == (True, 1)


@given(st.floats(1e-6, 1.0), st.floats(2.0, 1e6), st.booleans(), st.floats(-10, 2e6))
def test_a_default_is_one_that_optuna_takes_as_well(
    low: float, high: float, log: bool, value: float
) -> None:
    within = {"model.lr": Range(low=low, high=high, log=log).distribution(1.0)}
    values, outside = default_values({"model": {"lr": value}}, within)
    inside = within["model.lr"]._contains(value)
    assert (outside == []) is inside
    assert values == ({"model.lr": value} if inside else {})


def test_a_default_lies_on_the_steps() -> None:
    space = {"a": Range(low=0.1, high=0.9, step=0.2), "b": Range(low=1, high=9, step=4)}
    within = distributions(space, {"a": 0.5, "b": 5})
    assert default_values({"a": 0.5, "b": 5}, within) == ({"a": 0.5, "b": 5}, [])
    assert default_values({"a": 0.4, "b": 6}, within)[1] == ["a", "b"]


def test_true_is_no_one_among_choices() -> None:
    within = {"a": CategoricalDistribution((0, 1))}
    assert default_values({"a": True}, within) == ({}, ["a"])


@given(st.dictionaries(st.tuples(NAMES, NAMES).map(".".join), st.integers(), max_size=6))
def test_a_nested_value_is_found_by_its_key(values: dict[str, int]) -> None:
    tree = nested(values)
    assert {key: setting(tree, key) for key in values} == values


def test_values_become_flags_that_keep_their_type() -> None:
    given_ = {"a.b": 1e-05, "c": True, "d": None, "e": "adamw", "f": [1, 2]}
    assert flags(given_) == ["--a.b=1e-05", "--c=true", "--d=null", "--e=adamw", "--f=[1, 2]"]
    assert json.loads(flags({"x": 0.1 + 0.2})[0].partition("=")[2]) == 0.1 + 0.2


def test_each_example_is_checked_once() -> None:
    space = {"a": Range(low=1, high=2), "b": Choices(choices=("x", "y", "z"))}
    seen = list(rounds(space))
    assert len(seen) == 3
    assert {one["b"] for one in seen} == {"x", "y", "z"}
    assert {one["a"] for one in seen} == {1, 2}
