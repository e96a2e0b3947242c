import math

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
import torchmetrics.functional.classification as tm
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfake_lightning import metrics as m
from deepfake_lightning.errors import DataError, UsageError

RANKING = (
    m.auroc,
    m.average_precision,
    m.equal_error_rate,
    lambda scores, labels: m.tpr_at_fpr(scores, labels, 0.1),
)
SIZES = (3, 10, 101, 2000)


def draw(seed, n, ties=True):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    labels[:2] = 0, 1
    logits = rng.normal(size=n) * 3 + labels
    return (np.round(logits) if ties else logits), labels


# Few distinct values, so that most examples have ties across the classes.
samples = st.lists(
    st.tuples(st.integers(-5, 5), st.integers(0, 1)), min_size=2, max_size=40
).filter(lambda rows: len({label for _, label in rows}) == 2)


def arrays(rows):
    scores, labels = zip(*rows, strict=True)
    return np.array(scores, dtype=np.float64), np.array(labels)


@pytest.mark.parametrize("n", SIZES)
def test_agrees_with_torchmetrics(n):
    logits, labels = draw(11, n)
    probabilities = m.sigmoid(logits)
    p, t = torch.from_numpy(probabilities), torch.from_numpy(labels)
    counts = m.confusion(probabilities, labels, 0.3)
    matrix = tm.binary_confusion_matrix(p, t, threshold=0.3)
    assert [counts.tn, counts.fp, counts.fn, counts.tp] == matrix.ravel().tolist()
    assert m.auroc(logits, labels) == pytest.approx(float(tm.binary_auroc(p, t)), abs=1e-6)
    found = m.average_precision(logits, labels)
    assert found == pytest.approx(float(tm.binary_average_precision(p, t)), abs=1e-6)


@pytest.mark.parametrize("ties", [True, False])
def test_roc_curve_is_that_of_scikit_learn(ties):
    scores, labels = draw(4, 500, ties)
    for got, expected in zip(
        m.roc_curve(scores, labels),
        sk.roc_curve(labels, scores, drop_intermediate=False),
        strict=True,
    ):
        np.testing.assert_array_equal(got, expected)


def test_values_worked_out_by_hand():
    scores, labels = np.array([0.9, 0.8, 0.8, 0.4, 0.3]), np.array([1, 1, 0, 0, 1])
    # Pairs (fake, real): 0.9 wins 2; 0.8 ties 1 and wins 1; 0.3 loses 2: 3.5 of 6.
    assert m.auroc(scores, labels) == 3.5 / 6
    # Steps: recall 1/3 at precision 1, 2/3 at 2/3, 1 at 3/5.
    assert m.average_precision(scores, labels) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    # Between (0, 1/3) and (1/2, 2/3): fpr = 1 - tpr at 0.4.
    assert m.equal_error_rate(scores, labels) == pytest.approx(0.4)
    assert m.tpr_at_fpr(scores, labels, 0.499) == pytest.approx(1 / 3)
    assert m.tpr_at_fpr(scores, labels, 0.5) == pytest.approx(2 / 3)
    counts = m.confusion(scores, labels, 0.8)
    assert counts == m.Confusion(tn=1, fp=1, fn=1, tp=2)
    assert (m.accuracy(counts), m.precision(counts)) == (3 / 5, 2 / 3)
    assert (m.recall(counts), m.f1(counts)) == (2 / 3, 2 / 3)


def test_a_score_at_the_threshold_is_called_fake():
    assert m.confusion(np.array([0.5, 0.49]), np.array([1, 1])).tp == 1
    assert m.summary(np.array([0.0]), np.array([1]))["recall"] == 1.0


def test_a_rate_that_is_met_exactly_counts():
    # 3 of 300 false alarms is 1 %, whatever the floating point makes of it.
    labels = np.array([0] * 3 + [1] * 7 + [0] * 297)
    assert m.tpr_at_fpr(-np.arange(307.0), labels, 0.01) == 1.0


@given(samples)
@settings(max_examples=100, deadline=None)
def test_ranking_depends_on_the_order_of_the_scores_only(rows):
    scores, labels = arrays(rows)
    for metric in RANKING:
        assert metric(scores**3 + 7, labels) == metric(scores, labels)
        assert metric(m.sigmoid(scores), labels) == metric(scores, labels)


@given(samples)
@settings(max_examples=100, deadline=None)
def test_complement(rows):
    scores, labels = arrays(rows)
    area, eer = m.auroc(scores, labels), m.equal_error_rate(scores, labels)
    assert m.auroc(-scores, labels) == pytest.approx(1 - area, abs=1e-12)
    assert m.auroc(-scores, 1 - labels) == pytest.approx(area, abs=1e-12)
    assert m.equal_error_rate(-scores, labels) == pytest.approx(1 - eer, abs=1e-12)
    assert m.equal_error_rate(-scores, 1 - labels) == pytest.approx(eer, abs=1e-12)


