"""What is kept of measurements for the gate."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from deepfake_lightning.evaluation.robustness.ledger import (
    latest_robustness,
    ledger_path,
    record_robustness,
)
from deepfake_lightning.evaluation.robustness.record import Change, DegradedResult, Robustness
from deepfake_lightning.evaluation.robustness.words import kept_words
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.metrics import Interval
from deepfake_lightning.storage import Workspace


def measured(lost: float | None) -> Robustness:
    change = Change(0.9, Interval(0.8, 0.7, 0.9), Interval(None if lost is None else -lost, 0, 0))
    one = DegradedResult("jpeg_30", "jpeg", "JPEG, quality 30", 100, 48, 50, 2, 0,
                         Interval(0.02, None, None), change, change, change, 50, 50, 3)  # fmt: skip
    value = Interval(0.9, None, None)
    return Robustness((one,), 50, 50, 50, 50, 50, 500, {"crop": 100}, value, value, value, True,
                      (), (), 7, already_cropped=True)  # fmt: skip


def subject(digest: str = "d" * 64, split: str = "test", **data: Any) -> Subject:
    about = {"split": split, "origin": "faces", "content_hash": "c", "scored": "2030-01-02T03:04Z"}
    return Subject(
        "v1.0.0",
        pd.DataFrame(),
        model={"digest": digest, "precision": "bf16", "runtime": "torch"},
        data={**about, **data},
    )


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "mlops")


def test_the_last_measurement_of_a_bundle_counts(place: Workspace) -> None:
    assert latest_robustness(place, "d" * 64) is None
    for lost in (0.3, 0.1):
        record_robustness(place, subject(), measured(lost))
    record_robustness(place, subject(digest="e" * 64), measured(None))
    found = latest_robustness(place, "d" * 64)
    assert found is not None
    assert (found.name, found.real, found.when) == ("v1.0.0", 50, "2030-01-02T03:04Z")
    kept = found.degradations["jpeg_30"]
    assert (kept.lost, kept.auroc, kept.unscored, kept.unmade) == (0.1, 0.8, 0.02, 3)
    how = (found.precision, found.runtime, found.already_cropped, found.seed)
    assert how == ("bf16", "torch", True, 7)
    other = latest_robustness(place, "e" * 64)
    assert other is not None and other.degradations["jpeg_30"].lost is None
    assert latest_robustness(place, None) is None


def test_the_worst_of_it_in_a_line(place: Workspace) -> None:
    record_robustness(place, subject(), measured(0.1))
    found = latest_robustness(place, "d" * 64)
    assert found is not None
    assert kept_words(found) == (
        "worst of 1 degradation on 100 items of test: JPEG, quality 30: AUROC 0.800 (-0.100 beside"
        " clean), false alarms 80.0 %, missed fakes 80.0 %, no score left 2.0 %"
    )
    worst = replace(found.degradations["jpeg_30"], auroc=None, lost=None, false_alarms=None,
                    missed=None, words="noise")  # fmt: skip
    both = replace(found, degradations={"noise": worst, **found.degradations})
    assert kept_words(both).endswith("noise: nothing can be ranked, no score left 2.0 %")
    assert kept_words(replace(found, degradations={})).startswith("nothing could be degraded")


def test_splits_that_the_training_used_do_not_count(place: Workspace) -> None:
    record_robustness(place, subject(split="val"), measured(0.0))
    assert latest_robustness(place, "d" * 64) is None


def test_lines_of_before_can_be_read(place: Workspace) -> None:
    record_robustness(place, subject(), measured(0.1))
    line = json.loads(ledger_path(place).read_text("utf-8"))
    for name in ("precision", "runtime", "already_cropped", "seed"):
        del line[name]
    del line["degradations"]["jpeg_30"]["unmade"]
    ledger_path(place).write_text(json.dumps(line) + "\n", "utf-8")
    found = latest_robustness(place, "d" * 64)
    assert found is not None and found.seed is None and found.degradations["jpeg_30"].unmade == 0


def test_torn_and_foreign_lines_are_passed_over(place: Workspace) -> None:
    record_robustness(place, subject(), measured(0.1))
    with ledger_path(place).open("ab") as file:
        file.write(b'[]\n{"schema": 9}\n{"schema": 1, "degradations": 3}\n{"schema": 1, "dig')
    record_robustness(place, subject(), measured(0.2))
    found = latest_robustness(place, "d" * 64)
    assert found is not None and found.degradations["jpeg_30"].lost == 0.2
    assert len(ledger_path(place).read_bytes().splitlines()) == 6
