"""Commands that are killed at any moment, while a real server answers: before or after, never half.

Each kill is followed by a look at what serves, at the history, and at what the experiment says of
itself; no request may fail.
"""

import os
import random
import runpy
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from deepfake_lightning.deployment.chain import verify_history
from deepfake_lightning.deployment.environment import whole
from deepfake_lightning.deployment.experiments.experiment import every, run_of, running_in

SERVE = runpy.run_path(str(Path(__file__).parents[2] / "serving" / "serve_process.py"))
KILLS = 60


class Actor:
    """A process that forks one for each thing to do."""

    def __init__(self, workspace):
        script = str(Path(__file__).with_name("acting.py"))
        self._process = subprocess.Popen(
            [sys.executable, script, str(workspace.root)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    def do(self, words, kill_after=None):
        """Do something; return its exit code (-9: it was killed) and how long it took."""
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        child, began = int(self._process.stdout.readline()), time.monotonic()
        if kill_after is not None:
            time.sleep(kill_after)
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
        return int(self._process.stdout.readline()), time.monotonic() - began

    def end(self):
        self._process.stdin.close()
        self._process.wait(60)


@pytest.fixture
def actor(production):
    with ExitStack() as stack:
        started = Actor(production.workspace)
        stack.callback(started.end)
        yield started


@pytest.fixture
def asked(production):
    """Return a server of production, and what its clients got so far."""
    image = np.full((24, 32, 3), 200, np.uint8)
    with ExitStack() as stack:
        server = SERVE["ServeProcess"](production.workspace.root, "--env", "production",
                                       "--workers", 1)  # fmt: skip
        stack.callback(server.destroy)
        sent = SERVE["Traffic"](server.url, cv2.imencode(".png", image)[1].tobytes(), threads=1)
        stack.callback(sent.stop)
        yield sent


def look(production, before, after):
    """Assert that all of what serves is as before or as after; return whether it is as after."""
    now = production.record()
    done = after(now)
    assert done or now == before
    assert verify_history(production.workspace) == []
    running = running_in(production)
    for one in every(production.workspace):
        state = run_of(one, production).state
        assert (state == "runs") is (running is not None and one.name == running.name)
    return done


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_sixty_kills_of_start_stop_and_promote(production, actor, asked):
    chance, outcomes, took = random.Random(7), Counter(), {}
    for number in range(KILLS):
        before, running = production.record(), running_in(production)
        if running is None:
            words, kind = f"start eyes-{number}", "start"
            after = lambda now: now.experiment == f"eyes-{number}"  # noqa: B023, E731
        else:
            kind = words = chance.choice(["stop", "promote"])
            kept = running.control if kind == "stop" else running.challengers[0]
            after = lambda now: now.serving == whole(kept).serving and not now.experiment  # noqa: B023, E731
        if kind not in took:  # once to the end, to know how long it takes
            code, took[kind] = actor.do(words)
            assert code == 0
            assert look(production, before, after)
            continue
        # Half of them late: of a promotion the change itself is a thousandth.
        part = chance.uniform(0, 1.1) if number % 2 else chance.uniform(0.8, 2.5)
        code, _ = actor.do(words, part * took[kind])
        done = look(production, before, after)
        assert done or code == -9
        outcomes[kind, "after" if done else "before"] += 1
    assert production.wait_taken(production.history.done("production")[-1], 20)
    asked.stop()
    failed = [answer for answer in asked.answers if answer[1] != 200]
    assert failed == []
    print({f"{kind} {end}": count for (kind, end), count in sorted(outcomes.items())},
          len(asked.answers), "answers", {k: round(v, 2) for k, v in took.items()})  # fmt: skip
    assert sum(outcomes.values()) >= 50
    for kind in ("start", "stop", "promote"):
        assert outcomes[kind, "before"]
        assert outcomes[kind, "after"]
