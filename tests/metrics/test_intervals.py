import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binomtest, sem
from scipy.stats import t as student

from deepfake_lightning import metrics as m
from deepfake_lightning.errors import DataError, UsageError
from deepfake_lightning.metrics import Interval
from deepfake_lightning.metrics.ranking import precision_area, rank
from deepfake_lightning.metrics.shares import share_ends, standard_error
from deepfake_lightning.metrics.summary import FPR_LIMITS
from deepfake_lightning.metrics.unanimity import independent_pairs, sure, unanimous_bounds


def test_the_ends_follow_from_value_and_standard_error(clips):
    table = clips(0, 600, 20)
    found = m.summary_intervals(*table, draws=500, seed=4, level=0.9)
    drawn = m.summary_draws(*table, draws=500, seed=4)
    groups, summary = len(np.unique(table[2])), m.summary(*table[:2])
    assert tuple(found) == m.METRIC_NAMES
    assert found["tpr_at_fpr_01"] == Interval(summary["tpr_at_fpr_01"], None, None)
    for name in set(m.METRIC_NAMES) - {"tpr_at_fpr_01"}:
        one, value = found[name], summary[name]
        error = standard_error(drawn[name][0], groups)
        reach = student.ppf(0.95, groups - 1) * error
        if name == "log_loss":
            ends = value * np.exp([-reach / value, reach / value])
        elif name == "ece":
            less_bias = 2 * value - drawn[name].mean()
            ends = max(less_bias - reach, 0), max(less_bias + reach, value)
        else:
            ends = share_ends(value, error, groups, 0.9)
        assert (one.value, one.low, one.high) == pytest.approx((value, *ends), abs=1e-12), name


@pytest.mark.parametrize(("hits", "count"), [(3, 40), (20, 40), (199, 200)])
def test_the_ends_of_independent_items_are_nearly_clopper_pearson(hits, count):
    """As in statsmodels and R; Student's quantile makes them a little wider."""
    value = hits / count
    low, high = share_ends(value, (value * (1 - value) / count) ** 0.5, 10**9, 0.95)
    exact = binomtest(hits, count).proportion_ci(0.95, "exact")
    assert (low, high) == pytest.approx((exact.low, exact.high), rel=1e-6)
    few = share_ends(value, (value * (1 - value) / count) ** 0.5, 10, 0.95)
    assert few[0] < low < value < high < few[1]


@given(st.floats(1e-6, 1 - 1e-6), st.floats(1e-6, 0.5), st.integers(5, 1000))
def test_the_ends_stay_in_range_and_mirror_each_other(value, error, groups):
    low, high = share_ends(value, error, groups, 0.95)
    assert 0 <= low <= value <= high <= 1
    mirrored = share_ends(1 - value, error, groups, 0.95)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-7)


def test_the_standard_error_of_a_mean_is_the_textbook_one():
    rng = np.random.default_rng(0)
    values = rng.random(30)
    drawn = values[rng.integers(0, 30, (200_000, 30))].mean(axis=1)
    assert standard_error(drawn, 30) == pytest.approx(sem(values), rel=0.01)


def test_all_fakes_found_in_the_sample_alone():
    """The draws differ, although the value is at its end."""
    labels = np.repeat([0, 1], [100, 50])
    logits = np.where(labels == 1, 2.0, -2.0)
    logits[0] = 3.0  # one false alarm in a hundred is allowed, two are not
    found = m.summary_intervals(logits, labels, np.arange(150), draws=200)["tpr_at_fpr_1"]
    assert found.value == found.high == 1.0
    assert found.low == 0.0


def test_groups_are_what_counts_and_not_rows(clips):
    logits, labels, groups = clips(1)
    once = m.summary_intervals(logits, labels, groups, draws=400)
    often = m.summary_intervals(*(np.tile(c, 9) for c in (logits, labels, groups)), draws=400)
    fooled = m.summary_intervals(*(np.tile(c, 9) for c in (logits, labels)), np.arange(2700),
                                 draws=400)  # fmt: skip

    def width(found):
        return found["brier"].high - found["brier"].low

    assert width(often) == pytest.approx(width(once), rel=0.2)
    assert width(fooled) < 0.5 * width(once)


def test_a_detector_without_an_error_is_not_claimed_to_make_none():
    labels, groups = np.arange(120) % 2, np.arange(120) // 4
    found = m.summary_intervals(8.0 * labels - 4, labels, groups, draws=200)
    exact = beta.ppf(0.025, 30, 1)  # Clopper-Pearson of 30 of 30
    for name in ("accuracy", "recall", "precision", "balanced_accuracy"):
        assert found[name].low == pytest.approx(exact), name
        assert found[name].high == 1.0
    pairs = beta.ppf(0.025, 15, 1)  # every person has both: 15 pairs of different people
    assert found["auroc"] == Interval(1.0, pytest.approx(pairs), 1.0)
    assert found["eer"] == Interval(0.0, 0.0, pytest.approx(1 - beta.ppf(0.0125, 30, 1)))
    assert exact < found["f1"].low < 1
    assert 0.5 < found["average_precision"].low < exact


def test_a_detector_that_is_always_wrong_mirrors_it():
    labels, groups = np.arange(120) % 2, np.arange(120) // 4
    right = m.summary_intervals(8.0 * labels - 4, labels, groups, draws=200)
    wrong = m.summary_intervals(4 - 8.0 * labels, labels, groups, draws=200)
    for name in ("accuracy", "recall", "balanced_accuracy", "auroc", "eer"):
        assert wrong[name].low == pytest.approx(1 - right[name].high), name
        assert wrong[name].high == pytest.approx(1 - right[name].low), name


