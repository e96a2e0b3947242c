"""What is kept of alerts: whole after a kill, also on a full disk, and by one at a time."""

from __future__ import annotations

import json
import resource
import signal
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest

from deepfake_lightning.errors import DataError, StorageError, UsageError
from deepfake_lightning.monitoring.alerts import (
    AlertPolicy,
    acknowledge,
    alert_history,
    checking,
    read_alerts,
    silence,
)
from deepfake_lightning.monitoring.alerts.situation import Measurement, Situation
from deepfake_lightning.monitoring.alerts.state import change_state, read_state
from deepfake_lightning.monitoring.windows import Period
from deepfake_lightning.storage import Workspace

MINUTE = 60_000_000
NOON = 1_700_049_600_000_000
POLICY = AlertPolicy.model_validate({
    "rules": [{"name": "errors", "measure": "error_rate", "limit": 0.01, "cooldown_minutes": 0}],
    "channels": [{"name": "file", "kind": "file"}],
})  # fmt: skip


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "mlops")


def settle(workspace, finding, minute):
    """Judge errors of v1.0.0 as ``finding``, some minutes after noon."""
    found = Measurement("errors", "production/v1.0.0", finding, 0.5, 0.01, 100, "it fails",
                        environment="production")  # fmt: skip
    situation = Situation("production", (found,), frozenset({"v1.0.0"}))
    return checking.settle(workspace, POLICY, situation, now_us=NOON + minute * MINUTE)


def told(workspace):
    path = workspace.monitoring / "alerts" / "messages.jsonl"
    return (
        [json.loads(line)["id"] for line in path.read_text().splitlines()] if path.exists() else []
    )


