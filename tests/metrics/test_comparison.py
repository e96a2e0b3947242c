import numpy as np
import pytest
from scipy.stats import t as student

from deepfake_lightning import metrics as m
from deepfake_lightning.errors import DataError, UsageError


def test_holm_by_hand():
    # Rising: 0.01 * 4, 0.02 * 3, 0.03 * 2 (not below 0.06), 0.5.
    found = m.holm(np.array([0.03, 0.5, 0.01, 0.02]))
    assert found == pytest.approx([0.06, 0.5, 0.04, 0.06])
    assert m.holm(np.array([0.4, 0.9])) == pytest.approx([0.8, 0.9])
    assert m.holm(np.array([0.8, 0.9])).tolist() == [1.0, 1.0]
    assert m.holm(np.zeros(0)).shape == (0,)


def test_each_metric_has_its_test(clips):
    a, labels, groups = clips(0, 600, 20)
    b = a + np.random.default_rng(1).normal(size=600)
    names = [name for name in m.METRIC_NAMES if name != "tpr_at_fpr_01"]
    found = m.compare_summaries(a, b, labels, groups, draws=300, seed=2, names=names)
    assert list(found) == names
    drawn = m.summary_draws(np.stack([a, b]), labels, groups, draws=300, seed=2)
    before, after = m.summary(a, labels), m.summary(b, labels)
    count = len(np.unique(groups))
    for name, one in found.items():
        assert (one.a, one.b) == (before[name], after[name])
        assert one.difference == one.b - one.a
        error = np.std(drawn[name][1] - drawn[name][0], ddof=1) * np.sqrt(count / (count - 1))
        if name == "auroc":
            error = m.delong(a, b, labels, groups).standard_error
        reach = student.ppf(0.975, count - 1) * error
        assert (one.low, one.high) == pytest.approx(
            (one.difference - reach, one.difference + reach)
        )
        assert one.p == pytest.approx(2 * student.sf(abs(one.difference) / error, count - 1))
        assert (one.p < 0.05) == (not one.low <= 0 <= one.high)
    assert [one.p_adjusted for one in found.values()] == pytest.approx(
        m.holm(np.array([one.p for one in found.values()])).tolist()
    )


def test_the_verdict_knows_which_way_is_better(clips):
    a, labels, groups = clips(4, 2000, 200)
    b = a + 1.0 * (2 * labels - 1)
    for name, one in m.compare_summaries(a, b, labels, groups, draws=200).items():
        assert one.verdict == "better", name
        assert (one.difference < 0) == (name in m.LOWER_IS_BETTER)
    for one in m.compare_summaries(b, a, labels, groups, draws=200).values():
        assert one.verdict == "worse"


def test_what_is_the_same_cannot_be_told_apart(clips):
    a, labels, groups = clips(5)
    for one in m.compare_summaries(a, a.copy(), labels, groups, draws=50).values():
        assert (one.difference, one.low, one.high, one.p) == (0.0, 0.0, 0.0, 1.0)
        assert one.verdict == "cannot tell"
    # A single threshold-free change leaves the ranking alone and costs belief.
    found = m.compare_summaries(a, 30 * a, labels, groups, draws=200)
    assert found["auroc"].difference == 0 and found["auroc"].p == 1.0
    assert found["log_loss"].verdict == "worse"


def test_the_verdict_is_of_the_adjusted_p(clips):
    a, labels, groups = clips(6, 600, 60)
    rng = np.random.default_rng(0)
    for _ in range(200):
        b = a + rng.normal(size=600)
        found = m.compare_summaries(a, b, labels, groups, draws=100, names=("brier", "auroc"))
        for one in found.values():
            assert (one.verdict != "cannot tell") == (one.p_adjusted < 0.05)
        if any(one.p < 0.05 <= one.p_adjusted for one in found.values()):
            return
    raise AssertionError("no p was between the two")


@pytest.mark.parametrize("count", [0, 1, 20])
@pytest.mark.parametrize("both", [False, True])
def test_thin_data_have_no_verdict(count, both, recwarn):
    labels = np.arange(count) % 2 * both
    found = m.compare_summaries(np.ones(count), np.ones(count), labels, np.zeros(count, int))
    for name, one in found.items():
        assert one.p is None and one.p_adjusted is None and one.low is None
        assert one.verdict == "cannot tell"
        ranked = name not in ("log_loss", "brier")
        assert (one.difference is None) == (count == 0 or (ranked and not (both and count > 1)))
    assert not recwarn.list


def test_constant_scores_that_differ(recwarn):
    labels, groups = np.arange(40) % 2, np.arange(40) // 2
    found = m.compare_summaries(np.ones(40), np.full(40, -1.0), labels, groups)
    assert found["auroc"].p == found["balanced_accuracy"].p == 1.0
    assert found["balanced_accuracy"].low < 0 < found["balanced_accuracy"].high
    labels = np.repeat([0, 1], [36, 4])  # b, which calls nothing fake, is right where it counts
    found = m.compare_summaries(np.ones(40), np.full(40, -1.0), labels, np.arange(40) // 5)
    assert found["brier"].difference < 0
    assert all(np.isfinite(one.p) for one in found.values() if one.p is not None)
    assert not recwarn.list


def test_input_that_cannot_be_compared(clips):
    a, labels, groups = clips(0, 20)
    with pytest.raises(DataError, match="do not match"):
        m.compare_summaries(a, a[:5], labels, groups)
    with pytest.raises(UsageError, match="'auc'"):
        m.compare_summaries(a, a, labels, groups, names=["auc"])
