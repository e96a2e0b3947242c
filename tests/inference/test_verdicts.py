"""From a logit to a probability and a verdict."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from deepfake_lightning.inference.verdicts import calibrated, probability, verdict
from deepfake_lightning.schemas.calibration import ItemCalibration

Numbers = st.floats(allow_nan=False, allow_infinity=False)
Usual = st.floats(-1e6, 1e6)
ORDER = ["no_indication", "inconclusive", "manipulation_indicated"]


@st.composite
def calibrations(draw: st.DrawFn) -> ItemCalibration:
    low, high = sorted((draw(Usual), draw(Usual)))
    return ItemCalibration(
        temperature=draw(st.floats(1e-3, 1e3)), clear_below=low, indicated_from=high, items=9
    )


@given(Numbers)
def test_the_probability_is_scipy_s_sigmoid(value: float) -> None:
    found = probability(value)
    assert 0 <= found <= 1
    assert found == pytest.approx(float(expit(value)), rel=1e-12, abs=1e-300)


@given(Numbers, Numbers)
def test_a_higher_logit_is_never_less_probable(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert probability(low) <= probability(high)


@given(Usual)
def test_real_and_fake_add_up(value: float) -> None:
    assert probability(value) + probability(-value) == pytest.approx(1.0)


@given(calibrations(), Usual, Usual)
def test_a_higher_logit_is_never_less_suspicious(
    fitted: ItemCalibration, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    assert calibrated(low, fitted) <= calibrated(high, fitted)
    assert ORDER.index(verdict(low, fitted)) <= ORDER.index(verdict(high, fitted))


@given(calibrations(), Usual)
def test_temperature_never_changes_the_side(fitted: ItemCalibration, logit: float) -> None:
    score = probability(calibrated(logit, fitted))
    assert (score > 0.5) <= (logit > 0) and (score < 0.5) <= (logit < 0)


@given(calibrations(), Usual)
def test_the_verdict_is_where_the_calibrated_log_odds_lie(
    fitted: ItemCalibration, logit: float
) -> None:
    value = logit / fitted.temperature
    found = verdict(logit, fitted)
    assert (found == "manipulation_indicated") == (value >= fitted.indicated_from)
    assert (found == "no_indication") == (value < fitted.clear_below)


@pytest.mark.parametrize(
    ("logit", "expected"),
    [
        (4.0, "manipulation_indicated"),  # at the bound: 4 over a temperature of 2
        (math.nextafter(4.0, 0), "inconclusive"),
        (-2.0, "inconclusive"),  # at the bound
        (math.nextafter(-2.0, -3), "no_indication"),
    ],
)
def test_the_bounds_belong_to_the_more_suspicious_side(logit: float, expected: str) -> None:
    fitted = ItemCalibration(temperature=2.0, clear_below=-1.0, indicated_from=2.0, items=9)
    assert verdict(logit, fitted) == expected


def test_with_one_threshold_nothing_is_inconclusive() -> None:
    fitted = ItemCalibration(clear_below=0.5, indicated_from=0.5, items=9)
    assert verdict(0.5, fitted) == "manipulation_indicated"
    assert verdict(math.nextafter(0.5, 0), fitted) == "no_indication"


@given(Usual)
def test_without_calibration_there_is_a_score_and_no_verdict(logit: float) -> None:
    assert verdict(logit, None) is None
    assert calibrated(logit, None) == logit


@given(st.one_of(st.none(), calibrations()))
def test_without_a_score_nothing_is_assessed(fitted: ItemCalibration | None) -> None:
    assert verdict(None, fitted) == "not_assessable"
