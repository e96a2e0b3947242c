import math

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
import torchmetrics.functional.classification as tm

from deepfake_lightning import metrics as m

SIZES = (3, 10, 101, 2000)


def draw(seed, n, ties=True):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    labels[:2] = 0, 1
    logits = rng.normal(size=n) * 3 + labels
    return (np.round(logits) if ties else logits), labels


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_learn_and_torchmetrics(seed, n, ties):
    logits, labels = draw(seed, n, ties)
    probabilities, called = m.sigmoid(logits), logits >= 0
    fpr, tpr, _ = sk.roc_curve(labels, logits, drop_intermediate=False)
    ece = tm.binary_calibration_error(torch.from_numpy(probabilities), torch.from_numpy(labels), 10)
    expected = {
        "accuracy": sk.accuracy_score(labels, called),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, called),
        "precision": sk.precision_score(labels, called, zero_division=np.nan),
        "recall": sk.recall_score(labels, called),
        "f1": sk.f1_score(labels, called),
        "auroc": sk.roc_auc_score(labels, logits),
        "average_precision": sk.average_precision_score(labels, logits),
        "eer": crossing(fpr, tpr),
        "tpr_at_fpr_1": tpr[fpr <= 0.01].max(),
        "tpr_at_fpr_01": tpr[fpr <= 0.001].max(),
        "log_loss": sk.log_loss(labels, probabilities),
        "brier": sk.brier_score_loss(labels, probabilities),
        "ece": pytest.approx(float(ece), abs=1e-6),
    }
    found = m.summary(logits, labels)
    assert tuple(found) == m.METRIC_NAMES == tuple(expected)
    for name, value in expected.items():
        got = math.nan if found[name] is None else found[name]
        if isinstance(value, float):
            value = pytest.approx(value, abs=1e-12, nan_ok=True)
        assert got == value, name


def crossing(fpr, tpr):
    """Bisection on the curve as a path, which shares nothing with the code under test."""
    steps = np.arange(fpr.size, dtype=float)
    low, high = 0.0, steps[-1]
    for _ in range(200):
        middle = (low + high) / 2
        if np.interp(middle, steps, fpr) + np.interp(middle, steps, tpr) < 1:
            low = middle
        else:
            high = middle
    return float(np.interp(low, steps, fpr))


def test_what_is_better():
    assert set(m.METRIC_NAMES) > m.LOWER_IS_BETTER
    rng = np.random.default_rng(0)
    labels = np.arange(4000) % 2
    clear, vague = (rng.normal(size=4000) + gap * (2 * labels - 1) for gap in (2, 0.3))
    good, poor = m.summary(4 * clear, labels), m.summary(4 * vague, labels)  # 4: log-odds of clear
    for name in m.METRIC_NAMES:
        assert (good[name] < poor[name]) == (name in m.LOWER_IS_BETTER), name


def test_the_sign_of_the_logit_decides_also_where_the_probability_rounds_to_a_half():
    found = m.summary(np.array([-1e-20, 0.0]), np.array([1, 1]))
    assert m.sigmoid(np.array([-1e-20])) == 0.5
    assert found["recall"] == 0.5


def test_balanced_accuracy_is_blind_to_the_share_of_fakes_and_needs_both_classes():
    counts = m.Confusion(tn=9, fp=1, fn=500, tp=500)
    assert m.balanced_accuracy(counts) == pytest.approx((0.9 + 0.5) / 2)
    assert m.balanced_accuracy(m.Confusion(tn=0, fp=0, fn=1, tp=1)) is None
    assert m.balanced_accuracy(m.Confusion(tn=1, fp=1, fn=0, tp=0)) is None
    assert m.summary(np.ones(3), np.ones(3, int))["balanced_accuracy"] is None
