"""Processes of one row each."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pebble.pool.process import PoolManager

from deepfake_lightning.errors import UsageError
from deepfake_lightning.inference.benchmark.own_process import own_processes, peak_memory_mb


def hold(megabytes: int) -> tuple[int, float | None]:
    """Fill so much memory, let it go, and return this process and its peak."""
    np.ones(megabytes << 17).sum()
    return os.getpid(), peak_memory_mb()


def test_memory_is_each_ones_own() -> None:
    with own_processes(["large", "small"]) as (large, small):
        (one, high), (other, low) = large.run(hold, 300), small.run(hold, 1)
        assert large.run(hold, 1) == (one, high)  # the same process, and its peak stays
    assert len({one, other, os.getpid()}) == 3
    assert high is not None and low is not None and high > low + 250
    assert not any(Path(f"/proc/{pid}").exists() for pid in (one, other))


def test_one_that_dies_is_named() -> None:
    with (
        pytest.raises(UsageError, match=r"torch, batch 9: its process ended, exit code 3"),
        own_processes(["torch, batch 9"]) as (process,),
    ):
        process.run(os._exit, 3)


def test_errors_come_through() -> None:
    with pytest.raises(ValueError, match="nonsense"), own_processes(["any"]) as (process,):
        process.run(int, "nonsense")


@pytest.mark.parametrize(("pause", "noting"), [(0.0, 0.0), (0.0, 0.5), (0.5, 0.0)])
def test_one_that_died_while_it_waited_is_named(
    monkeypatch: pytest.MonkeyPatch, pause: float, noting: float
) -> None:
    """Whether that is seen before it is called, while the call is noted, or afterwards."""
    noted = PoolManager.schedule

    def slowly(manager: PoolManager, task: Any) -> None:
        time.sleep(noting)
        noted(manager, task)

    with own_processes(["torch, batch 9"]) as (process,):
        pid = process.run(os.getpid)
        monkeypatch.setattr(PoolManager, "schedule", slowly)
        os.kill(pid, signal.SIGKILL)
        time.sleep(pause)
        with pytest.raises(UsageError, match=r"torch, batch 9: its process ended"):
            process.run(os.getpid)
