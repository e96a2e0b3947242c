"""Quality on audited labels beside the bundle's own, and drift; on a real log."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import insert

from deepfake_lightning.monitoring.alerts.detection import own_figure
from deepfake_lightning.monitoring.drift.records import DriftRecord, FeatureDrift, keep_record
from deepfake_lightning.monitoring.log.tables import labels as labels_table
from deepfake_lightning.monitoring.review import ReviewPolicy
from deepfake_lightning.schemas.measured import Measured

MINUTE = 60_000_000
DAY = 24 * 60 * MINUTE
# Each request, whatever its score: what is tested here is the alert, not the weights.
ALL = ReviewPolicy(rate=1.0, second_opinion=0.0)


@pytest.fixture
def audited(production):
    """Return a function that logs reviewed requests: ``audited(recall=, fpr=, labels=)``.

    v1.0.0 was measured to have a recall of 0.9 and 2 % of false alarms at its threshold: a
    balanced accuracy of 0.94.
    """
    production.measured("v1.0.0", found=0.9, false_alarms=0.02, items=1000)
    chance = random.Random(1)

    def write(*, recall, fpr, labels, version="v1.0.0"):
        rows, said = [], []
        for number in range(labels):
            fake = number % 4 == 0
            called = chance.random() < (recall if fake else fpr)
            verdict = "manipulation_indicated" if called else "no_indication"
            at = production.now + number * MINUTE // labels
            row = production.request(at, verdict=verdict, version=version)
            rows.append(row)
            said.append({"request_id": row.id, "ts_us": at + MINUTE, "label": int(fake),
                         "by": "ann", "source": "review"})  # fmt: skip
        production.write(rows, review=ALL)
        with production.log.writing() as connection:
            connection.execute(insert(labels_table), said)
        return production.check(2)

    return write


def quality(production):
    return next(one for one in production.rounds[-1].alerts if one.rule == "quality")


def test_a_drop_fires_and_says_recall_and_false_alarms_beside_what_they_were(audited, production):
    assert audited(recall=0.5, fpr=0.03, labels=400) == ["quality firing"]
    alert = quality(production)
    assert (alert.subject, alert.n, alert.limit) == ("production/v1.0.0", 400, 0.05)
    assert 0.15 < alert.value < 0.3
    assert "400 audited labels, 0.940 when it was measured" in alert.says
    assert "was 90 %; false alarms" in alert.says and "were 2 %" in alert.says


def test_as_good_as_it_was_measured_is_well(audited, production):
    # The bundle's figure at probability 0.5 is 0.99, and would be missed by five points.
    assert audited(recall=0.9, fpr=0.02, labels=400) == []
    assert production.rounds[-1].alerts == ()


def test_with_few_labels_a_drop_may_be_chance_and_with_fewer_there_is_no_figure(
    audited, production
):
    assert audited(recall=0.5, fpr=0.0, labels=60) == []
    assert production.rounds[-1].alerts == ()
    assert audited(recall=0.75, fpr=0.0, labels=60) == []
    alert = quality(production)
    assert alert.state == "pending" and "this may be chance" in alert.says
    assert audited(recall=0.4, fpr=0.0, labels=300) == ["quality firing"]


def test_a_version_that_nobody_has_measured_is_not_judged(audited, production):
    production.serve("v1.1.0")
    assert audited(recall=0.1, fpr=0.5, labels=200, version="v1.1.0") == []
    assert production.rounds[-1].alerts == ()


def test_own_figures_are_those_at_the_threshold(production):
    production.measured("v1.0.0", found=0.8, false_alarms=0.1, items=500)
    path = production.workspace.registry / "models" / "v1.0.0" / "evaluation.json"
    measured = Measured.model_validate_json(path.read_bytes())
    own = own_figure(measured, "image")
    assert own.balanced_accuracy.value == pytest.approx(0.85)
    assert own.balanced_accuracy.low < 0.85 < own.balanced_accuracy.high
    assert (own.recall.value, own.fpr.value) == (0.8, 0.1)
    assert own_figure(measured, "video") is None


def drift(production, day, *, moved, confirmed=False, score=0.2):
    end = production.now - 3 * DAY + day * DAY
    feature = FeatureDrift("brightness", 1e-9, 1e-8, 0.3, 0.1, moved)
    record = DriftRecord(
        "production", "v1.0.0", end - DAY, end, 900, score, moved, confirmed, (feature,), 0.8,
        ("brightness: median 120 to 80",) if moved else (),
    )  # fmt: skip
    keep_record(production.log, record)
    return production.check(0)


def test_drift_fires_in_its_second_window_and_ends_with_one_that_is_as_before(production):
    assert drift(production, 0, moved=False) == []
    assert drift(production, 1, moved=True, score=0.9) == []
    assert production.rounds[-1].alerts[0].state == "pending"
    assert "a second window will tell" in production.rounds[-1].alerts[0].says
    assert drift(production, 2, moved=True, confirmed=True, score=0.9) == ["drift firing"]
    alert = production.rounds[-1].alerts[0]
    assert (alert.subject, alert.value, alert.n) == ("production/v1.0.0", 0.9, 900)
    assert "brightness: median 120 to 80" in alert.says
    assert drift(production, 2.5, moved=False, score=None) == []  # not judged
    assert drift(production, 3, moved=False) == ["drift resolved"]
