import json

import pytest

from deepfake_lightning.dashboard.acting import deed_of, do
from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.alerts import read_alerts
from deepfake_lightning.monitoring.alerts.state import read_state
from deepfake_lightning.monitoring.review import review_queue


@pytest.fixture
def source(busy_copy, source_of):
    folder = busy_copy.monitoring / "alerts"
    folder.mkdir()
    alert = {"id": "0123abcd", "rule": "errors", "subject": "production/v1.0.0",
             "state": "firing", "severity": "critical", "since_us": 1, "fired_us": 2,
             "environment": "production"}  # fmt: skip
    record = {"schema": 1, "serial": 1, "alerts": [alert], "silences": [], "outbox": [],
              "unwritten": [], "rounds": {}}  # fmt: skip
    (folder / "state.json").write_text(json.dumps(record))
    return source_of(busy_copy)


def test_an_alert_is_acknowledged_by_somebody(source):
    do(source, deed_of({"act": "acknowledge", "of": "0123abcd"}, " ada "))
    assert read_alerts(source.workspace)[0].acknowledged_by == "ada"


def test_messages_are_held_back_for_hours(source, now_us):
    said = do(source, deed_of({"act": "silence", "of": "errors", "value": "8"}, "ada"))
    assert "errors" in said
    (silence,) = read_state(source.workspace).silences
    assert silence.until_us == now_us + 8 * 3600 * 1_000_000


def test_an_opinion_is_kept_and_what_the_detector_said_is_told_then(source):
    item = review_queue(source.log(), environment="production")[0]
    sent = {"act": "opinion", "of": item.request_id, "value": "fake", "note": "the ear is gone"}
    said = do(source, deed_of(sent, "ada"))
    assert said.startswith(f"You said fake; {item.version} said ")
    (label,) = source.log().labels(item.request_id)
    assert (label.label, label.by, label.source, label.note) == (1, "ada", "review",
                                                                 "the ear is gone")  # fmt: skip
    left = review_queue(source.log(), environment="production", reviewer="ada")
    assert item.request_id not in {one.request_id for one in left}


@pytest.mark.parametrize(
    "sent",
    [None, [], {}, {"act": "erase", "of": "x"}, {"act": "opinion", "of": ""},
     {"act": "acknowledge", "of": "x" * 300}],
)  # fmt: skip
def test_what_cannot_be_done_is_refused(sent):
    with pytest.raises(UsageError, match="cannot be done"):
        deed_of(sent, "ada")


def test_nobody_acts_without_a_name():
    with pytest.raises(UsageError, match="who you are"):
        deed_of({"act": "acknowledge", "of": "x"}, "  ")


@pytest.mark.parametrize(
    "sent",
    [{"act": "silence", "of": "errors", "value": "9999"},
     {"act": "silence", "of": "no such rule", "value": "1"},
     {"act": "opinion", "of": "0" * 32, "value": "fake"},
     {"act": "opinion", "of": "1" * 32, "value": "perhaps"},
     {"act": "acknowledge", "of": "ffffffff"}],
)  # fmt: skip
def test_what_is_not_there_is_not_acted_on(source, sent):
    with pytest.raises(UsageError):
        do(source, deed_of(sent, "ada"))
