"""Runs commands that are killed: a line of JSON, the command's words, in; its process id out.

Each is a process of its own, forked from this one, which has imported already what takes seconds:
a kill then meets the command at its work, and seldom at its imports. When it has ended, its exit
code follows, negative for a signal.
"""

from __future__ import annotations

import json
import os
import sys

import deepfake_lightning.cli.deploy_summary
import deepfake_lightning.deployment.canary
import deepfake_lightning.deployment.gate.measuring  # noqa: F401
from deepfake_lightning.cli import main


def run(words: list[str]) -> None:
    """Be the command."""
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os._exit(main(words))


if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            run(json.loads(line))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
