"""What a calibration's record holds, and what it promises in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from deepfake_lightning.schemas import Calibration, ItemCalibration
from deepfake_lightning.schemas.calibration import (
    CalibrationPolicy,
    OperatingThreshold,
    guarantee_words,
    percent,
    promise,
)


def threshold(**changed: Any) -> OperatingThreshold:
    plain = {"max_fpr": 0.01, "threshold": 1.5, "tpr": 0.4, "false_alarms": 1}
    return OperatingThreshold(**{**plain, **changed})


def fitted(**changed: Any) -> ItemCalibration:
    used = threshold()
    plain = {"indicated_from": 1.5, "clear_below": -1.0, "items": 200, "operating": used,
             "thresholds": (used,), "max_miss": 0.05}  # fmt: skip
    return ItemCalibration(**{**plain, **changed})


def test_round_trip_through_json() -> None:
    record = Calibration(image=fitted())
    assert Calibration.model_validate(json.loads(json.dumps(record.to_dict()))) == record


def test_a_record_of_an_older_version_is_read() -> None:
    old = {"temperature": 1.2, "indicated_from": 1.0, "clear_below": -1.0, "items": 50}
    found = Calibration.model_validate({"schema": 1, "image": old, "video": None}).image
    assert found is not None and found.operating is None
    assert promise(found) is None


def test_each_guarantee_is_called_what_it_is() -> None:
    marginal = guarantee_words(threshold(), "pictures")
    assert marginal.startswith(
        "of real pictures drawn like those it was calibrated on, at most 1 %"
    )
    assert "on average" in marginal and "split conformal" in marginal
    sure = guarantee_words(threshold(guarantee="confidence", confidence=0.95), "clips")
    assert "real clips" in sure and "95 % confidence" in sure and "binomial" in sure
    assert "conformal" not in sure and "on average" not in sure


def test_a_promise_says_what_it_does_not_cover() -> None:
    text = promise(fitted(), "pictures")
    assert text is not None
    for words in ("at most 1 %", "at most 5 % get 'no indication'", "other sources", "one person"):
        assert words in text
    assert promise(None) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"clear_below": 2.0},
        {"indicated_from": 1.6},
        {"thresholds": ()},
        {"items": 0},
        {"temperature": 0.0},
        {"max_miss": 1.0},
        {"unknown": 1},
    ],
)
def test_what_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        fitted(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"guarantee": "confidence"}, {"confidence": 0.9}, {"max_fpr": 0.0}, {"tpr": 1.1}]
)
def test_a_threshold_states_its_guarantee_whole(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        threshold(**wrong)


@pytest.mark.parametrize("wrong", [{"fpr": 0.0}, {"fpr": 1.0}, {"confidence": float("nan")}])
def test_a_policy_wants_what_can_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CalibrationPolicy(**wrong)


@pytest.mark.parametrize(
    ("share", "shown"), [(0.01, "1 %"), (0.001, "0.1 %"), (0.95, "95 %"), (0.3, "30 %")]
)
def test_shares_are_read_as_percent(share: float, shown: str) -> None:
    assert percent(share) == shown
