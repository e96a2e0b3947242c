"""The throw-away workspace: the real registry, and nothing left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deepfake_lightning.deployment.integration.throwaway import PREFIX, throwaway_workspace
from deepfake_lightning.registry import Registry

_TAKE_AND_DIE = """
import os, sys
from pathlib import Path
from deepfake_lightning.deployment.integration.throwaway import throwaway_workspace
from deepfake_lightning.storage import Workspace
with throwaway_workspace(Workspace(Path(sys.argv[1]))) as place:
    print(place.root, flush=True)
    os._exit(9)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """Return a folder that stands for the system's."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_it_has_the_versions_and_takes_none_along_when_it_goes(registered, temporary):
    before = sorted(registered.registry.rglob("*"))
    with throwaway_workspace(registered) as place:
        assert place.root.parent == temporary
        assert len(Registry(place)) == 4
        assert Registry(place).bundle("v1.1.0").record.version == "v1.1.0"
        (place.monitoring).mkdir()
    assert list(temporary.iterdir()) == []
    assert sorted(registered.registry.rglob("*")) == before


def test_what_interrupts_leaves_nothing(registered, temporary):
    with pytest.raises(KeyboardInterrupt), throwaway_workspace(registered):
        raise KeyboardInterrupt
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_what_is_used_stays(registered, temporary):
    died = subprocess.run(
        [sys.executable, "-c", _TAKE_AND_DIE, str(registered.root)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(temporary)},
        check=False,
    )  # fmt: skip
    left = temporary / Path(died.stdout.strip()).name
    assert died.returncode == 9 and left.is_dir()
    (temporary / f"{PREFIX}link").symlink_to(registered.registry)
    with throwaway_workspace(registered) as first, throwaway_workspace(registered) as second:
        assert first.root.is_dir() and second.root.is_dir()
    assert [one.name for one in temporary.glob(f"{PREFIX}*")] == [f"{PREFIX}link"]
    assert len(Registry(registered)) == 4
