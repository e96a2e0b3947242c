"""Canary steps and rollbacks that are killed: what serves is what served, or what was to serve."""

from __future__ import annotations

import os
import random
import runpy
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import cv2
import httpx
import numpy as np
import pytest

from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.canary import begin, look, read_state, standing, step
from deepfake_lightning.deployment.chain import verify_history
from deepfake_lightning.deployment.environment import Environment, whole
from deepfake_lightning.monitoring.log import ItemScore, LoggedRequest, PredictionLog, existing_log

HERE = Path(__file__).parent
_SERVE = SimpleNamespace(**runpy.run_path(str(HERE.parents[1] / "serving" / "serve_process.py")))
ALONE, CANARY, NEXT = [("v1.0.0", 1.0)], [("v1.0.0", 0.95), ("v1.1.0", 0.05)], [
    ("v1.0.0", 0.75), ("v1.1.0", 0.25)
]  # fmt: skip


class Forks:
    """Runs a command, and kills it after a while."""

    def __init__(self, workspace, log):
        command = [sys.executable, str(HERE / "forked.py"), str(workspace.root), str(log)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert self.process.stdout.readline() == "ready\n"

    def run(self, command, now, kill_after=None):
        """Return how it ended, and after how many seconds."""
        began = time.monotonic()
        self.process.stdin.write(f"{command} {now.isoformat()}\n")
        self.process.stdin.flush()
        pid = int(self.process.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return int(self.process.stdout.readline()), time.monotonic() - began

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


def shares(environment):
    return [(one.version, round(one.share, 6)) for one in environment.record().serving]


def log_minutes(log, began, failed):
    """Log three minutes of both versions; of the candidate's requests so many a minute fail."""
    rows = []
    for minute in range(1, 4):
        for place in range(60):
            version = "v1.0.0" if place < 40 else "v1.1.0"
            bad = version == "v1.1.0" and place - 40 < failed
            at = round((began + timedelta(minutes=minute)).timestamp() * 1e6) + place
            item = ItemScore(0, "ok", -1.0, 0.3, True, 1, 1, version)
            rows.append(
                LoggedRequest(
                    f"{at:032x}", at, version, "ab", "/v1/predict", 500 if bad else 200, 9, 50_000,
                    media_type="image", environment="production", items=() if bad else (item,),
                )
            )  # fmt: skip
    log.append_many(rows)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_kills_at_sixty_random_moments(workspace, tmp_path, capsys):
    moments, ends, took = random.Random(9), Counter(), {}
    now = datetime(2030, 1, 1, tzinfo=UTC)
    environment = Environment(workspace, "production", clock=lambda: now)
    environment.change(environment.record(), whole("v1.0.0"), Act("deploy"))
    picture = cv2.imencode(".png", np.full((24, 32, 3), 200, np.uint8))[1].tobytes()
    place = tmp_path / "evidence.db"
    server = _SERVE.ServeProcess(workspace.root, "--env", "production", "--workers", 1)
    traffic = _SERVE.Traffic(server.url, picture, threads=2)
    forks = Forks(workspace, place)
    try:
        with PredictionLog(place) as log:
            for number in range(64):
                kind = ("begin", "step", "roll_back", "rollback")[number % 4]
                now += timedelta(hours=1)
                command, before, after = "begin", ALONE, CANARY
                at = now
                if kind != "begin":
                    _, change = begin(environment, "v1.1.0", POLICY, Act("canary"), now=now)
                    assert environment.wait_taken(change, 30)
                    log_minutes(log, now, failed=20 if kind == "roll_back" else 0)
                    command = "rollback" if kind == "rollback" else "step"
                    before, after = CANARY, NEXT if kind == "step" else ALONE
                    at = now + timedelta(minutes=5)
                # Each is done once as a whole, which tells within what time to kill it.
                after_seconds = moments.uniform(0.0, 1.1 * took[kind]) if kind in took else None
                code, seconds = forks.run(command, at, after_seconds)
                assert code in (0, -signal.SIGKILL)
                found = shares(environment)
                assert found in (before, after), (kind, found)
                ended = "ended" if code == 0 else "killed"
                ends[f"{kind} {ended}, {'after' if found == after else 'before'}"] += 1
                took.setdefault(kind, seconds)
                assert verify_history(workspace) == []
                check_goes_on(environment, place, at, kind, found)
                now = at + timedelta(hours=1)
                back_to_the_start(environment)
                wait_served(server.url, environment)
        statuses = {status for _, status, _ in traffic.answers}
        number = len(traffic.answers)
    finally:
        traffic.stop()
        forks.close()
        server.destroy()
    assert statuses == {200}
    assert number > 500
    assert sum(count for end, count in ends.items() if "killed, before" in end) > 10
    with capsys.disabled():
        print(f"\n60 kills, {number:,} requests, none failed: {dict(ends)}")


POLICY = runpy.run_path(str(HERE / "forked.py"), run_name="read")["POLICY"]


def check_goes_on(environment, place, at, kind, found):
    """Assert that the next step knows where it stands, and does what was not done."""
    state = read_state(environment)
    if state is None:
        return
    stands = standing(environment, state)
    with existing_log(place) as log:
        if found == NEXT:
            assert (stands.end, stands.step) == (None, 1)
            assert look(environment, log=log, now=at).verdict == "hold"
        elif kind in ("step", "roll_back") and found == CANARY:
            assert (stands.end, stands.step) == (None, 0)
            done = step(environment, log=log, now=at, wait_seconds=0.0)
            assert done.verdict == ("advance" if kind == "step" else "roll_back")
        elif found == ALONE and kind == "roll_back":
            assert stands.end == "rolled_back"


def back_to_the_start(environment):
    if shares(environment) != ALONE:
        environment.change(environment.record(), whole("v1.0.0"), Act("rollback", "start"))


def wait_served(url, environment):
    end = time.monotonic() + 30
    while True:
        record = httpx.get(f"{url}/readyz", timeout=30).json()
        if [(one["version"], one["share"]) for one in record["serving"]] == shares(environment):
            return
        assert time.monotonic() < end, record
        time.sleep(0.05)
