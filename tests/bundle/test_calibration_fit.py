"""From scores to a temperature and thresholds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deepfake_lightning.bundle.calibration_fit import FINEST_FIRST, fit_items
from deepfake_lightning.bundle.reliability import before_after
from deepfake_lightning.errors import DataError
from deepfake_lightning.inference.verdicts import verdict
from deepfake_lightning.schemas.calibration import CalibrationPolicy


def drawn(
    reals: int, fakes: int, apart: float = 1.5, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return logits that are three times too sure of themselves, and labels."""
    generator = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [reals, fakes])
    logits = 3 * apart * (generator.normal(size=reals + fakes) + apart * (labels - 0.5))
    return logits, labels.astype(np.int64)


sizes = st.integers(99, 400)
draws = st.builds(drawn, sizes, sizes, st.floats(0.2, 3), st.integers(0, 10**6))


@settings(max_examples=50, deadline=None)
@given(draws, st.sampled_from(["marginal", "confidence"]))
def test_stricter_thresholds_are_higher_and_keep_their_share_on_the_items(
    scored: tuple[NDArray[np.float64], NDArray[np.int64]], guarantee: str
) -> None:
    logits, labels = scored
    policy = CalibrationPolicy(fpr=0.05, guarantee=guarantee)
    found = fit_items(logits, labels, policy)
    kinds = {one.guarantee: [] for one in found.thresholds}
    for one in found.thresholds:
        kinds[one.guarantee].append(one)
        assert one.false_alarms <= one.max_fpr * (found.reals + 1)
    for same in kinds.values():
        assert [one.max_fpr for one in same] == sorted(one.max_fpr for one in same)
        values = [one.threshold for one in same]
        assert values == sorted(values, reverse=True)
        assert [one.tpr for one in same] == sorted(one.tpr for one in same)
    for one in found.thresholds:
        for other in found.thresholds:
            if one.max_fpr == other.max_fpr and one.confidence and not other.confidence:
                assert one.threshold >= other.threshold  # to be surer costs fakes
    assert found.operating.max_fpr == 0.05 and found.operating.guarantee == guarantee
    missed = (logits[labels == 1] / found.temperature < found.clear_below).sum()
    assert missed <= found.max_miss * (found.fakes + 1)


@settings(max_examples=50, deadline=None)
@given(draws, st.floats(0.1, 10), st.randoms(use_true_random=False))
def test_neither_the_unit_nor_the_order_of_scores_changes_a_verdict(
    scored: tuple[NDArray[np.float64], NDArray[np.int64]], scale: float, random: object
) -> None:
    logits, labels = scored
    order = np.random.default_rng(random.randrange(10**6)).permutation(len(logits))  # type: ignore[attr-defined]
    one, other = fit_items(logits, labels), fit_items(scale * logits[order], labels[order])
    if one.temperature != 1.0 and 0.1 < one.temperature < 10:
        assert other.temperature == pytest.approx(scale * one.temperature, rel=1e-6)
    assert (one.operating.false_alarms, one.inconclusive) == (
        other.operating.false_alarms, other.inconclusive,
    )  # fmt: skip
    assert one.operating.tpr == other.operating.tpr


@given(st.integers(4, 120), st.integers(4, 120))
@settings(max_examples=50, deadline=None)
def test_the_finest_share_that_the_items_allow_is_the_default(reals: int, fakes: int) -> None:
    found = fit_items(*drawn(reals, fakes))
    allowed = [share for share in FINEST_FIRST if math.ceil(1 / share) - 1 <= reals]
    assert found.operating.max_fpr == allowed[0]
    assert found.max_miss == (0.05 if fakes >= 19 else 0.1 if fakes >= 9 else 0.2)


@pytest.mark.parametrize(
    ("policy", "needed", "finest"),
    [
        ({"fpr": 0.001}, 999, "1 %"),
        ({"fpr": 0.01, "guarantee": "confidence"}, 299, "2 %"),
        ({"fpr": 0.01, "guarantee": "confidence", "confidence": 0.99}, 459, "2 %"),
        ({"fpr": 0.005}, 199, "1 %"),
    ],
)
def test_a_share_finer_than_the_items_allow_is_refused_with_what_it_needs(
    policy: dict[str, object], needed: int, finest: str
) -> None:
    wanted = CalibrationPolicy(**policy)  # type: ignore[arg-type]
    with pytest.raises(DataError) as refused:
        fit_items(*drawn(needed - 1, 50), wanted, noun="clips")
    text = str(refused.value)
    assert f"needs {needed:,} real clips" in text and f"there are {needed - 1:,}" in text
    assert f"allow {finest}" in text and "--fpr 0.0" in text
    assert fit_items(*drawn(needed, 50), wanted).operating.max_fpr == policy["fpr"]


