"""Commands in processes of their own, forked where all is imported: killed while they work.

Reads lines ``COMMAND NOW`` (``begin``, ``step`` or ``rollback``, and the time), answers with the
process that does it, and then with how that ended.
"""

from __future__ import annotations

import os
import sys
import traceback
from datetime import datetime

from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.canary import CanaryPolicy, begin, step
from deepfake_lightning.deployment.environment import Environment
from deepfake_lightning.deployment.rollback import roll_back
from deepfake_lightning.monitoring.log import existing_log
from deepfake_lightning.storage import Workspace

POLICY = CanaryPolicy(minutes=2, requests=20, stale_minutes=60)


def do(command: str, now: datetime, workspace: Workspace, log: str) -> None:
    environment = Environment(workspace, "production", clock=lambda: now)
    if command == "begin":
        begin(environment, "v1.1.0", POLICY, Act("canary", "try it"), now=now)
    elif command == "step":
        with existing_log(log) as there:
            step(environment, log=there, now=now, wait_seconds=0.0)
    else:
        roll_back(environment, "it is slow", to="v1.0.0", wait_seconds=0.0)


def main() -> None:
    workspace, log = Workspace.find(sys.argv[1]), sys.argv[2]
    print("ready", flush=True)
    for line in sys.stdin:
        command, now = line.split()
        pid = os.fork()
        if pid == 0:
            try:
                do(command, datetime.fromisoformat(now), workspace, log)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
