"""Prometheus' own tools, where they are installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def promtool() -> Callable[..., str]:
    """Return a function that runs promtool and gives what it said; it has to find no fault."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")

    def run(*args: object, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["promtool", *map(str, args)], capture_output=True, text=True, timeout=60, cwd=cwd
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
