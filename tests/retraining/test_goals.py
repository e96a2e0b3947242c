"""Where a version goes that passes, with real commands and a server that serves production."""

from __future__ import annotations

import json
import time
from collections import Counter

import httpx
import pytest
import yaml

from deepfake_lightning.cli import main
from deepfake_lightning.deployment.canary.state import read_state
from deepfake_lightning.deployment.chain import verify_history
from deepfake_lightning.deployment.environment import Environment
from deepfake_lightning.deployment.experiments.experiment import find
from deepfake_lightning.monitoring.alerts import read_alerts
from deepfake_lightning.retraining.record import Loops

SHARES = {
    "production": {"v1.1.0": 1.0},
    "canary": {"v1.0.0": 0.95, "v1.1.0": 0.05},
    "abtest": {"v1.0.0": 0.5, "v1.1.0": 0.5},
}


@pytest.fixture
def retrain(setting):
    """Return a function that runs the command with a goal, and returns its exit code."""
    place = setting.workspace
    (place.monitoring / "alerts").mkdir()
    (place.monitoring / "alerts" / "mine.yaml").write_text(
        "channels: [{kind: file, name: file, path: sent.jsonl}]"
    )
    rules = place.retraining / "policy" / "retrain.yaml"
    rules.parent.mkdir(parents=True)

    def run(goal, *flags):
        rules.write_text(yaml.safe_dump(setting.policy.to_dict() | {"goal": goal}))
        return main(["retrain", "--reason", "why not", "--by", "ada", "--workers", "1",
                     "--workspace", str(place.root), *flags])  # fmt: skip

    return run


def shares(place):
    record = Environment(place, "production").record()
    return {one.version: round(one.share, 6) for one in record.serving}


def wait_served(server, wanted, seconds=60.0):
    """Wait until the server says that it serves with these shares."""
    end = time.monotonic() + seconds
    while True:
        said = httpx.get(f"{server.url}/readyz", timeout=30).json()
        if {one["version"]: round(one["share"], 6) for one in said["serving"]} == wanted:
            return
        assert time.monotonic() < end, said
        time.sleep(0.1)


def check_records(place, goal, number):
    """Assert that environment, history and loop tell the same."""
    environment = Environment(place, "production")
    record, last = environment.record(), environment.history.done("production")[-1]
    loop = Loops(place).all()[-1]
    assert (loop.number, loop.outcome, loop.version) == (number, "done", "v1.1.0")
    assert loop.result("goal")["goal"] == goal
    assert loop.result("goal")["change"] == record.change == last.hash
    assert (last.by, last.reason) == ("ada", f"loop {number}: why not")
    assert last.decision is not None
    assert verify_history(place) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("goal", ["canary", "abtest"])
def test_it_shares_production_and_nothing_is_trained_until_that_ends(
    setting, serving, retrain, goal, capsys
):
    place = setting.workspace
    assert retrain(goal) == 0
    assert shares(place) == SHARES[goal]
    wait_served(serving, SHARES[goal])
    check_records(place, goal, 1)
    if goal == "canary":
        state = read_state(Environment(place, "production"))
        assert (state.champion, state.candidate) == ("v1.0.0", "v1.1.0")
        assert main(["canary", "status", "--workspace", str(place.root)]) == 0
    else:
        experiment = find(place, Loops(place).all()[0].result("goal")["experiment"])
        assert [one.version for one in experiment.arms] == ["v1.0.0", "v1.1.0"]
        assert main(["abtest", "status", "--workspace", str(place.root)]) == 0
    capsys.readouterr()
    assert retrain(goal) == 3
    shown = " ".join(capsys.readouterr().out.split())
    assert "nothing is trained: v1.0.0 and v1.1.0 share the traffic" in shown
    assert (len(Loops(place).all()), shares(place)) == (1, SHARES[goal])
    check_traffic(serving)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_gate_that_says_no_keeps_production_and_tells_and_the_next_loop_may_pass(
    setting, serving, retrain, capsys
):
    place = setting.workspace
    gate, before = place.deployment / "policy" / "gate.yaml", shares(place)
    easy = gate.read_text()
    gate.write_text(easy.replace("cpu_ms: null", "cpu_ms: 0.0001"))
    assert retrain("production") == 4
    assert "the gate of staging says no" in " ".join(capsys.readouterr().out.split())
    assert shares(place) == before
    assert Environment(place, "staging").record().versions == ()
    (alert,) = read_alerts(place)
    assert (alert.rule, alert.subject, alert.state) == ("retraining", "production", "firing")
    assert "v1.0.0 again, was refused at the step stage: the gate of staging" in alert.says
    assert alert.next_step == "deepfake-lightning compare v1.0.0 v1.1.0"
    gate.write_text(easy)
    assert retrain("production") == 0
    assert shares(place) == {"v1.2.0": 1.0}
    wait_served(serving, {"v1.2.0": 1.0})
    assert Loops(place).all()[-1].result("goal")["goal"] == "production"
    assert verify_history(place) == []
    assert [one.state for one in read_alerts(place)] == ["resolved"]
    sent = (place.monitoring / "alerts" / "sent.jsonl").read_text().splitlines()
    assert [json.loads(line)["kind"] for line in sent] == ["firing", "resolved"]
    assert retrain("production") == 3  # again: it knows all of it by now
    assert "there is nothing new to learn from" in " ".join(capsys.readouterr().out.split())
    assert shares(place) == {"v1.2.0": 1.0}
    check_traffic(serving)


def check_traffic(server):
    server.traffic.stop()
    answers = Counter(status for _, status, _ in server.traffic.answers)
    assert set(answers) == {200}
    assert server.traffic.lost == 0
