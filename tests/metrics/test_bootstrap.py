import math

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfake_lightning import metrics as m
from deepfake_lightning.errors import DataError, UsageError
from deepfake_lightning.metrics import resampling


def times_of(groups, draws, seed):
    """How often each group was drawn, [draws, G]."""
    parts = {}
    resampling.resample(groups, draws, seed, parts.__setitem__)
    return np.concatenate([parts[start] for start in sorted(parts)]).astype(int)


def plainly(logits, labels):
    """Metrics of rows by scikit-learn, NaN where undefined."""
    called = logits >= 0
    both = 0 < labels.sum() < labels.size
    chance = m.sigmoid(logits)
    fpr, tpr, _ = sk.roc_curve(labels, logits, drop_intermediate=False) if both else (0, 0, 0)
    return {
        "accuracy": sk.accuracy_score(labels, called),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, called) if both else math.nan,
        "precision": sk.precision_score(labels, called, zero_division=np.nan),
        "recall": sk.recall_score(labels, called, zero_division=np.nan),
        "f1": sk.f1_score(labels, called, zero_division=np.nan),
        "auroc": sk.roc_auc_score(labels, logits) if both else math.nan,
        "average_precision": sk.average_precision_score(labels, logits) if both else math.nan,
        "eer": m.equal_error_rate(logits, labels) if both else math.nan,
        "tpr_at_fpr_1": tpr[fpr <= 0.01].max() if both else math.nan,
        "tpr_at_fpr_01": tpr[fpr <= 0.001].max() if both else math.nan,
        "log_loss": sk.log_loss(labels, chance, labels=[0, 1]),
        "brier": sk.brier_score_loss(labels, chance, labels=[0, 1]),
        "ece": m.expected_calibration_error(chance, labels),
    }


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("count", "people"), [(300, 25), (12, 6), (5, 3)])
def test_agrees_with_rows_that_are_repeated(clips, count, people, ties):
    logits, labels, groups = clips(count, count, people, ties)
    groups = np.unique(groups, return_inverse=True)[1]
    other = logits[::-1].copy()
    found = m.summary_draws(np.stack([logits, other]), labels, groups, draws=25, seed=3)
    assert tuple(found) == m.METRIC_NAMES
    times = times_of(groups, 25, 3)
    assert (times.sum(axis=1) == groups.max() + 1).all()
    for draw, weights in enumerate(times):
        rows = np.repeat(np.arange(count), weights[groups])
        for detector, scores in enumerate((logits, other)):
            for name, value in plainly(scores[rows], labels[rows]).items():
                got = found[name][detector, draw]
                assert got == pytest.approx(value, abs=1e-12, nan_ok=True), (name, draw)


@given(st.integers(0, 10_000), st.booleans(), st.sampled_from(m.METRIC_NAMES))
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_rows_does_not_matter(clips, seed, ties, name):
    table = clips(seed, 80, 10, ties)
    order = np.random.default_rng(seed).permutation(80)
    before = m.summary_draws(*table, draws=20, names=[name])
    after = m.summary_draws(*(column[order] for column in table), draws=20, names=[name])
    np.testing.assert_array_equal(before[name], after[name])


def test_the_number_of_threads_does_not_matter(clips, monkeypatch):
    table = clips(0, 2000, 200)
    monkeypatch.setattr(resampling, "_SMALL", 0)
    found = []
    for threads in (1, 2, 7):
        monkeypatch.setattr(resampling, "_THREADS", threads)
        found.append(m.summary_draws(*table, draws=300))
    for name in m.METRIC_NAMES:
        for other in found[1:]:
            np.testing.assert_array_equal(found[0][name], other[name])


def test_the_seed_decides(clips):
    table = clips(0)
    one, same, other = (m.summary_draws(*table, draws=50, seed=seed)["auroc"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_detectors_are_drawn_alike_and_names_may_be_strings(clips):
    logits, labels, groups = clips(5)
    both = m.summary_draws(np.stack([logits, logits]), labels, groups, draws=40)
    names = np.array([f"person {number:03}" for number in range(25)])[groups]
    alone = m.summary_draws(logits, labels, names, draws=40)
    for name in m.METRIC_NAMES:
        np.testing.assert_array_equal(both[name][0], both[name][1])
        np.testing.assert_array_equal(both[name][:1], alone[name])


def test_only_what_is_asked_for(clips):
    table = clips(1)
    every = m.summary_draws(*table, draws=10)
    found = m.summary_draws(*table, draws=10, names={"brier", "auroc"})
    assert list(found) == ["auroc", "brier"]
    np.testing.assert_array_equal(found["brier"], every["brier"])


def test_a_perfect_detector_stays_perfect():
    labels = np.arange(40) % 2
    found = m.summary_draws(8.0 * labels - 4, labels, np.arange(40), draws=100)
    for name in ("auroc", "average_precision", "tpr_at_fpr_01", "f1"):
        np.testing.assert_array_equal(found[name], 1.0)
    np.testing.assert_array_equal(found["eer"], 0.0)


@pytest.mark.parametrize("count", [0, 1, 20])
def test_thin_data_are_undefined_and_raise_nothing(count, recwarn):
    found = m.summary_draws(np.zeros(count), np.zeros(count, int), np.zeros(count, int), draws=7)
    for name in ("auroc", "average_precision", "eer", "recall", "balanced_accuracy"):
        assert found[name].shape == (1, 7)
        assert np.isnan(found[name]).all()
    assert np.isnan(found["brier"]).all() == (count == 0)
    assert not recwarn.list


def test_input_that_cannot_be_drawn_from(clips):
    logits, labels, groups = clips(0, 10)
    with pytest.raises(DataError, match="10 rows do not match groups of shape"):
        m.summary_draws(logits, labels, groups[:5])
    with pytest.raises(DataError, match="1 of 10 logits are not finite"):
        m.summary_draws(np.where(np.arange(10) == 3, np.nan, logits), labels, groups)
    with pytest.raises(DataError, match="one dimension"):
        m.summary_draws(np.zeros((2, 2, 10)), labels, groups)
    with pytest.raises(UsageError, match="'auc'"):
        m.summary_draws(logits, labels, groups, names=["auc"])
    with pytest.raises(UsageError, match="at least one draw"):
        m.summary_draws(logits, labels, groups, draws=0)
