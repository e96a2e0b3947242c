"""A process that checks is killed at any moment: nothing is lost, nothing is damaged."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from deepfake_lightning.monitoring.alerts import alert_history
from deepfake_lightning.monitoring.alerts.state import read_state
from deepfake_lightning.storage import Workspace

FORKED = Path(__file__).with_name("forked.py")
MINUTE = 60_000_000


@pytest.fixture
def forks(tmp_path):
    """Return a function that judges for some rounds, killed after some seconds."""
    command = [sys.executable, str(FORKED), str(tmp_path)]
    mother = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert mother.stdout.readline() == "ready\n"

    def judge(rounds, seconds=None):
        mother.stdin.write(f"{rounds}\n")
        mother.stdin.flush()
        pid = int(mother.stdout.readline())
        if seconds is not None:
            time.sleep(seconds)
            os.kill(pid, signal.SIGKILL)
        assert mother.stdout.readline() == "ended\n"

    yield judge
    mother.stdin.close()
    mother.wait()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kills_at_two_hundred_random_moments(forks, tmp_path):
    chance, kills, workspace = random.Random(1), 200, Workspace(tmp_path)
    for _ in range(kills):
        forks(1_000_000, chance.uniform(0.005, 0.2))
        read_state(workspace)  # whole
    forks(3)  # what was left is delivered
    told = Counter()
    for line in (tmp_path / "monitoring/alerts/messages.jsonl").read_text().splitlines():
        try:
            told[json.loads(line)["id"]] += 1
        except ValueError:
            continue  # torn by a kill; it was written again
    events = alert_history(workspace)
    kinds = [one.kind for one in events]
    assert (
        len(events) > kills // 8 and kinds == (["firing", "resolved"] * len(events))[: len(events)]
    )
    minutes = [one.at_us // MINUTE for one in events]
    assert minutes == list(range(1, minutes[-1] + 1))  # none was lost, none happened twice
    assert {one.id for one in events} == set(told)
    assert sum(number > 1 for number in told.values()) <= kills
    assert read_state(workspace).outbox == () and read_state(workspace).unwritten == ()
