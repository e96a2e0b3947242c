"""What other parts of the program report: kept and told like an alert, and judged by no round."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deepfake_lightning.errors import StorageError
from deepfake_lightning.monitoring.alerts import (
    acknowledge,
    alert_history,
    check_alerts,
    read_alerts,
    silence,
    state,
)
from deepfake_lightning.monitoring.alerts.checking import deliver_due
from deepfake_lightning.monitoring.alerts.incidents import Incident, end, report
from deepfake_lightning.monitoring.alerts.state import read_state
from deepfake_lightning.storage import Workspace

START_US, MINUTE_US = 1_800_000_000_000_000, 60_000_000
BROKEN = Incident("retraining", "production", "loop 1 failed", "retrain again", "production")


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    """Return a workspace whose alerts go to a file."""
    place = Workspace(tmp_path)
    alerts = place.monitoring / "alerts"
    alerts.mkdir(parents=True)
    (alerts / "mine.yaml").write_text("channels: [{kind: file, name: f, path: out/sent.jsonl}]")
    return place


def sent(place: Workspace) -> list[tuple[str, str]]:
    path = place.monitoring / "alerts" / "out" / "sent.jsonl"
    lines = path.read_text().splitlines() if path.is_file() else []
    said = map(json.loads, lines)
    return [(one["kind"], one["alert"]["says"]) for one in said]


def test_it_fires_is_told_again_and_ends(place: Workspace) -> None:
    report(place, BROKEN, now_us=START_US)
    again = Incident("retraining", "production", "loop 2 failed", environment="production")
    report(place, again, now_us=START_US + MINUTE_US)
    (alert,) = read_alerts(place)
    assert (alert.state, alert.says, alert.reminders) == ("firing", "loop 2 failed", 1)
    end(place, "retraining", "production", "loop 3 is done", now_us=START_US + 2 * MINUTE_US)
    end(place, "retraining", "production", "nobody hears it", now_us=START_US + 3 * MINUTE_US)
    assert [one.state for one in read_alerts(place)] == ["resolved"]
    told = [("firing", "loop 1 failed"), ("reminder", "loop 2 failed"),
            ("resolved", "loop 3 is done")]  # fmt: skip
    assert sent(place) == told
    assert [(one.kind, one.alert.says) for one in alert_history(place)] == told


def test_a_full_disk_is_said_and_the_channels_are_told_all_the_same(
    place: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StorageError("the state of alerts cannot be written", why="no space is left")

    monkeypatch.setattr(state, "_write", full)
    with pytest.raises(StorageError, match="retraining of production could not be kept"):
        report(place, BROKEN, now_us=START_US)
    assert sent(place) == [("firing", "loop 1 failed")]


def test_rounds_leave_it_alone(place: Workspace) -> None:
    report(place, BROKEN, now_us=START_US)
    log = place.monitoring / "predictions.db"
    found = check_alerts(place, log, environment="production", now_us=START_US + MINUTE_US)
    assert ("retraining", "firing") in [(one.rule, one.state) for one in found.alerts]
    assert [kind for kind, says in sent(place) if says == BROKEN.says] == ["firing"]


def test_a_channel_that_is_away_gets_it_later(place: Workspace) -> None:
    alerts = place.monitoring / "alerts"
    (alerts / "out").write_text("in the way")
    report(place, BROKEN, now_us=START_US)
    assert [one.tries for one in read_state(place).outbox] == [1]
    (alerts / "out").unlink()
    deliver_due(place, now_us=START_US + 2 * MINUTE_US)
    assert sent(place) == [("firing", "loop 1 failed")]
    assert read_state(place).outbox == ()


def test_a_broken_policy_keeps_it_all_the_same(
    place: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    (place.monitoring / "alerts" / "mine.yaml").write_text("channels: [{kind: pigeon}]")
    report(place, BROKEN, now_us=START_US)
    assert [one.state for one in read_alerts(place)] == ["firing"]
    assert "nobody is told of it" in caplog.text


def test_people_acknowledge_and_silence_it(place: Workspace) -> None:
    silence(place, "production", until_us=START_US + MINUTE_US, by="ada", reason="works",
            now_us=START_US - 1)  # fmt: skip
    report(place, BROKEN, now_us=START_US)
    assert sent(place) == []
    (alert,) = read_alerts(place)
    assert acknowledge(place, alert.id, by="ada", now_us=START_US).acknowledged_by == "ada"
    end(place, "retraining", "production", "done", now_us=START_US + 2 * MINUTE_US)
    assert sent(place) == []  # nobody was told of its beginning
