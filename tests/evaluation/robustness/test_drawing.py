"""Which items are degraded."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from deepfake_lightning.errors import UsageError
from deepfake_lightning.evaluation.robustness.drawing import draw_items
from deepfake_lightning.evaluation.robustness.plan import Plan


def items(groups: int, fakes: int = 1) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return groups of one real and some fakes each."""
    label = np.tile([0] + [1] * fakes, groups)
    group = np.repeat(np.arange(groups), fakes + 1)
    return [f"i{n:03d}" for n in range(len(label))], label, group


def test_groups_stay_whole_and_classes_even() -> None:
    names, label, group = items(100)
    found = draw_items(names, label, group, 60, 0)
    assert len(found) == 60 and label[found].sum() == 30
    assert len(np.unique(group[found])) == 30  # each with both of its items
    assert (np.diff(found) > 0).all()


def test_what_one_class_lacks_the_other_makes_up_for() -> None:
    names, label, group = items(10, fakes=4)
    found = draw_items(names, label, group, 30, 0)
    assert (len(found), (label[found] == 0).sum()) == (30, 10)
    few = draw_items(names, label, group, 8, 0)
    assert (label[few] == 0).sum() == 4
    assert len(draw_items(names, label, group, 1000, 0)) == 50
    only = np.ones(5, np.int64)
    assert len(draw_items([f"f{n}" for n in range(5)], only, np.arange(5), 3, 0)) == 3


def test_of_one_large_group_all_methods_come() -> None:
    names = [f"{method}/{n:03d}" for method in ("a", "b", "c", "real") for n in range(100)]
    label = np.array([name[0] != "r" for name in names], np.int64)
    found = draw_items(names, label, np.zeros(400, np.int64), 120, 0)
    drawn = Counter(names[n].split("/")[0] for n in found)
    assert drawn["real"] == 60 and all(10 <= drawn[method] <= 30 for method in "abc")


def test_the_draw_hangs_on_the_seed_and_not_on_the_order() -> None:
    names, label, group = items(50)
    first = {names[n] for n in draw_items(names, label, group, 20, 4)}
    order = np.random.default_rng(1).permutation(100)
    mixed = [names[n] for n in order]
    other = np.random.default_rng(2).permutation(50)[group[order]]  # groups numbered otherwise
    assert {mixed[n] for n in draw_items(mixed, label[order], other, 20, 4)} == first
    assert {names[n] for n in draw_items(names, label, group, 20, 5)} != first


def test_no_items_are_refused() -> None:
    with pytest.raises(UsageError, match="--robustness_items 0 degrades nothing"):
        Plan(0)
