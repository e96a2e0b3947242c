"""A report of an hour in which two versions answered, one of them drifted, and an alert fires."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from sqlalchemy import insert

from deepfake_lightning.monitoring.alerts import Alert, AlertEvent
from deepfake_lightning.monitoring.drift import DriftRecord, FeatureDrift
from deepfake_lightning.monitoring.drift.records import keep_record
from deepfake_lightning.monitoring.log import ItemScore, Label, LoggedRequest, PredictionLog
from deepfake_lightning.monitoring.log.rollups import make_rollups
from deepfake_lightning.monitoring.log.tables import gaps
from deepfake_lightning.monitoring.report import gather
from deepfake_lightning.monitoring.windows import Period, Scope
from deepfake_lightning.storage import Workspace

START = 1_700_049_600_000_000  # 2023-11-15 12:00 UTC
HOUR_US = 3_600_000_000


def _rows():
    generator = random.Random(0)
    for place in range(120):
        score = generator.random()
        said = "manipulation_indicated" if score > 0.6 else "no_indication"
        version = ("v1.0.0", "v1.1.0")[place % 2]
        item = ItemScore(0, "ok", 0.0, score, True, 1, 1, version, "ab", verdict=said)
        yield LoggedRequest(
            f"{place:032x}", START + place * 30_000_000, version, "ab", "/v1/predict", 200, 9,
            50_000 + 1000 * place, media_type=("image", "video")[place % 3 == 0], verdict=said,
            items=(item,), environment="production", variant="serving",
        )  # fmt: skip


@pytest.fixture(scope="session")
def quiet(tmp_path_factory):
    """Return the report of an hour with a gap, labels and drift, and no alerts."""
    workspace = Workspace(tmp_path_factory.mktemp("report") / "mlops")
    with PredictionLog(workspace.monitoring / "predictions.db") as log:
        log.append_many(list(_rows()), draw=lambda row: (0.5, "all"))
        for place in range(40):
            label = int(place % 3 == 0)
            log.label(Label(f"{place:032x}", START + HOUR_US, label, "ann", source="review"))
        feature = FeatureDrift("brightness", 1e-9, 1e-8, 0.4, 0.1, True)
        for minutes in (0, 30):
            start = START + minutes * 60_000_000
            keep_record(log, DriftRecord(
                "production", "v1.1.0", start, start + HOUR_US // 2, 600, feature.part, True,
                minutes > 0, (feature,), 0.91, ("brightness fell from 120 to 64",),
            ))  # fmt: skip
        with log.writing() as connection:
            row = {"from_us": START + 5, "to_us": START + 9, "lost": 7, "reason": "disk <full>"}
            connection.execute(insert(gaps), [row])
        make_rollups(log)
        period = Period(START, START + HOUR_US, "1h")
        return gather(log, workspace, period, Scope("production"), now_us=START + HOUR_US)


@pytest.fixture
def alarmed(quiet):
    """Return the same with an alert that fires."""
    alert = Alert("3f9c2a1b", "error_rate", "production", "firing", "critical", START,
                  fired_us=START + 60_000_000, says="12 % of the requests failed <b>",
                  next_step="look at the server's log", environment="production")  # fmt: skip
    event = AlertEvent("3f9c2a1b-firing", "firing", START + 60_000_000, alert)
    return replace(quiet, alerts=(alert,), events=(event,))
