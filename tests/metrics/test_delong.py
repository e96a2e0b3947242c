import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from scipy.stats import t as student

from deepfake_lightning import metrics as m
from deepfake_lightning.errors import DataError
from deepfake_lightning.metrics import PairedAUC


def components(scores, labels):
    """Of each fake and each real by comparing all pairs."""
    gap = scores[labels == 1][:, None] - scores[labels == 0][None, :]
    wins = (np.sign(gap) + 1) / 2
    return wins.mean(axis=1), wins.mean(axis=0)


def directly(a, b, labels, groups):
    """Obuchowski's variance of auc_b - auc_a, term by term over groups."""
    (fakes_a, reals_a), (fakes_b, reals_b) = components(a, labels), components(b, labels)
    of_fakes, of_reals = fakes_b - fakes_a, reals_b - reals_a
    gap, m_, n_ = of_fakes.mean(), of_fakes.size, of_reals.size
    fake_groups, real_groups = groups[labels == 1], groups[labels == 0]
    names = set(groups.tolist())
    i10, i01 = len(set(fake_groups.tolist())), len(set(real_groups.tolist()))
    s10 = s01 = s11 = 0.0
    for name in names:
        fake = (of_fakes[fake_groups == name] - gap).sum()
        real = (of_reals[real_groups == name] - gap).sum()
        s10, s01, s11 = s10 + fake * fake, s01 + real * real, s11 + fake * real
    s10 *= i10 / ((i10 - 1) * m_)
    s01 *= i01 / ((i01 - 1) * n_)
    s11 *= len(names) / (len(names) - 1)
    return gap, s10 / m_ + s01 / n_ + 2 * s11 / (m_ * n_)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_all_pairs_compared(clips, seed, ties):
    a, labels, groups = clips(seed, 240, 30, ties)
    b = a + np.random.default_rng(seed).normal(size=240)
    gap, variance = directly(a, b, labels, groups)
    found = m.delong(a, b, labels, groups)
    assert found.auc_a == m.auroc(a, labels) and found.auc_b == m.auroc(b, labels)
    assert found.difference == pytest.approx(gap, abs=1e-12)
    assert found.standard_error == pytest.approx(np.sqrt(variance), abs=1e-12)
    df = len(set(groups.tolist())) - 1
    assert found.p == pytest.approx(2 * student.sf(abs(gap) / np.sqrt(variance), df))
    reach = student.ppf(0.975, df) * np.sqrt(variance)
    assert (found.low, found.high) == pytest.approx((gap - reach, gap + reach))


def test_without_groups_it_is_the_test_of_delong(clips):
    a, labels, _ = clips(9)
    b = a + np.random.default_rng(9).normal(size=a.size)
    plain = m.delong(a, b, labels)
    (fakes_a, reals_a), (fakes_b, reals_b) = components(a, labels), components(b, labels)
    error = np.sqrt(
        np.cov(fakes_b - fakes_a) / fakes_a.size + np.cov(reals_b - reals_a) / reals_a.size
    )
    assert plain.standard_error == pytest.approx(error, abs=1e-12)
    assert plain.p == pytest.approx(2 * norm.sf(abs(plain.difference) / error))
    each = m.delong(a, b, labels, np.arange(a.size))
    assert each.standard_error == pytest.approx(error, abs=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_to_swap_the_two_turns_the_sign(seed):
    rng = np.random.default_rng(seed)
    labels, groups = np.arange(30) % 2, rng.integers(0, 12, 30)
    a, b = rng.integers(0, 6, (2, 30)).astype(float)
    one, other = m.delong(a, b, labels, groups), m.delong(b, a, labels, groups)
    assert other.difference == pytest.approx(-one.difference, abs=1e-12)
    assert other.p == pytest.approx(one.p, abs=1e-12)
    assert (other.low, other.high) == pytest.approx((-one.high, -one.low), abs=1e-12)
    assert 0 <= one.p <= 1 and one.low <= one.difference <= one.high


def test_a_million_rows(clips):
    a, labels, groups = clips(0, 1_000_000, 10_000)
    found = m.delong(a, a + 0.01 * labels, labels, groups)
    assert found.difference > 0 and found.p < 1e-6


def test_the_same_scores_do_not_differ(clips):
    a, labels, groups = clips(2)
    auc = m.auroc(a, labels)
    assert m.delong(a, a, labels, groups) == PairedAUC(auc, auc, 0.0, 0.0, 0.0, 0.0, 1.0)


def test_rankings_without_spread_say_what_their_pairs_say():
    labels = np.arange(20) % 2
    a, b = labels.astype(float), 2.0 * labels + np.arange(20) / 100
    both = m.delong(a, b, labels)
    assert (both.difference, both.p) == (0.0, 1.0)
    assert both.low == pytest.approx(-both.high) and 0.2 < both.high < 0.4
    against = m.delong(-a, b, labels)
    assert (against.difference, against.p) == (1.0, 2.0**-9)
    assert 0 < against.low < against.high == 1.0


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_thin_data(count, recwarn):
    scores = np.arange(float(count))
    one_class = m.delong(scores, -scores, np.zeros(count, int))
    assert one_class == PairedAUC(*[None] * 7)
    found = m.delong(scores, -scores, (scores > 0).astype(int))
    assert found.standard_error is None and found.p is None
    assert (found.difference is None) == (count < 2)
    assert not recwarn.list


def test_lengths_must_match():
    with pytest.raises(DataError, match="do not match labels"):
        m.delong(np.zeros(3), np.zeros(2), np.array([0, 1, 1]))
    with pytest.raises(DataError, match="do not match groups"):
        m.delong(np.zeros(3), np.zeros(3), np.array([0, 1, 1]), np.arange(2))
