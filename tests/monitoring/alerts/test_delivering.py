"""Messages get to each channel once it can be reached, in order, and not without end."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from deepfake_lightning.errors import StorageError
from deepfake_lightning.monitoring.alerts.channels import LogChannel
from deepfake_lightning.monitoring.alerts.delivering import deliver, messages_of, send_test
from deepfake_lightning.monitoring.alerts.policy import AlertPolicy
from deepfake_lightning.monitoring.alerts.records import Alert, AlertEvent
from deepfake_lightning.monitoring.alerts.sending import headline, send, subject, text
from deepfake_lightning.storage import Workspace

MINUTE = 60_000_000
NOON = 1_700_049_600_000_000
ALERT = Alert("3f9c2a1b", "errors", "production/v1.0.0", "firing", "critical", NOON - 5 * MINUTE,
              NOON, value=0.0143, limit=0.01, n=2310, says="1.43 % of the requests failed",
              next_step="deepfake-lightning monitor", environment="production")  # fmt: skip
FIRED = AlertEvent("3f9c2a1b-firing", "firing", NOON, ALERT)
ENDED = AlertEvent("3f9c2a1b-resolved", "resolved", NOON + MINUTE,
                   replace(ALERT, state="resolved", says="0.2 % failed"))  # fmt: skip
TWO = AlertPolicy(channels=(LogChannel(name="good"), LogChannel(name="bad")))


class Post:
    """Takes messages, but for channels that are down."""

    def __init__(self):
        self.down = {"bad"}
        self.taken = []

    def __call__(self, channel, event, folder):
        if channel.name in self.down:
            raise StorageError("nobody is there")
        self.taken.append((channel.name, event.id))


def test_a_channel_that_fails_does_not_stop_the_others_and_gets_all_in_order_later(tmp_path):
    post, outbox = Post(), messages_of([FIRED, ENDED], TWO)
    tried = deliver(outbox, TWO, tmp_path, now_us=NOON, send=post)
    assert post.taken == [("good", FIRED.id), ("good", ENDED.id)]
    assert [(one.event.id, one.tries, one.fault) for one in tried.left] == [
        (FIRED.id, 1, "nobody is there"), (ENDED.id, 0, "")
    ]  # fmt: skip
    post.down.clear()
    tried = deliver(tried.left, TWO, tmp_path, now_us=NOON + 30_000_000, send=post)
    assert len(tried.left) == 2 and not tried.delivered  # not yet
    tried = deliver(tried.left, TWO, tmp_path, now_us=NOON + MINUTE, send=post)
    assert tried.left == () and post.taken[2:] == [("bad", FIRED.id), ("bad", ENDED.id)]


def test_it_is_tried_less_and_less_often_and_given_up_after_a_day(tmp_path, caplog):
    post, left = Post(), messages_of([FIRED], TWO)[1:]
    tries = []
    for minute in range(36 * 60):
        after = deliver(left, TWO, tmp_path, now_us=NOON + minute * MINUTE, send=post).left
        if after != left and after[0].given_up_us is None:
            tries.append(minute)
        left = after
    assert tries[:7] == [0, 1, 3, 7, 15, 31, 63] and 20 < len(tries) < 40
    (message,) = left
    assert 24 * 60 <= (message.given_up_us - NOON) / MINUTE < 25 * 60
    assert "is given up" in caplog.text and caplog.text.count("nobody is there") == 1
    week = message.given_up_us + 7 * 24 * 60 * MINUTE
    assert deliver(left, TWO, tmp_path, now_us=week, send=post).left == ()


def test_a_channel_that_is_gone_is_said(tmp_path):
    left = deliver(messages_of([FIRED], TWO), AlertPolicy(), tmp_path, now_us=NOON).left
    assert {one.fault for one in left} == {"the channel is no longer in the policy"}
    assert all(one.given_up_us for one in left)


def test_silent_events_make_no_messages():
    assert messages_of([replace(FIRED, silenced=True)], TWO) == ()


def test_the_log_has_what_fires_as_errors(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        for event in (FIRED, ENDED):
            send(LogChannel(name="log"), event, tmp_path)
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("ERROR", "critical: errors of production/v1.0.0 (3f9c2a1b): 1.43 % of the requests "
                  "failed"),
        ("WARNING", "resolved: errors of production/v1.0.0 (3f9c2a1b): 0.2 % failed"),
    ]  # fmt: skip


def test_files_have_a_line_for_each_message_and_torn_ones_stay_alone(tmp_path):
    policy = AlertPolicy.model_validate({"channels": [{"name": "file", "kind": "file"}]})
    (tmp_path / "messages.jsonl").write_text('{"torn":')
    assert deliver(messages_of([FIRED, ENDED], policy), policy, tmp_path, now_us=NOON).left == ()
    lines = (tmp_path / "messages.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines[1:]] == [FIRED.id, ENDED.id]
    assert json.loads(lines[1])["alert"]["value"] == 0.0143


def test_a_file_that_cannot_be_written_is_tried_again(tmp_path):
    (tmp_path / "folder").mkdir()
    content = {"channels": [{"name": "file", "kind": "file", "path": "folder"}]}
    policy = AlertPolicy.model_validate(content)
    left = deliver(messages_of([FIRED], policy), policy, tmp_path, now_us=NOON).left
    assert left[0].fault == "Is a directory" and left[0].next_us == NOON + MINUTE


def test_words():
    reminder = replace(FIRED, kind="reminder")
    assert headline(reminder).startswith("still critical: errors of production/v1.0.0")
    assert subject(FIRED) == "[critical] errors of production/v1.0.0"
    assert subject(ENDED) == "[resolved] errors of production/v1.0.0"
    lines = text(FIRED).splitlines()
    assert "time:   2023-11-14 12:00 UTC" not in lines and "time:   2023-11-15 12:00 UTC" in lines
    assert {"value:  0.0143", "limit:  0.01", "of:     2,310"} <= set(lines)
    assert lines[-1] == "seen: deepfake-lightning alerts acknowledge 3f9c2a1b"
    assert "acknowledge" not in text(ENDED)


def test_a_test_message_goes_to_each_channel(tmp_path):
    channels = [{"name": "file", "kind": "file"}, {"name": "log", "kind": "log"},
                {"name": "hook", "kind": "webhook", "url_env": "NOT_SET_HERE"}]  # fmt: skip
    policy = AlertPolicy.model_validate({"channels": channels})
    results = send_test(policy, Workspace(tmp_path), now_us=NOON)
    assert results[:2] == [("file", "file", None), ("log", "log", None)]
    assert "NOT_SET_HERE holds no address" in results[2][2]
    line = (tmp_path / "monitoring/alerts/messages.jsonl").read_text()
    assert "this is a test" in json.loads(line)["text"]


@pytest.mark.parametrize("kind", ["firing", "resolved", "reminder"])
def test_no_line_is_broken_by_what_an_alert_says(kind):
    event = replace(FIRED, kind=kind)
    assert "\n" not in headline(event) and "\n" not in subject(event)


def test_who_lacks_a_secret_keeps_a_message_for_those_that_have_it(tmp_path, monkeypatch):
    channels = [{"name": "hook", "kind": "webhook", "url_env": "NOT_SET_HERE"}]
    policy = AlertPolicy.model_validate({"channels": channels})
    outbox = messages_of([FIRED, ENDED], policy)
    for minute in range(10):
        outbox = deliver(outbox, policy, tmp_path, now_us=NOON + minute * MINUTE).left
    first, second = outbox
    assert (first.tries, first.next_us, first.given_up_us) == (0, 0, None)
    assert "NOT_SET_HERE holds no address" in first.fault
    assert second == messages_of([ENDED], policy)[0]
    # Who has it tries at once, and what it found stays to be read.
    monkeypatch.setenv("NOT_SET_HERE", "http://127.0.0.1:9/")
    later = NOON + 10 * MINUTE
    tried = deliver(outbox, policy, tmp_path, now_us=later).left[0]
    assert (tried.tries, tried.next_us) == (1, later + MINUTE)
    monkeypatch.delenv("NOT_SET_HERE")
    assert deliver((tried,), policy, tmp_path, now_us=later + MINUTE).left == (tried,)
    assert deliver((tried,), policy, tmp_path, now_us=NOON + 25 * 60 * MINUTE).left[0].given_up_us
