"""Tests a version until it is interrupted: ``python tester.py WORKSPACE CANDIDATE CHAMPION``."""

import sys
from pathlib import Path

from deepfake_lightning.deployment.integration import run_integration_tests
from deepfake_lightning.storage import Workspace

if __name__ == "__main__":
    workspace, candidate, champion = sys.argv[1:]
    run_integration_tests(
        Workspace(Path(workspace)), candidate, champion,
        progress=lambda what, done: print(what, flush=True),
    )  # fmt: skip
