"""Rounds in the background: one of several does the work, and nothing that fails ends them."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from deepfake_lightning.monitoring.alerts import Rounds, read_alerts
from deepfake_lightning.monitoring.alerts.delivering import messages_of
from deepfake_lightning.monitoring.alerts.policy_files import policy_of
from deepfake_lightning.monitoring.alerts.records import Alert, AlertEvent
from deepfake_lightning.monitoring.alerts.state import change_state, read_state, sole_round
from deepfake_lightning.storage import atomic_write

_NOW = time.time_ns() // 1000
FIRED = AlertEvent("3f9c2a1b-firing", "firing", _NOW, Alert(
    "3f9c2a1b", "errors", "production", "firing", "critical", _NOW))  # fmt: skip


def until(true, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_alerts_are_judged_again_and_again(production):
    place = production.workspace.monitoring / "predictions.db"
    before = set(threading.enumerate())
    with Rounds(production.workspace, place, "production", every_seconds=0.05) as rounds:
        until(lambda: rounds.last is not None)
        first = read_state(production.workspace).rounds["production"]
        until(lambda: read_state(production.workspace).rounds["production"] > first)
    assert set(threading.enumerate()) <= before


def test_of_two_one_works(production):
    place = production.workspace.monitoring / "predictions.db"
    with Rounds(production.workspace, place, "production") as first:
        until(lambda: first.last is not None)
        serial = read_state(production.workspace).serial
        with Rounds(production.workspace, place, "production") as second:
            time.sleep(0.5)
            assert second.last is None and read_state(production.workspace).serial == serial


def test_what_fails_is_said_once_and_tried_again(production, caplog):
    place = production.workspace.monitoring / "predictions.db"
    policy = production.workspace.monitoring / "alerts" / "policy.yaml"
    good = policy.read_text()
    policy.write_text("rules: 3")
    with Rounds(production.workspace, place, "production", every_seconds=0.02) as rounds:
        until(lambda: "alerts are not judged" in caplog.text)
        time.sleep(0.3)
        assert rounds.last is None
        assert caplog.text.count("alerts are not judged") == 1
        assert rounds.fault.startswith("alerts are not judged")
        with atomic_write(policy, "w") as file:  # never seen empty
            file.write(good)
        until(lambda: rounds.last is not None)
        until(lambda: rounds.fault is None)
    assert read_alerts(production.workspace) == ()


def test_a_round_of_another_process_is_waited_for(production):
    place = production.workspace.monitoring / "predictions.db"
    with sole_round(production.workspace, seconds=1):
        rounds = Rounds(production.workspace, place, "production", every_seconds=0.1)
        time.sleep(0.3)
        assert rounds.last is None
    until(lambda: rounds.last is not None)
    rounds.close()


def test_where_another_has_done_the_round_messages_are_delivered_all_the_same(production, told):
    place = production.workspace.monitoring / "predictions.db"
    kept = replace(
        read_state(production.workspace),
        outbox=messages_of([FIRED], policy_of(production.workspace)),
    )
    change_state(
        production.workspace,
        lambda _: replace(kept, rounds={"production": time.time_ns() // 1000}),
    )
    with Rounds(production.workspace, place, "production") as rounds:
        until(lambda: told(production))
        until(lambda: not read_state(production.workspace).outbox)
        assert rounds.last is None and rounds.fault is None
    assert [one["id"] for one in told(production)] == [FIRED.id]
