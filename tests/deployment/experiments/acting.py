"""Does one thing to an experiment in a process of its own, which may be killed at any moment.

``acting.py WORKSPACE`` reads lines ``start NAME``, ``stop``, ``promote``; for each it forks, says
the process's number, and when it is gone, how it ended.
"""

import os
import sys
from pathlib import Path

from deepfake_lightning.deployment.deploying import Wish
from deepfake_lightning.deployment.environment import Environment, utc_now
from deepfake_lightning.deployment.experiments import (
    ExperimentPolicy,
    Start,
    keep_decision,
    promote,
    start,
    status,
    stop,
)
from deepfake_lightning.deployment.experiments.experiment import running_in
from deepfake_lightning.deployment.gate.policy import GatePolicy
from deepfake_lightning.storage import Workspace

# What takes seconds and changes nothing is left out: the moments that count are hit more often.
QUICK = GatePolicy.model_validate(
    {"integration": {"environments": []}, "cost": {"cpu_ms": None, "slower": None}}
)


def act(workspace, words):
    environment = Environment(workspace, "production")
    if words[0] == "start":
        now = environment.record().versions[0]
        other = "v1.1.0" if now == "v1.0.0" else "v1.0.0"
        policy = ExperimentPolicy(least_days=0)
        start(workspace, Start((other,), "production", name=words[1], policy=policy))
        return
    experiment = running_in(environment)
    found = status(environment, experiment, None, utc_now())
    folder = keep_decision(workspace, found, utc_now())
    if words[0] == "stop":
        stop(environment, experiment, "enough", decision=folder)
        return
    wish = Wish(experiment.challengers[0], "production", QUICK, "by force", force=True, workers=1)
    assert promote(workspace, experiment, found, wish).change is not None


def main():
    workspace = Workspace(Path(sys.argv[1]))
    for line in sys.stdin:
        child = os.fork()
        if not child:
            os.setpgid(0, 0)
            try:
                act(workspace, line.split())
            except BaseException as error:
                sys.stderr.write(f"{line.strip()}: {error!r}\n")
                os._exit(1)
            os._exit(0)
        print(child, flush=True)
        _, ended = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(ended), flush=True)


if __name__ == "__main__":
    main()
