"""Settings of the process that have to be made before it starts."""

from __future__ import annotations

import os
import platform
import sys

# Waiting threads sleep instead of spinning: where the loader's workers or another program
# share the cores, spinning makes a training step many times slower.
_THREADS = {"OMP_WAIT_POLICY": "PASSIVE"}

# glibc gives large blocks back to the kernel and asks for them again, every step. Kept, they
# make training on a CPU about a fifth faster.
_GLIBC = {
    "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=4294967296:"
    "glibc.malloc.trim_threshold=8589934592:glibc.malloc.top_pad=268435456"
}


def missing_settings() -> dict[str, str]:
    """Return the environment variables that this process should have had, and does not.

    What the user has set stays as it is. Empty outside Linux.
    """
    if platform.system() != "Linux":
        return {}
    wanted = {**_THREADS, **(_GLIBC if platform.libc_ver()[0] == "glibc" else {})}
    return {name: value for name, value in wanted.items() if name not in os.environ}


def restart_tuned(args: list[str]) -> None:
    """Start this program again with the settings that are missing; return where none is."""
    missing = missing_settings()
    if missing:
        command = [sys.executable, "-P", "-m", "deepfake_lightning", *args]
        os.execve(sys.executable, command, {**os.environ, **missing})