@given(samples, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_order_of_the_rows_does_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))
    before, after = (m.summary(*arrays(order)) for order in (rows, shuffled))
    for name in ("log_loss", "brier", "ece"):  # sums of what is not whole
        assert before.pop(name) == pytest.approx(after.pop(name), abs=1e-12)
    assert before == after


@given(samples)
@settings(max_examples=100, deadline=None)
def test_auroc_counts_pairs(rows):
    scores, labels = arrays(rows)
    gap = scores[labels == 1][:, None] - scores[labels == 0][None, :]
    assert m.auroc(scores, labels) == pytest.approx(np.mean((np.sign(gap) + 1) / 2), abs=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_leaves_the_ranking_undefined(label):
    logits, labels = np.array([-1.0, 2.0, 2.0]), np.full(3, label)
    assert [metric(logits, labels) for metric in RANKING] == [None] * 4
    assert m.roc_curve(logits, labels) is None
    found = m.summary(logits, labels)
    assert found["accuracy"] == pytest.approx(2 / 3 if label else 1 / 3)
    assert found["recall"] == (pytest.approx(2 / 3) if label else None)
    assert found["log_loss"] > 0


def test_precision_is_undefined_where_nothing_was_called_fake():
    found = m.summary(np.array([-1.0, -2.0]), np.array([0, 1]))
    assert found["precision"] is None
    assert (found["recall"], found["f1"]) == (0.0, 0.0)
    assert m.summary(np.array([-1.0]), np.array([0]))["f1"] is None


def test_nothing_is_defined_without_samples():
    empty = np.zeros(0), np.zeros(0, dtype=int)
    assert m.summary(*empty) == dict.fromkeys(m.METRIC_NAMES)
    assert m.confusion(*empty) == m.Confusion(0, 0, 0, 0)
    assert m.log_loss(*empty) is None


def test_perfect_inverted_and_constant():
    labels = np.array([0, 1])
    for logits, area, eer in (([-1, 1], 1, 0), ([1, -1], 0, 1), ([3, 3], 0.5, 0.5)):
        found = m.summary(np.array(logits, dtype=float), labels)
        assert (found["auroc"], found["eer"]) == (area, eer)
        assert found["tpr_at_fpr_1"] == float(area == 1)


def test_extreme_logits(recwarn):
    logits, labels = np.array([-1e4, 1e4, 1e4, -1e4]), np.array([0, 1, 0, 1])
    assert m.log_loss(logits[:2], labels[:2]) == 0.0
    assert m.log_loss(logits, labels) == 5000.0
    np.testing.assert_array_equal(m.sigmoid(logits), [0, 1, 1, 0])
    assert m.summary(logits, labels)["auroc"] == 0.5
    # Both probabilities are 1.0 in float64; the logits still rank them.
    assert m.summary(np.array([50.0, 60.0]), labels[:2])["auroc"] == 1.0
    # The loss of a sure hit stays above zero as long as float64 can tell.
    assert m.log_loss(np.array([40.0]), np.array([1])) == pytest.approx(math.exp(-40))
    assert not recwarn.list


def test_log_loss_matches_torch_and_float32_is_widened():
    logits, labels = draw(5, 1000, ties=False)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.from_numpy(logits), torch.from_numpy(labels).double()
    )
    assert m.log_loss(logits, labels) == pytest.approx(float(expected), rel=1e-13)
    narrow = logits.astype(np.float32)
    assert m.summary(narrow, labels) == m.summary(narrow.astype(np.float64), labels)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_named(wrong):
    logits, labels = np.array([0.0, wrong, 1.0, wrong]), np.array([0, 1, 0, 1])
    for function in (*RANKING, m.roc_curve, m.log_loss, m.summary, m.confusion):
        with pytest.raises(DataError, match=r"2 of 4 .* not finite, the first at index 1"):
            function(logits, labels)


def test_input_that_cannot_be_measured():
    scores = np.array([0.1, 0.9])
    with pytest.raises(DataError, match=r"1 of 2 labels .* index 1 \(2\)"):
        m.auroc(scores, np.array([0, 2]))
    with pytest.raises(DataError, match="do not match"):
        m.auroc(scores, np.array([0, 1, 1]))
    with pytest.raises(DataError, match="one dimension"):
        m.auroc(scores[:, None], np.array([[0], [1]]))
    with pytest.raises(DataError, match=r"1 of 2 probabilities lie outside .* index 1"):
        m.confusion(np.array([0.1, 1.5]), np.array([0, 1]))
    with pytest.raises(UsageError):
        m.confusion(scores, np.array([0, 1]), threshold=math.nan)
    with pytest.raises(UsageError):
        m.tpr_at_fpr(scores, np.array([0, 1]), 1.5)
