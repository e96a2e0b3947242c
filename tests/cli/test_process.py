"""Settings that are made before the process starts."""

from __future__ import annotations

import os
import subprocess
import sys

_SHOW = (
    "import os, deepfake_lightning.cli.process as p\n"
    "p.os.execve = lambda *a: print('again', a[2]['OMP_WAIT_POLICY'], a[1][1:])\n"
    "p.restart_tuned(['fit', '--x'])\n"
)


def _run(**extra: str) -> str:
    bare = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GLIBC_TUNABLES")}
    return subprocess.run(
        [sys.executable, "-c", _SHOW], env={**bare, **extra}, text=True, timeout=60,
        capture_output=True, check=True,
    ).stdout  # fmt: skip


def test_missing_settings_start_the_same_command_again() -> None:
    assert _run() == "again PASSIVE ['-P', '-m', 'deepfake_lightning', 'fit', '--x']\n"


def test_the_users_settings_stay() -> None:
    assert _run(OMP_WAIT_POLICY="ACTIVE") == (
        "again ACTIVE ['-P', '-m', 'deepfake_lightning', 'fit', '--x']\n"
    )


def test_with_all_settings_made_it_goes_on() -> None:
    assert _run(OMP_WAIT_POLICY="PASSIVE", GLIBC_TUNABLES="glibc.malloc.top_pad=1") == ""
