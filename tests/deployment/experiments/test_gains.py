"""What a version gets for what it said."""

import math

import numpy as np
import pytest

from deepfake_lightning.deployment.experiments.gains import gain_of, shadow_gains, split_gains
from deepfake_lightning.deployment.experiments.policy import ExperimentPolicy


@pytest.mark.parametrize(
    ("label", "verdict", "gain"),
    [
        (1, "manipulation_indicated", 1), (0, "manipulation_indicated", 0),
        (1, "no_indication", 0), (0, "no_indication", 1),
        (1, "inconclusive", 0.5), (0, "not_assessable", 0.5), (1, None, 0.5),
    ],
)  # fmt: skip
def test_a_verdict_is_right_wrong_or_neither(said, label, verdict, gain):
    assert gain_of(said(1, "v1.0.0", label, verdict=verdict), ExperimentPolicy()) == gain


def test_what_undecided_is_worth_is_the_policys(said):
    undecided = said(1, "v1.0.0", 1, verdict="inconclusive")
    assert gain_of(undecided, ExperimentPolicy(undecided=0.2)) == 0.2


def test_probabilities(said):
    brier, loss = ExperimentPolicy(metric="brier"), ExperimentPolicy(metric="log_loss")
    fake, real = said(1, "v1.0.0", 1, score=0.8), said(1, "v1.0.0", 0, score=0.8)
    assert gain_of(fake, brier) == pytest.approx(0.96)
    assert gain_of(real, brier) == pytest.approx(0.36)
    assert gain_of(fake, loss) == pytest.approx(math.log(0.8))
    assert gain_of(real, loss) == pytest.approx(math.log(0.2))
    none, certain = said(1, "v1.0.0", 1, score=None), said(1, "v1.0.0", 0, score=1.0)
    assert gain_of(none, brier) == 0.75
    assert gain_of(certain, loss) == math.log(0.001)


def test_a_request_that_was_split_has_one_of_both(said):
    rows = [said(1, "v1.0.0", 1), said(2, "v1.1.0", 0, verdict="manipulation_indicated"),
            said(3, "v1.2.0", 1), said(2, "v1.0.0", 0, variant="shadow")]  # fmt: skip
    found = split_gains(rows, "v1.0.0", "v1.1.0", ExperimentPolicy())
    np.testing.assert_array_equal(found.control, [1, np.nan])
    np.testing.assert_array_equal(found.challenger, [np.nan, 0])
    assert found.labels.tolist() == [1, 0]


def test_in_the_shadow_both_have_it(said):
    rows = [
        said(1, "v1.0.0", 1), said(1, "v1.1.0", 1, variant="shadow", verdict="no_indication"),
        said(2, "v1.0.0", 0),  # the shadow was left out of this one
        said(3, "v1.0.0", 0), said(3, "v1.1.0", 0, variant="shadow"),
        said(3, "v1.2.0", 0, variant="shadow"),
    ]  # fmt: skip
    found = shadow_gains(rows, "v1.0.0", "v1.1.0", ExperimentPolicy())
    assert found.control.tolist() == [1, 1]
    assert found.challenger.tolist() == [0, 1]
    assert found.labels.tolist() == [1, 0]
