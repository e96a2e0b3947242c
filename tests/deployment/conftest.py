"""A workspace with versions to deploy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deepfake_lightning.registry import Registry, Wish, register_bundle
from deepfake_lightning.storage import Workspace

VERSIONS = ("v1.0.0", "v1.1.0", "v1.2.0", "v2.0.0")


@pytest.fixture(scope="session")
def registered(made_once, crop_bundle):
    """Return a workspace with v1.0.0, v1.1.0, v1.2.0 and v2.0.0, all of one bundle; to be read."""

    def make(root: Path) -> Path:
        workspace = Workspace(root / "mlops")
        for version in VERSIONS:
            register_bundle(Registry(workspace), crop_bundle.folder, Wish(version))
        return workspace.root

    return Workspace(made_once("registered", make))


@pytest.fixture
def workspace(registered: Workspace, tmp_path: Path) -> Workspace:
    """Return such a workspace of the test's own, in which nothing is deployed."""
    shutil.copytree(registered.root, tmp_path / "mlops")
    return Workspace(tmp_path / "mlops")