def test_one_score_for_all_leaves_room_around_chance():
    labels, groups = np.arange(20) % 2, np.arange(20) // 2
    found = m.summary_intervals(np.full(20, 0.7), labels, groups, draws=100)
    assert found["auroc"].value == 0.5
    assert found["auroc"].low == pytest.approx(0.5 * sure(5))
    assert found["auroc"].high == pytest.approx(1 - 0.5 * sure(5))
    assert found["recall"].value == 1.0 > found["recall"].low > 0
    for name, one in found.items():
        if not name.startswith("tpr_at_fpr"):
            assert one.low <= one.value <= one.high


def test_a_rate_that_the_reals_cannot_show_has_no_interval():
    for reals, ends in ((99, 0), (100, 1), (999, 1), (1000, 2)):
        labels = np.repeat([0, 1], [reals, 50])
        logits = np.random.default_rng(0).normal(size=labels.size) + labels
        found = m.summary_intervals(logits, labels, np.arange(labels.size), draws=50)
        assert sum(found[name].low is not None for name in FPR_LIMITS) == ends
        assert found["auroc"].low is not None


def test_pairs_of_different_groups():
    fake = np.array([0, 0, 0, 1, 1, 1, 1], bool)
    assert independent_pairs(fake, np.array([0, 1, 2, 3, 4, 5, 6])) == 3
    assert independent_pairs(fake, np.array([0, 0, 0, 1, 2, 3, 4])) == 1
    assert independent_pairs(fake, np.array([0, 1, 2, 0, 1, 2, 2])) == 1


def test_the_least_average_precision_is_that_of_the_worst_curve():
    """All at two levels: shares 1 - error of the fakes behind error of the reals, then the rest."""
    error = 1 - sure(40, (1 + 0.95) / 2)
    reals, fakes = 20_000, 10_000
    scores = np.concatenate([
        np.full(round(reals * error), 4.0),
        np.linspace(2, 3, round(fakes * (1 - error))),
        np.full(reals - round(reals * error), 1.0),
        np.linspace(-1, 0, fakes - round(fakes * (1 - error))),
    ])  # fmt: skip
    labels = np.repeat([0, 1, 0, 1], [
        round(reals * error), round(fakes * (1 - error)),
        reals - round(reals * error), fakes - round(fakes * (1 - error)),
    ])  # fmt: skip
    low, high = unanimous_bounds("average_precision", 1.0, 40, 20, 1 / 3, 0.95)
    assert high == 1.0
    assert low == pytest.approx(float(precision_area(rank(scores, labels))), abs=2e-3)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class(label):
    found = m.summary_intervals(np.linspace(-1, 2, 20), np.full(20, label), np.arange(20))
    for name in ("auroc", "average_precision", "eer", "tpr_at_fpr_1", "balanced_accuracy"):
        assert found[name] == Interval(None, None, None)
    assert found["accuracy"].low < found["accuracy"].value < found["accuracy"].high
    assert found["brier"].low < found["brier"].value < found["brier"].high


def test_few_groups_have_a_value_alone(clips):
    logits, labels, _ = clips(0)
    found = m.summary_intervals(logits, labels, np.arange(300) % 4)
    summary = m.summary(logits, labels)
    assert found == {name: Interval(summary[name], None, None) for name in m.METRIC_NAMES}
    # Many reals do not make up for the few fakes.
    labels = (np.arange(300) < 4).astype(int)
    found = m.summary_intervals(logits, labels, np.arange(300))
    assert found["auroc"].value is not None and found["auroc"].low is None
    assert found["recall"].low is None and found["accuracy"].low is not None


@pytest.mark.parametrize("count", [0, 1])
def test_no_rows_and_one(count, recwarn):
    found = m.summary_intervals(np.zeros(count), np.zeros(count, int), np.zeros(count, int))
    assert found["auroc"] == found["recall"] == Interval(None, None, None)
    assert found["brier"] == Interval(0.25 if count else None, None, None)
    assert not recwarn.list


def test_a_share_is_that_of_the_summary(clips):
    logits, labels, groups = clips(3)
    hits = (logits >= 0) == labels.astype(bool)
    share = m.share_interval(hits, groups, draws=300)
    assert share.value == m.summary(logits, labels)["accuracy"]
    accuracy = m.summary_intervals(logits, labels, groups, draws=300)["accuracy"]
    assert (share.low, share.high) == pytest.approx((accuracy.low, accuracy.high), abs=1e-12)


def test_shares_at_their_ends_and_without_items():
    groups = np.arange(60) // 2
    none = m.share_interval(np.zeros(60, bool), groups)
    assert none == Interval(0.0, 0.0, pytest.approx(beta.ppf(0.975, 1, 30)))
    every = m.share_interval(np.ones(60, bool), groups, level=0.9)
    assert every == Interval(1.0, pytest.approx(beta.ppf(0.05, 30, 1)), 1.0)
    assert m.share_interval(np.zeros(0, bool), np.zeros(0, int)) == Interval(None, None, None)
    assert m.share_interval(np.ones(8, bool), np.arange(8) % 4) == Interval(1.0, None, None)


def test_input_that_has_no_interval():
    with pytest.raises(DataError, match="hits must be bool"):
        m.share_interval(np.ones(3), np.arange(3))
    with pytest.raises(DataError, match="3 rows do not match groups"):
        m.share_interval(np.ones(3, bool), np.arange(4))
    with pytest.raises(UsageError, match="level"):
        m.share_interval(np.ones(3, bool), np.arange(3), level=95)
    with pytest.raises(UsageError, match="level"):
        m.summary_intervals(np.ones(3), np.ones(3, int), np.arange(3), level=1.0)
