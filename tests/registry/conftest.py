"""Registries of a bundle that takes no time to build."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.registry import Registry
from deepfake_lightning.storage import Workspace

SCRIPT = Path(__file__).parent / "registry_script.py"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(Workspace(tmp_path / "mlops"))


@pytest.fixture
def deploy(registry: Registry) -> Callable[..., Path]:
    """Return a function that writes an environment's file: ``deploy("production", v, w)``."""

    def write(environment: str, *versions: str, shadow: tuple[str, ...] = ()) -> Path:
        share = 1 / max(len(versions), 1)
        serving = [{"version": version, "share": share} for version in versions]
        path = registry.workspace.environments / f"{environment}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        record: dict[str, Any] = {"schema": 1, "serving": serving, "shadow": list(shadow)}
        path.write_text(json.dumps(record))
        return path

    return write


@pytest.fixture
def script() -> Callable[..., list[str]]:
    """Return a function that gives the command of a process that works on a registry."""

    def command(*words: object) -> list[str]:
        return [sys.executable, str(SCRIPT), *map(str, words)]

    return command
