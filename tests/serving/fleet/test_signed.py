"""A server takes no version that is not signed, whatever the environment's file says."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.errors import SignatureError, UsageError
from deepfake_lightning.registry import Registry, Wish, register_bundle
from deepfake_lightning.registry.exporting import export_version
from deepfake_lightning.registry.signatures import signature_files, signatures_of
from deepfake_lightning.registry.signing import sign_version
from deepfake_lightning.serving.fleet.following import Fleet
from deepfake_lightning.serving.service import open_fleet
from deepfake_lightning.serving.settings import Settings
from deepfake_lightning.serving.telemetry.metrics import Metrics
from deepfake_lightning.storage import Workspace, write_json


@pytest.fixture
def registry(crop_bundle: Any, tmp_path: Path, make_key: Any, ask_signed: Any) -> Registry:
    """Return a registry in which ada has signed v1.0.0 and v1.1.0, and nobody v2.0.0."""
    made = Registry(Workspace(tmp_path / "mlops"))
    private, public = make_key("ada")
    for version in ("v1.0.0", "v1.1.0", "v2.0.0"):
        register_bundle(made, crop_bundle.folder, Wish(version))
    for version in ("v1.0.0", "v1.1.0"):
        sign_version(made, version, private)
    ask_signed(made.workspace, public)
    return made


def deploy(registry: Registry, version: str) -> None:
    """Write the environment's file, as whoever can write there could."""
    serving = [{"version": version, "share": 1.0}]
    record = {"schema": 1, "serving": serving, "shadow": []}
    write_json(registry.workspace.environments / "production.json", record)


def settings(registry: Registry, **more: Any) -> Settings:
    return Settings(registry.workspace.root, **more)


def serving(fleet: Fleet) -> list[str]:
    return [one.engine.version for one in fleet.current().serving]


def wait(check: Any) -> None:
    end = time.monotonic() + 20
    while not check():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_old_one_stays_where_the_new_one_is_not_signed(
    registry: Registry, tmp_path: Path
) -> None:
    deploy(registry, "v1.0.0")
    with open_fleet(settings(registry, environment="production"), Metrics()) as fleet:
        fleet.start()
        try:
            deploy(registry, "v2.0.0")
            wait(lambda: fleet.refused)
            assert "v2.0.0 is not signed" in (fleet.refused or "")
            assert serving(fleet) == ["v1.0.0"]
            # That of a version which is signed is no signature of this one.
            other = signatures_of(registry.root, "v2.0.0")
            other.mkdir(parents=True)
            shutil.copy(signature_files(signatures_of(registry.root, "v1.1.0"))[0], other)
            deploy(registry, "v2.0.0")
            wait(lambda: "other files" in (fleet.refused or ""))
            assert serving(fleet) == ["v1.0.0"]
            deploy(registry, "v1.1.0")
            wait(lambda: serving(fleet) == ["v1.1.0"])
            assert fleet.refused is None
            # A key that is not trusted any more takes what it signed along, at the next change.
            (tmp_path / "ada.pub").unlink()
            deploy(registry, "v1.0.0")
            wait(lambda: fleet.refused)
            assert "ada.pub cannot be read" in (fleet.refused or "")
            assert serving(fleet) == ["v1.1.0"]
        finally:
            fleet.stop()


def test_a_server_does_not_begin_with_one_that_is_not_signed(registry: Registry) -> None:
    deploy(registry, "v2.0.0")
    with (
        pytest.raises(SignatureError, match=r"v2\.0\.0 is not signed"),
        open_fleet(settings(registry, environment="production"), Metrics()),
    ):
        pass
    # What served last is asked for its own, too.
    served = {"schema": 1, "serving": [{"version": "v2.0.0", "share": 1.0}], "shadow": []}
    write_json(registry.workspace.serving / "production.json", served)
    with (
        pytest.raises(SignatureError),
        open_fleet(settings(registry, environment="production"), Metrics()),
    ):
        pass


def test_a_version_by_its_name_and_a_bundle_by_its_folder_as_well(
    registry: Registry, tmp_path: Path, ask_signed: Any
) -> None:
    ask_signed(registry.workspace, tmp_path / "ada.pub", environments=["production"])
    with pytest.raises(SignatureError), open_fleet(settings(registry, version="v2.0.0"), Metrics()):
        pass
    with open_fleet(settings(registry, version="v1.0.0"), Metrics()) as fleet:
        assert serving(fleet) == ["v1.0.0"]
    for version in ("v1.0.0", "v2.0.0"):
        export_version(registry, version, tmp_path / version)
    with open_fleet(settings(registry, bundle=tmp_path / "v1.0.0"), Metrics()) as fleet:
        assert serving(fleet) == ["v1.0.0"]
    with (
        pytest.raises(SignatureError),
        open_fleet(settings(registry, bundle=tmp_path / "v2.0.0"), Metrics()),
    ):
        pass


def test_a_policy_that_cannot_be_read_lets_nothing_in(registry: Registry) -> None:
    deploy(registry, "v1.0.0")
    (registry.workspace.deployment / "policy" / "signing.yaml").write_text("required: maybe")
    with (
        pytest.raises(UsageError, match=r"signing\.yaml"),
        open_fleet(settings(registry, environment="production"), Metrics()),
    ):
        pass
