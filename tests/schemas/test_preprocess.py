"""The record that goes from training to serving."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from deepfake_lightning.schemas import Aggregation, Preprocess


def test_round_trip_through_json() -> None:
    record = Preprocess(
        input="frame",
        size=128,
        mean=(0.5, 0.4, 0.1),
        std=(0.5, 0.25, 0.3),
        interpolation="cubic",
        margin=1.2,
        aggregation=Aggregation(window=3),
    )
    text = json.dumps(record.to_dict())
    assert json.loads(text)["schema"] == 1
    assert Preprocess.model_validate_json(text) == record
    assert Preprocess(**json.loads(text)) == record


@pytest.mark.parametrize(
    "record",
    [
        {"sise": 224},
        {"aggregation": {"window": 4, "mean": True}},
        {"schema": 2},
        {"size": 8},
        {"std": (0.2, 0.0, 0.2)},
        {"mean": (0.5, 0.5)},
        {"interpolation": "nearest"},
        {"input": "face"},
        {"aggregation": {"window": 0}},
    ],
)
def test_what_is_unknown_or_impossible_is_refused(record: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        Preprocess.model_validate(record)
    assert caught.value.errors()[0]["loc"][0] == next(iter(record))


def test_records_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Preprocess().size = 100  # type: ignore[misc]
