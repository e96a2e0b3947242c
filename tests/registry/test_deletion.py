"""Versions that nothing needs are deleted; others are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.errors import RegistryError, UsageError
from deepfake_lightning.registry import Registry, Wish, delete_version, register_bundle
from deepfake_lightning.registry import deletion as module


@pytest.fixture
def family(registry: Registry, crop_bundle: Any) -> Registry:
    """Return a registry in which v1.2.0 comes from v1.1.0, that from v1.0.0, and v2.0.0 stands
    alone.
    """
    for version, parent in (("v1.0.0", None), ("v1.1.0", "v1.0.0"), ("v1.2.0", "v1.1.0"),
                            ("v2.0.0", None)):  # fmt: skip
        register_bundle(registry, crop_bundle.folder, Wish(version, parent=parent))
    return registry


def test_a_version_is_gone_and_the_history_says_who_and_why(family: Registry) -> None:
    delete_version(family, "v2.0.0", reason="  trained on the wrong clips ", by="ada")
    assert [one.version for one in family.entries()] == ["v1.0.0", "v1.1.0", "v1.2.0"]
    assert not family.folder("v2.0.0").exists()
    assert {path.name for path in family.models.iterdir()} == {"v1.0.0", "v1.1.0", "v1.2.0"}
    last = family.index().history[-1]
    assert (last.event, last.version, last.by) == ("delete", "v2.0.0", "ada")
    assert last.reason == "trained on the wrong clips"


@pytest.mark.parametrize("reason", ["", "  "])
def test_there_has_to_be_a_reason(family: Registry, reason: str) -> None:
    with pytest.raises(UsageError, match="for a reason"):
        delete_version(family, "v2.0.0", reason=reason)
    assert family.folder("v2.0.0").is_dir()


@pytest.mark.parametrize("version", ["v1.0.0", "v1.1.0", "v1.2.0"])
def test_what_is_deployed_and_its_ancestors_stay(
    family: Registry, deploy: Callable[..., Path], version: str
) -> None:
    deploy("production", "1.2.0")  # as a person may write it
    with pytest.raises(RegistryError, match="deployed in production"):
        delete_version(family, version, reason="a test")
    assert len(family.entries()) == 4
    delete_version(family, "v2.0.0", reason="a test")


def test_what_scores_in_the_shadow_or_in_any_environment_is_deployed(
    family: Registry, deploy: Callable[..., Path]
) -> None:
    deploy("production", "v1.2.0", shadow=("v2.0.0",))
    with pytest.raises(RegistryError, match="deployed in production"):
        delete_version(family, "v2.0.0", reason="a test")
    deploy("production")
    deploy("canary-eu", "v2.0.0")
    with pytest.raises(RegistryError, match="deployed in canary-eu"):
        delete_version(family, "v2.0.0", reason="a test")
    delete_version(family, "v1.2.0", reason="nothing needs it any more")


def test_nothing_is_deleted_while_what_is_deployed_is_not_known(
    family: Registry, deploy: Callable[..., Path]
) -> None:
    deploy("production").write_text("{")
    with pytest.raises(UsageError, match=r"production\.json cannot be read"):
        delete_version(family, "v2.0.0", reason="a test")
    assert family.folder("v2.0.0").is_dir()


def test_aliases_are_not_deleted(family: Registry, deploy: Callable[..., Path]) -> None:
    deploy("staging", "v2.0.0")
    for name in ("staging", "latest"):
        with pytest.raises(UsageError, match="is no version"):
            delete_version(family, name, reason="a test")


def test_what_is_cut_short_after_the_folder_is_gone_is_deleted(
    family: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Ends a process as a kill does: nothing catches it."""

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, "note_done", killed)
        with pytest.raises(Killed):
            delete_version(family, "v2.0.0", reason="cut short", by="ada")
    assert "v2.0.0" not in {one.version for one in family.entries()}
    last = family.index().history[-1]
    assert (last.event, last.by, last.reason) == ("delete", "ada", "cut short")
    delete_version(family, "v1.2.0", reason="the next change tidies up")
    assert {path.name for path in family.models.iterdir()} == {"v1.0.0", "v1.1.0"}
    assert [one.version for one in family.index().history if one.event == "delete"] == [
        "v2.0.0", "v1.2.0",
    ]  # fmt: skip


def test_what_is_cut_short_before_is_not(
    family: Registry, monkeypatch: pytest.MonkeyPatch, crop_bundle: Any
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            delete_version(family, "v2.0.0", reason="cut short")
    assert family.get("v2.0.0").version == "v2.0.0"
    register_bundle(family, crop_bundle.folder)
    assert family.bundle("v2.0.0").record.version == "v2.0.0"
    assert not list(family.models.glob(".*"))
