"""Each test of a training runs in a folder of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _here(tmp_path: Path) -> Iterator[None]:
    """Run each test in a folder of its own, so that a default workspace lands there."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield
    os.chdir(before)
