import numpy as np
import pytest
import sklearn.metrics as sk
import torch
import torchmetrics.functional.classification as tm
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from deepfake_lightning.errors import DataError, UsageError
from deepfake_lightning.metrics import brier, expected_calibration_error, reliability


def draw(seed, n):
    rng = np.random.default_rng(seed)
    return rng.random(n) ** 2, rng.integers(0, 2, n)


@pytest.mark.parametrize("bins", [1, 7, 10])
@pytest.mark.parametrize("n", [2, 30, 3000])
def test_agrees_with_scikit_learn_and_torchmetrics(n, bins):
    p, labels = draw(n, n)
    labels[:2] = 0, 1
    curve = reliability(p, labels, bins)
    observed, predicted = calibration_curve(labels, p, n_bins=bins, strategy="uniform")
    np.testing.assert_allclose(curve.observed_fraction, observed, rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.mean_predicted, predicted, rtol=0, atol=1e-12)
    expected = tm.binary_calibration_error(torch.from_numpy(p), torch.from_numpy(labels), bins)
    assert expected_calibration_error(p, labels, bins) == pytest.approx(float(expected), abs=1e-6)
    assert brier(p, labels) == pytest.approx(sk.brier_score_loss(labels, p), abs=1e-12)


def test_bins_include_their_lower_edge_and_the_last_one_both():
    curve = reliability(np.array([0.0, 0.5, 1.0, 1.0]), np.array([0, 1, 1, 0]), bins=2)
    assert curve.counts.tolist() == [1, 3]
    assert curve.mean_predicted == pytest.approx([0.0, 2.5 / 3])
    assert curve.observed_fraction == pytest.approx([0.0, 2 / 3])


def test_empty_bins_are_left_out():
    curve = reliability(np.array([0.05, 0.95, 0.97]), np.array([0, 1, 1]))
    assert curve.counts.tolist() == [1, 2]
    assert np.isfinite(curve.mean_predicted).all() and np.isfinite(curve.observed_fraction).all()


def test_values_worked_out_by_hand():
    p, labels = np.array([0.2, 0.2, 0.9]), np.array([0, 1, 1])
    assert expected_calibration_error(p, labels) == pytest.approx((2 * 0.3 + 0.1) / 3)
    assert brier(p, labels) == pytest.approx((0.04 + 0.64 + 0.01) / 3)
    # One class is enough to be wrong about.
    assert expected_calibration_error(np.array([0.9]), np.array([0])) == pytest.approx(0.9)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=50),
    st.integers(1, 20),
)
@settings(max_examples=100, deadline=None)
def test_properties(rows, bins):
    p, labels = (np.array(column) for column in zip(*rows, strict=True))
    curve = reliability(p, labels, bins)
    assert curve.counts.sum() == len(rows) and (curve.counts > 0).all()
    assert (np.diff(curve.mean_predicted) > 0).all()
    total = np.sum(curve.counts * curve.observed_fraction)
    assert total == pytest.approx(labels.sum())
    error = expected_calibration_error(p, labels, bins)
    assert abs(p.mean() - labels.mean()) - 1e-12 <= error <= 1
    assert error <= np.abs(p - labels).mean() + 1e-12
    assert 0 <= brier(p, labels) <= 1


def test_undefined_without_samples():
    empty = np.zeros(0), np.zeros(0, dtype=int)
    assert reliability(*empty) is None
    assert expected_calibration_error(*empty) is None
    assert brier(*empty) is None


@pytest.mark.parametrize("function", [reliability, expected_calibration_error, brier])
def test_logits_are_refused(function):
    with pytest.raises(DataError, match=r"2 of 3 probabilities lie outside .* index 0"):
        function(np.array([-3.0, 0.5, 2.0]), np.array([0, 1, 1]))
    with pytest.raises(DataError, match="1 of 1 probabilities are not finite"):
        function(np.array([np.nan]), np.array([0]))


def test_no_bins():
    with pytest.raises(UsageError):
        reliability(np.array([0.5]), np.array([1]), bins=0)
