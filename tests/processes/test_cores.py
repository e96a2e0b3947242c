"""Cores that are left to this process."""

from __future__ import annotations

import os

import pytest

from deepfake_lightning.processes.cores import available_cores
from deepfake_lightning.serving.settings import Settings


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process")
def test_cores_are_those_that_may_be_used(tmp_path):
    before = os.sched_getaffinity(0)
    assert 1 <= available_cores() <= len(before)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert available_cores() == 1
        assert Settings(tmp_path).cores == 1
        assert Settings(tmp_path, processes=4).cores == 1
    finally:
        os.sched_setaffinity(0, before)
