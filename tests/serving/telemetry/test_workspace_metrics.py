"""What Prometheus reads of the workspace."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace

import pytest

from deepfake_lightning.monitoring.alerts import AlertPolicy
from deepfake_lightning.monitoring.alerts.checking import settle
from deepfake_lightning.monitoring.alerts.history import folder_of
from deepfake_lightning.monitoring.alerts.situation import Measurement, Situation
from deepfake_lightning.monitoring.alerts.state import STATE
from deepfake_lightning.serving.settings import Settings
from deepfake_lightning.serving.telemetry.workspace_metrics import WorkspaceMetrics
from deepfake_lightning.storage import Workspace

MINUTE_US = 60_000_000


def samples(settings):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in WorkspaceMetrics(settings).collect()
        for sample in family.samples
    }


@pytest.fixture
def settings(tmp_path):
    return Settings(tmp_path / "mlops", environment="production")


def test_a_disk_that_both_lie_on_is_one(settings, tmp_path):
    space = shutil.disk_usage(tmp_path)
    used = samples(settings)["deepfake_disk_used_ratio", ("disk", "workspace")]
    assert used == pytest.approx(space.used / (space.used + space.free), abs=0.01)
    assert len(samples(settings)) == 2
    shared = replace(settings, log="/dev/shm/predictions.db")
    assert ("deepfake_disk_used_ratio", ("disk", "log")) in samples(shared)
    assert len(samples(replace(settings, log="postgresql+psycopg://u:p@127.0.0.1:1/x"))) == 2


def test_alerts_are_as_they_were_judged(settings):
    workspace, now_us = Workspace(settings.workspace), time.time_ns() // 1000
    policy = AlertPolicy()

    def judge(*findings, at_us):
        found = [
            Measurement(rule, f"production/{version}", finding, 0.2, 0.05, 200, "it is worse",
                        environment="production")
            for rule, version, finding in findings
        ]  # fmt: skip
        settle(workspace, policy, Situation("production", tuple(found)), now_us=at_us)

    judged_at = "deepfake_alerts_judged_timestamp_seconds", ("environment", "production")
    assert samples(settings)[judged_at] == 0  # never
    settle(workspace, policy, Situation("staging", ()), now_us=now_us)
    judge(("quality", "v1.0.0", "broken"), ("errors", "v1.0.0", "broken"), at_us=now_us)
    assert not any("staging" in str(key) for key in samples(settings))
    found = samples(settings)
    of = (("environment", "production"), ("rule", "quality"), ("severity", "critical"),
          ("subject", "production/v1.0.0"))  # fmt: skip
    assert found["deepfake_alert_firing", *of] == 1
    pending = (of[0], ("rule", "errors"), *of[2:])
    assert found["deepfake_alert_firing", *pending] == 0  # it has to last
    judged = found["deepfake_alerts_judged_timestamp_seconds", of[0]]
    assert judged == pytest.approx(now_us / 1e6)

    later = now_us + 200 * MINUTE_US
    judge(("quality", "v1.0.0", "well"), ("errors", "v1.0.0", "well"), at_us=now_us + MINUTE_US)
    judge(("quality", "v1.0.0", "well"), ("errors", "v1.0.0", "well"), at_us=later)
    assert not [key for key in samples(settings) if key[0] == "deepfake_alert_firing"]


def test_a_server_of_a_version_has_no_rounds(settings):
    named = replace(settings, environment=None, version="v1.0.0")
    assert [key[0] for key in samples(named)] == ["deepfake_disk_used_ratio"]


def test_what_cannot_be_read_is_left_out(settings):
    path = folder_of(Workspace(settings.workspace)) / STATE
    path.parent.mkdir(parents=True)
    path.write_text("{torn")
    judged = "deepfake_alerts_judged_timestamp_seconds"
    assert [key[0] for key in samples(settings)] == ["deepfake_disk_used_ratio", judged]
    assert samples(settings)[judged, ("environment", "production")] == 0
