import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from deepfake_lightning import metrics as m
from deepfake_lightning.errors import DataError


@pytest.mark.parametrize("scale", [0.2, 1.0, 7.0])
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_a_logistic_regression_through_the_origin(seed, scale):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 800)
    logits = scale * (rng.normal(size=800) + 1.4 * labels - 0.7)
    model = LogisticRegression(C=1e12, fit_intercept=False, tol=1e-10, max_iter=10_000)
    slope = model.fit(logits[:, None], labels).coef_[0, 0]
    assert m.fit_temperature(logits, labels) == pytest.approx(1 / slope, rel=1e-5)


@given(st.integers(0, 10_000), st.floats(0.5, 2))
@settings(max_examples=40, deadline=None)
def test_it_is_where_the_loss_is_lowest_and_scales_with_the_logits(seed, scale):
    rng = np.random.default_rng(seed)
    labels = np.append([0, 1], rng.integers(0, 2, 60))
    logits = 2 * rng.normal(size=62) + labels
    found = m.fit_temperature(logits, labels)
    best = m.log_loss(logits / found, labels)
    for other in (0.01, 0.9 * found, 1.1 * found, 1.0, 100.0):
        if 0.01 <= other <= 100:
            assert best <= m.log_loss(logits / other, labels) + 1e-12
    if 0.1 < found < 10:
        assert m.fit_temperature(scale * logits, labels) == pytest.approx(scale * found, rel=1e-6)


def test_ends_of_the_range():
    labels = np.array([0, 1, 0, 1])
    sides = 2.0 * labels - 1
    assert m.fit_temperature(sides, labels) == 0.01
    assert m.fit_temperature(1e4 * sides, labels) == 0.01  # the loss is 0 all along
    assert m.fit_temperature(-sides, labels) == 100.0
    assert m.fit_temperature(np.zeros(4), labels) == 1.0
    assert m.fit_temperature(np.ones(4), labels) == 100.0


def test_undefined():
    assert m.fit_temperature(np.zeros(0), np.zeros(0, int)) is None
    assert m.fit_temperature(np.array([1.0, -2.0]), np.array([1, 1])) is None
    assert m.fit_temperature(np.array([1.0]), np.array([0])) is None
    with pytest.raises(DataError, match="not finite"):
        m.fit_temperature(np.array([np.inf, 0.0]), np.array([0, 1]))