def test_a_kill_between_judging_and_delivering_delivers_after_the_restart(workspace, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(checking, "deliver", killed)
        with pytest.raises(Killed):
            settle(workspace, "broken", 0)
    assert told(workspace) == [] and len(read_state(workspace).outbox) == 1
    after = settle(workspace, "broken", 1)
    assert after.events == ()  # it fired before the kill, and not again
    assert after.delivered == ((f"{read_alerts(workspace)[0].id}-firing", "file"),)
    assert len(told(workspace)) == 1 and read_state(workspace).outbox == ()


def test_a_kill_after_delivering_delivers_the_same_again(workspace, monkeypatch):
    class Killed(BaseException):
        pass

    real = checking.deliver

    def delivered_and_killed(*args, **more):
        real(*args, **more)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(checking, "deliver", delivered_and_killed)
        with pytest.raises(Killed):
            settle(workspace, "broken", 0)
    settle(workspace, "broken", 1)
    first, second = told(workspace)
    assert first == second  # the receiver can drop it


def test_history_tells_each_event_once(workspace):
    for minute, finding in enumerate(["broken", "broken", "well", "broken"]):
        settle(workspace, finding, minute)
    kinds = [(one.kind, (one.at_us - NOON) // MINUTE) for one in alert_history(workspace)]
    assert kinds == [("firing", 0), ("resolved", 2), ("firing", 3)]
    path = workspace.monitoring / "alerts" / "history.jsonl"
    path.write_text(path.read_text() + path.read_text().splitlines()[0] + '\n{"torn')
    assert len(alert_history(workspace)) == 3
    settle(workspace, "well", 4)
    assert len(alert_history(workspace)) == 4
    period = Period(NOON + MINUTE, NOON + 3 * MINUTE)
    assert [one.kind for one in alert_history(workspace, period)] == ["resolved"]


def test_a_kill_before_the_history_is_written_writes_it_later(workspace, monkeypatch):
    from deepfake_lightning.monitoring.alerts import state

    with monkeypatch.context() as patch:
        patch.setattr(state, "append_history", lambda *_: False)
        settle(workspace, "broken", 0)
    assert alert_history(workspace) == [] and len(read_state(workspace).unwritten) == 1
    settle(workspace, "broken", 1)
    assert len(alert_history(workspace)) == 1 and read_state(workspace).unwritten == ()


@contextmanager
def full_disk():
    """Let no file of this process grow beyond nothing, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_on_a_full_disk_it_goes_on_and_writes_later(workspace):
    settle(workspace, "well", 0)
    with full_disk():
        fired = settle(workspace, "broken", 1)
        assert [one.kind for one in fired.events] == ["firing"] and "could not be" in fired.fault
        still = settle(workspace, "broken", 2)
        assert still.events == () and still.fault  # told once, not each minute
        assert [one.fault for one in still.undelivered] == ["File too large"]
        assert read_alerts(workspace)[0].state == "firing"
        with pytest.raises(StorageError):  # nobody is told that this is done
            acknowledge(workspace, read_alerts(workspace)[0].id, by="ann", now_us=NOON)
    ended = settle(workspace, "well", 3)
    assert [one.kind for one in ended.events] == ["resolved"] and ended.fault is None
    assert [one.kind for one in alert_history(workspace)] == ["firing", "resolved"]
    settle(workspace, "well", 70)
    assert [name.partition("-")[2] for name in told(workspace)] == ["firing", "resolved"]


def test_what_another_process_wrote_since_is_not_forgotten(workspace):
    settle(workspace, "well", 0)
    with full_disk():
        settle(workspace, "broken", 1)
    path = workspace.monitoring / "alerts" / "state.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "serial": content["serial"] + 10}))
    assert read_alerts(workspace) == ()


def test_changes_of_several_at_once_are_all_kept(workspace):
    def add(name):
        def edit(state):
            return replace(state, rounds={**state.rounds, name: 1})

        for _ in range(5):
            change_state(workspace, edit)

    threads = [threading.Thread(target=add, args=(f"e{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = read_state(workspace)
    assert len(state.rounds) == 4 and state.serial == 20


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', '{"schema": 99}'])
def test_a_damaged_state_is_said_and_left(workspace, text):
    path = workspace.monitoring / "alerts" / "state.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(DataError, match=r"state\.json is damaged"):
        read_state(workspace)
    with pytest.raises(DataError):
        settle(workspace, "broken", 0)
    assert path.read_text() == text


def test_who_acknowledges_is_kept_until_the_end(workspace):
    settle(workspace, "broken", 0)
    (alert,) = read_alerts(workspace)
    done = acknowledge(workspace, alert.id[:4], by=" ann ", note="on it", now_us=NOON + MINUTE)
    assert (done.acknowledged_by, done.note) == ("ann", "on it")
    settle(workspace, "broken", 2)
    assert read_alerts(workspace)[0].acknowledged_by == "ann"
    settle(workspace, "well", 3)
    with pytest.raises(UsageError, match="is over"):
        acknowledge(workspace, alert.id, by="bob", now_us=NOON)
    for unknown in ("zzzz", ""):
        with pytest.raises(UsageError, match="there is no alert"):
            acknowledge(workspace, unknown, by="bob", now_us=NOON)
    with pytest.raises(UsageError, match="--by is empty"):
        acknowledge(workspace, alert.id, by=" ", now_us=NOON)


def test_a_silence_is_shown_and_ends(workspace):
    settle(workspace, "broken", 0)
    made = silence(workspace, "errors", until_us=NOON + 9 * MINUTE, by="ann", reason="planned",
                   now_us=NOON)  # fmt: skip
    assert read_alerts(workspace)[0].silenced_until_us == NOON + 9 * MINUTE
    assert read_state(workspace).silences == (made,)
    silence(
        workspace, "errors", until_us=NOON + MINUTE, by="ann", reason="over", now_us=NOON + MINUTE
    )
    assert read_alerts(workspace)[0].silenced_until_us is None
    assert read_state(workspace).silences == ()
    for what in ("production", "production/v9.0.0", "disk", "staging"):
        silence(workspace, what, until_us=NOON + MINUTE, by="ann", reason="planned", now_us=NOON)
    with pytest.raises(UsageError, match="is called 'erors'") as caught:
        silence(workspace, "erors", until_us=NOON, by="ann", reason="planned", now_us=NOON)
    assert caught.value.next_step == "is errors meant?"
    with pytest.raises(UsageError, match="--reason is empty"):
        silence(workspace, "errors", until_us=NOON, by="ann", reason="", now_us=NOON)
