"""The command is killed at any moment while a server serves: before or after, no request lost."""

from __future__ import annotations

import json
import os
import random
import runpy
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.chain import verify_history
from deepfake_lightning.deployment.environment import Environment, whole
from deepfake_lightning.deployment.history import is_pending

SERVING = runpy.run_path(str(Path(__file__).parents[1] / "serving" / "serve_process.py"))
QUICK = "cost: {cpu_ms: null, slower: null}\nintegration: {environments: []}\n"
KILLS = 50
VERSIONS = ("v1.0.0", "v1.1.0")


@pytest.fixture
def place(workspace):
    """Return production, in which v1.0.0 serves; the gate's rules are quick."""
    policy = workspace.deployment / "policy" / "gate.yaml"
    policy.parent.mkdir(parents=True)
    policy.write_text(QUICK)
    found = Environment(workspace, "production")
    found.change(found.record(), whole("v1.0.0"), Act("deploy"))
    return found


class Commands:
    """Commands that can be killed, each in a process of its own."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("deploy_script.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout.readline() == "ready\n"

    def start(self, place, version):
        """Begin to deploy, as an operator does who has made up his mind; return its process id."""
        words = ["deploy", version, "--env", "production", "--force", "true", "--reason", "a test",
                 "--workspace", str(place.workspace.root)]  # fmt: skip
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def end(self):
        """Wait until it has ended; return its exit code."""
        return int(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.wait(60)


def wait_for_decision(place, pid, count):
    """Wait until it is about to change what serves: its decision has been kept."""
    decisions = place.workspace.deployment / "decisions"
    while is_alive(pid) and len(list(decisions.glob("2*"))) <= count:
        time.sleep(0.001)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def check_state(place, before, version):
    """Assert that what serves is what did, or all of the new version; return which."""
    now = place.record()
    assert now == before or now.versions == (version,), now
    last = place.history.changes("production")[-1]
    assert now.change == last.hash or is_pending(last, now) or last.event == "interrupted"
    assert verify_history(place.workspace) == []
    return "after" if now != before else "before"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_at_fifty_random_moments_one_of_two_states_serves_and_no_request_fails(place):
    chance, seen, commands = random.Random(9), Counter(), Commands()
    server = SERVING["ServeProcess"](place.workspace.root, "--env", "production", "--workers", 2)
    sent = SERVING["Traffic"](server.url, picture(), threads=2)
    try:
        began = time.monotonic()
        commands.start(place, "v1.1.0")
        assert commands.end() == 0  # undisturbed, to know how long it takes
        seconds = time.monotonic() - began
        for number in range(KILLS):
            before = place.record()
            version = VERSIONS[before.versions == VERSIONS[:1]]
            count = len(list((place.workspace.deployment / "decisions").glob("2*")))
            pid = commands.start(place, version)
            if number % 2:  # near the moment at which it counts
                wait_for_decision(place, pid, count)
                time.sleep(chance.uniform(0, 0.03))
            else:
                time.sleep(chance.uniform(0, seconds * 1.1))
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            assert commands.end() in (0, -signal.SIGKILL)
            seen[check_state(place, before, version)] += 1
        wait_for_server(server.url, place.record().versions)
    finally:
        sent.stop()
        answers = Counter(status for _, status, _ in sent.answers)
        server.destroy()
        commands.close()
    print(f"{dict(seen)} of {KILLS} kills, {seconds:.1f} s undisturbed, answers {dict(answers)}")
    assert set(answers) == {200} and answers[200] > KILLS
    assert min(seen["before"], seen["after"]) >= 5


def wait_for_server(url, versions, seconds=10.0):
    end = time.monotonic() + seconds
    while httpx.get(f"{url}/readyz", timeout=30).json()["version"] != versions[0]:
        assert time.monotonic() < end, "the server does not follow"
        time.sleep(0.05)


def picture():
    done, data = cv2.imencode(".png", np.full((24, 32, 3), 200, np.uint8))
    assert done
    return data.tobytes()
