"""Two samples: how far they are apart, and whether that is chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepfake_lightning.errors import DataError
from deepfake_lightning.metrics.drift import (
    kolmogorov_smirnov,
    maximum_mean_discrepancy,
    population_stability,
    separation,
)


def _vectors(number, shift=0.0, seed=0, width=8):
    return np.random.default_rng(seed).normal(shift, 1, (number, width))


def test_the_distance_is_the_largest_difference_of_the_distribution_functions():
    generator = np.random.default_rng(1)
    one, other = generator.normal(size=300).round(1), generator.normal(0.3, size=200).round(1)
    largest = max(abs((one <= at).mean() - (other <= at).mean()) for at in np.union1d(one, other))
    assert kolmogorov_smirnov(one, other).effect == pytest.approx(largest)
    assert kolmogorov_smirnov(one, one).effect == 0
    assert kolmogorov_smirnov(one, other + 100).effect == 1


def test_its_p_value_is_that_of_permutations():
    generator = np.random.default_rng(2)
    one, other = generator.normal(size=150), generator.normal(0.18, size=250)
    found, both = kolmogorov_smirnov(one, other), np.concatenate((one, other))
    order = np.argsort(generator.random((4000, 400)), axis=1)
    # The distribution functions' difference at each value, in units of 1: sums of steps.
    steps = np.where(order < 150, 1 / 150, -1 / 250)
    drawn = np.abs(steps.cumsum(axis=1)).max(axis=1) >= found.effect - 1e-12
    assert len(np.unique(both)) == 400
    assert 0.02 < found.p < 0.5
    assert found.p == pytest.approx(drawn.mean(), abs=0.03)


def test_stability_is_the_sum_over_deciles_of_the_reference():
    generator = np.random.default_rng(3)
    one, other = generator.normal(size=1000), generator.normal(0.5, 1.2, size=800)
    _, edges = pd.qcut(one, 10, retbins=True)
    edges[0], edges[-1] = -np.inf, np.inf
    p, q = (pd.cut(each, edges, right=False).value_counts() / each.size for each in (one, other))
    expected = float(((q - p) * np.log(q / p)).sum())
    assert population_stability(one, other) == pytest.approx(expected, abs=1e-9)
    assert population_stability(one, one) == 0
    assert 5 < population_stability(one, other + 100) < 50  # empty bins are finite


def _kernel_mean(one, other, scale, *, same):
    total = count = 0.0
    for i, x in enumerate(one):
        for j, y in enumerate(other):
            if not (same and i == j):
                total += np.exp(-((x - y) ** 2).sum() / (2 * scale))
                count += 1
    return total / count


def test_the_discrepancy_is_that_of_the_definition():
    one, other = _vectors(7, seed=4), _vectors(5, 0.5, seed=5)
    both = np.concatenate((one, other))
    distances = [((both[i] - both[j]) ** 2).sum() for i in range(12) for j in range(i)]
    scale = np.median(distances)
    expected = (
        _kernel_mean(one, one, scale, same=True)
        + _kernel_mean(other, other, scale, same=True)
        - 2 * _kernel_mean(one, other, scale, same=False)
    )
    found = maximum_mean_discrepancy(one, other, permutations=19, seed=0)
    assert found.effect == pytest.approx(expected, abs=1e-6)
    assert found.p in np.arange(1, 21) / 20


def test_its_p_values_are_even_where_nothing_differs_and_small_where_something_does():
    p = [maximum_mean_discrepancy(_vectors(60, seed=2 * s), _vectors(50, seed=2 * s + 1),
                                  permutations=99, seed=s).p for s in range(80)]  # fmt: skip
    assert np.mean(p) == pytest.approx(0.5, abs=0.1)
    assert np.mean(np.array(p) <= 0.1) < 0.2
    # The same mean, another spread: a classifier that is linear sees nothing.
    wide = 1.5 * _vectors(200, seed=1)
    found = maximum_mean_discrepancy(_vectors(200), wide, permutations=999, seed=0)
    assert found.p == 0.001
    assert found == maximum_mean_discrepancy(_vectors(200), wide, permutations=999, seed=0)


def test_the_classifiers_auc_is_that_of_scikit_learn():
    one, other = _vectors(200, seed=6), _vectors(150, 0.3, seed=7)
    found = separation(one, other, seed=3)
    both, of_second = np.concatenate((one, other)), np.arange(350) >= 200
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    folds = StratifiedKFold(5, shuffle=True, random_state=3)
    expected = cross_val_score(model, both, of_second, scoring="roc_auc", cv=folds).mean()
    assert found.auc == pytest.approx(expected, abs=0.003)
    assert 0.6 < found.auc < 0.9
    assert roc_auc_score(of_second, found.log_odds) == pytest.approx(found.auc, abs=0.02)
    assert np.linalg.norm(found.direction) == pytest.approx(1)
    assert (other @ found.direction).mean() > (one @ found.direction).mean() + 0.5


def test_who_learnt_from_a_vector_does_not_judge_it():
    """In 30 dimensions 60 vectors can always be told apart by who has seen them."""
    aucs = [separation(_vectors(30, seed=2 * s, width=30), _vectors(30, seed=2 * s + 1, width=30),
                       seed=s).auc for s in range(8)]  # fmt: skip
    assert np.mean(aucs) == pytest.approx(0.5, abs=0.1)


def test_columns_of_other_scales_and_of_one_value_are_no_matter():
    one, other = _vectors(100, seed=8), _vectors(100, 0.5, seed=9)
    scale = np.array([1e-4, 1, 1e5, 1, 1, 1, 1, 0])
    assert separation(one * scale, other * scale, seed=0).auc > 0.8
    assert separation(one * 0, one * 0, seed=0).auc == 0.5


def test_what_cannot_be_compared_is_said():
    with pytest.raises(DataError, match="no second values"):
        kolmogorov_smirnov(np.ones(3), np.ones(0))
    with pytest.raises(DataError, match="not finite"):
        population_stability(np.array([1.0, np.nan]), np.ones(2))
    with pytest.raises(DataError, match="too few"):
        maximum_mean_discrepancy(_vectors(1), _vectors(5), permutations=9, seed=0)
    with pytest.raises(DataError, match="do not compare"):
        separation(_vectors(9), _vectors(9, width=3), seed=0)
    with pytest.raises(DataError, match="finite"):
        separation(_vectors(9), _vectors(9) * np.inf, seed=0)
