"""How many cores there are for this process."""

from __future__ import annotations


def available_cores() -> int:
    """Return on how many cores this process may run, 1 or more.

    Not those of the machine: what its affinity and its container's quota (cgroup) leave it, a part
    of a core counted as one.
    """
    from joblib import cpu_count  # it takes a tenth of a second

    return int(cpu_count())
