"""The loop is killed at any moment while a server serves: no request fails, and nothing is torn."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress

import numpy as np
import pytest
import yaml

from deepfake_lightning.deployment.chain import verify_history
from deepfake_lightning.deployment.environment import Environment, main_version
from deepfake_lightning.registry import Registry
from deepfake_lightning.retraining.record import Loops
from deepfake_lightning.schemas import read_manifest

KILLS = int(os.environ.get("RETRAIN_KILLS", "4"))
STEPS = 7


def is_far(place, attempts, steps):
    """Return whether another attempt is at work on the loops, and has done so many steps."""
    every = Loops(place).all()
    return sum(one.attempts for one in every) > attempts and len(every[-1].steps) >= steps


def check_records(place, serves):
    """Assert that what is kept is whole, and that production serves the old version or the new."""
    now = Environment(place, "production").record()
    made = {one.version for one in Loops(place).all()}
    assert now == serves or (len(now.versions) == 1 and now.versions[0] in made), now
    assert verify_history(place) == []
    for entry in Registry(place).entries():
        Registry(place).bundle(entry.version)
    for path in place.retraining.glob("loops/*/*/manifest.parquet"):
        read_manifest(path)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_kills_at_any_moment_fail_no_request_and_leave_all_records_whole(
    setting, serving, tmp_path
):
    place = setting.workspace
    rules = place.retraining / "policy" / "retrain.yaml"
    rules.parent.mkdir(parents=True)
    rules.write_text(yaml.safe_dump(setting.policy.to_dict() | {"goal": "production"}))
    command = [sys.executable, "-m", "deepfake_lightning", "retrain", "--reason", "why not",
               "--workspace", str(place.root), "--workers", "1"]  # fmt: skip
    draw, serves = np.random.default_rng(0), Environment(place, "production").record()
    ends = Counter()
    for number in range(KILLS):
        before = sum(one.attempts for one in Loops(place).all())
        with (tmp_path / "log").open("a") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path)
        # Each step has its turn.
        while process.poll() is None and not is_far(place, before, number * STEPS // KILLS):
            time.sleep(0.01)
        with suppress(subprocess.TimeoutExpired):
            process.wait(float(draw.uniform(0, 10)))
        process.kill()
        ends[process.wait()] += 1
        check_records(place, serves)
        print(number, process.returncode, [(one.outcome, list(one.steps)[-1:])
                                           for one in Loops(place).all()], flush=True)  # fmt: skip
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    check_records(place, serves)
    loops = Loops(place).all()
    done = [one for one in loops if one.outcome == "done"]
    # Where a kill came too late, what is left to learn from is nothing (3); a version that has been
    # made by then is refused (4).
    refused = 3 if loops[-1].version is None else 4
    code = 0 if done[-1] is loops[-1] else refused
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert main_version(Environment(place, "production").record()) == done[-1].version
    made = [one.version for one in Registry(place).entries() if one.registration.parent]
    assert len(made) == sum(one.version is not None for one in loops)
    serving.traffic.stop()
    answers = Counter(status for _, status, _ in serving.traffic.answers)
    print(f"{dict(ends)} of {KILLS}; answers {dict(answers)}, lost {serving.traffic.lost}")
    assert set(answers) == {200}
    assert serving.traffic.lost == 0
    assert ends[-9] > KILLS // 2
