"""Versions by name and by what they do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.errors import UsageError
from deepfake_lightning.registry import Registry, Wish, register_bundle
from deepfake_lightning.registry.aliases import aliases_of, read_environments


@pytest.fixture
def two(registry: Registry, crop_bundle: Any) -> Registry:
    for version in ("v1.0.0", "v1.1.0"):
        register_bundle(registry, crop_bundle.folder, Wish(version))
    return registry


def test_an_environment_stands_for_what_answers_in_it(
    two: Registry, deploy: Callable[..., Path]
) -> None:
    with pytest.raises(UsageError, match="nothing is deployed in production"):
        two.get("production")
    deploy("production", "v1.0.0", shadow=("v1.1.0",))
    deploy("staging", "v1.1.0")
    assert two.get("production").version == "v1.0.0"
    assert two.bundle("staging").record.version == "v1.1.0"
    deploy("production", "v1.0.0", "v1.1.0")
    with pytest.raises(UsageError, match=r"v1\.0\.0 and v1\.1\.0 share the traffic of production"):
        two.get("production")


def test_aliases_say_share_and_shadow(two: Registry, deploy: Callable[..., Path]) -> None:
    deploy("production", "v1.0.0", "v1.1.0")
    deploy("staging", "v1.1.0", shadow=("v1.0.0",))
    found = aliases_of(read_environments(two.workspace.environments))
    assert found == {
        "v1.0.0": ("staging shadow", "production 50 %"),
        "v1.1.0": ("staging", "production 50 %"),
    }


def test_an_unknown_version_names_those_that_there_are(two: Registry) -> None:
    with pytest.raises(UsageError, match=r"v1\.1\.1 is not registered") as error:
        two.get("v1.1.1")
    assert "v1.0.0, v1.1.0" in error.value.why
    assert "v1.1.0" in error.value.next_step
    assert two.find("v1.1.1") is None
    assert two.find("lite0/v1.1.0") is None


def test_latest_of_nothing(registry: Registry) -> None:
    with pytest.raises(UsageError, match="there is no latest version"):
        registry.get("latest")