def test_too_fine_a_share_of_misses_is_refused() -> None:
    with pytest.raises(DataError, match=r"max_miss 1 % needs 99 fake items .* there are 98"):
        fit_items(*drawn(50, 98), CalibrationPolicy(max_miss=0.01))
    assert fit_items(*drawn(50, 99), CalibrationPolicy(max_miss=0.01)).max_miss == 0.01


@pytest.mark.parametrize(
    ("reals", "fakes", "named"), [(3, 50, "real"), (50, 3, "fake"), (0, 9, "real"), (9, 0, "fake")]
)
def test_few_items_or_one_class_give_no_calibration(reals: int, fakes: int, named: str) -> None:
    with pytest.raises(DataError, match=f"needs 4 {named} items"):
        fit_items(*drawn(reals, fakes))


def test_a_detector_that_is_too_sure_is_cooled_and_told_so() -> None:
    logits, labels = drawn(400, 400, apart=1.0)
    found = fit_items(logits, labels)
    assert found.temperature == pytest.approx(3.0, rel=0.2)  # what was drawn
    said = before_after(logits, labels, found.temperature)
    assert said.log_loss[1] < said.log_loss[0] and said.ece[1] < said.ece[0]
    for curve in said.reliability:
        assert sum(curve.items) == 800
        assert len(curve.said) == len(curve.seen) == len(curve.items) <= 10
    gaps = [abs(a - b) for a, b in zip(*[said.reliability[1].__dict__[n] for n in ("said", "seen")],
                                       strict=True)]  # fmt: skip
    assert np.average(gaps, weights=said.reliability[1].items) == pytest.approx(said.ece[1])


def test_classes_that_never_overlap_leave_the_temperature_and_an_empty_band() -> None:
    """Twelve items without a mistake are no reason to be certain of the thirteenth."""
    logits = np.concatenate([np.linspace(-3, -2, 9), np.linspace(2, 3, 9)])
    found = fit_items(logits, np.repeat([0, 1], 9))
    assert found.temperature == 1.0
    assert found.clear_below == found.indicated_from
    assert found.inconclusive == 0
    assert {verdict(value, found) for value in (-9.0, 0.0, 9.0)} == {
        "no_indication", "manipulation_indicated",
    }  # fmt: skip


def test_scores_that_are_no_better_than_chance_are_no_probabilities() -> None:
    logits, labels = drawn(200, 200)
    found = fit_items(-logits, labels)
    assert np.abs(logits / found.temperature).max() < 0.5
    assert found.operating.tpr < 0.05


def test_all_scores_alike_indicate_nothing() -> None:
    found = fit_items(np.zeros(200), np.repeat([0, 1], 100))
    assert (found.operating.tpr, found.operating.false_alarms) == (0.0, 0)
    assert verdict(0.0, found) == "inconclusive"


@pytest.mark.parametrize("guarantee", ["marginal", "confidence"])
def test_new_real_items_are_called_manipulated_as_seldom_as_is_guaranteed(guarantee: str) -> None:
    policy = CalibrationPolicy(fpr=0.1, guarantee=guarantee)  # type: ignore[arg-type]
    new = np.random.default_rng(99).normal(size=20_000)
    rates = []
    for seed in range(300):
        generator = np.random.default_rng(seed)
        logits = np.concatenate([generator.normal(size=60), generator.normal(1, 1, 20)])
        found = fit_items(logits, np.repeat([0, 1], [60, 20]), policy)
        rates.append(np.mean(new / found.temperature >= found.indicated_from))
    if guarantee == "marginal":
        assert np.mean(rates) <= 0.1 + 0.01
        assert np.mean(np.asarray(rates) > 0.1) > 0.2  # which is what 'on average' means
    else:
        assert np.mean(np.asarray(rates) > 0.1) <= 0.05 + 0.03
