"""A process that judges without end, forked where all is imported: killed while it works.

Its clock goes a minute a round; errors come and go with it. Reads a line for each fork, and answers
with the process; it is waited for.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from deepfake_lightning.monitoring.alerts import AlertPolicy
from deepfake_lightning.monitoring.alerts.checking import settle
from deepfake_lightning.monitoring.alerts.situation import Measurement, Situation
from deepfake_lightning.monitoring.alerts.state import read_state, sole_round
from deepfake_lightning.storage import Workspace

MINUTE = 60_000_000
POLICY = AlertPolicy.model_validate({
    "rules": [{"name": "errors", "measure": "error_rate", "limit": 0.01, "cooldown_minutes": 0}],
    "channels": [{"name": "file", "kind": "file"}],
})  # fmt: skip


def judge_on(workspace: Workspace, rounds: int) -> None:
    for _ in range(rounds):
        with sole_round(workspace, seconds=20):
            minute = read_state(workspace).rounds.get("production", 0) // MINUTE + 1
            finding = "broken" if minute % 2 else "well"
            found = Measurement("errors", "production/v1.0.0", finding, environment="production")
            settle(workspace, POLICY, Situation("production", (found,)), now_us=minute * MINUTE)


def main() -> None:
    workspace = Workspace(Path(sys.argv[1]))
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                judge_on(workspace, int(line))
            finally:
                os._exit(0)
        print(pid, flush=True)
        os.waitpid(pid, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main()
