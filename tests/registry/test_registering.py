"""Bundles become versions: whole or not at all, and never changed again."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.bundle.checksums import write_sums
from deepfake_lightning.errors import BundleError, RegistryError, StorageError, UsageError
from deepfake_lightning.inference import open_engine
from deepfake_lightning.registry import (
    Registry,
    Wish,
    check_wish,
    delete_version,
    register_bundle,
    repair_registry,
    verify_registry,
)
from deepfake_lightning.registry import registering as module
from deepfake_lightning.registry.folders import remove_leftovers, staging
from deepfake_lightning.registry.index import Index, write_index
from deepfake_lightning.registry.record import Source
from deepfake_lightning.storage import Workspace


class Killed(BaseException):
    """Ends a process as a kill does: nothing catches it."""


def test_the_first_is_v1_and_the_next_one_follows(registry: Registry, crop_bundle: Any) -> None:
    first = register_bundle(registry, crop_bundle.folder, Wish(reason="to begin", by="ada"))
    second = register_bundle(
        registry, crop_bundle.folder, Wish(part="patch", parent="1.0.0", source=Source(
            experiment="e", run="r"))
    )  # fmt: skip
    assert (first.version, second.version) == ("v1.0.0", "v1.0.1")
    assert second.registration.parent == "v1.0.0"
    assert registry.run_of(second) == registry.workspace.runs / "e" / "r"
    assert [entry.version for entry in registry.entries()] == ["v1.0.0", "v1.0.1"]
    made = [(one.event, one.version, one.by, one.reason) for one in registry.index().history]
    assert made[0] == ("register", "v1.0.0", "ada", "to begin")
    assert len(made) == 2


def test_a_version_is_a_bundle_that_says_its_name(registry: Registry, crop_bundle: Any) -> None:
    entry = register_bundle(registry, crop_bundle.folder, Wish("v3.1.4"))
    bundle = registry.bundle("v3.1.4")
    assert bundle.record.version == "v3.1.4"
    assert bundle.digest == entry.digest != load_bundle(crop_bundle.folder).digest
    assert (bundle.folder / "MODEL_CARD.md").read_text().startswith("# v3.1.4: a deepfake detector")
    assert open_engine(bundle.folder).version == "v3.1.4"
    # The network is what it was.
    assert (bundle.folder / "model.onnx").read_bytes() == (
        crop_bundle.folder / "model.onnx"
    ).read_bytes()
    assert crop_bundle.checkpoint.is_file()


@pytest.mark.parametrize("again", ["v1.0.0", "1.0.0"])
def test_a_version_is_given_once(registry: Registry, crop_bundle: Any, again: str) -> None:
    register_bundle(registry, crop_bundle.folder, Wish("v1.0.0"))
    before = (registry.root / "metadata.json").read_bytes()
    with pytest.raises(UsageError, match=r"v1\.0\.0 is registered already") as error:
        register_bundle(registry, crop_bundle.folder, Wish(again))
    assert "v1.1.0" in error.value.next_step
    assert (registry.root / "metadata.json").read_bytes() == before
    assert sorted(path.name for path in registry.models.iterdir()) == ["v1.0.0"]


def test_the_number_of_a_deleted_version_is_not_given_again(
    registry: Registry, crop_bundle: Any
) -> None:
    register_bundle(registry, crop_bundle.folder, Wish("v1.0.0"))
    delete_version(registry, "v1.0.0", reason="a licence was withdrawn", by="ada")
    with pytest.raises(UsageError, match=r"was deleted on .* by ada"):
        register_bundle(registry, crop_bundle.folder, Wish("v1.0.0"))
    assert register_bundle(registry, crop_bundle.folder).version == "v1.1.0"
    with pytest.raises(UsageError, match=r"it was deleted on .*a licence was withdrawn"):
        registry.get("v1.0.0")


def test_a_parent_has_to_have_been(registry: Registry, crop_bundle: Any) -> None:
    with pytest.raises(UsageError, match=r"parent v0\.9\.0 was never registered"):
        check_wish(registry, Wish(parent="v0.9.0"))
    with pytest.raises(UsageError, match="never registered"):
        register_bundle(registry, crop_bundle.folder, Wish(parent="v0.9.0"))
    assert registry.entries() == []
    assert list(registry.models.glob("*")) == [] or not registry.models.exists()


def test_a_damaged_bundle_is_not_registered(
    registry: Registry, crop_bundle: Any, copy_bundle: Callable[..., Path]
) -> None:
    folder = copy_bundle(crop_bundle)
    (folder / "model.onnx").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"model\.onnx is damaged"):
        register_bundle(registry, folder)
    assert registry.entries() == []


def test_an_exported_version_keeps_its_name_and_its_bytes(
    registry: Registry, crop_bundle: Any, tmp_path: Path
) -> None:
    entry = register_bundle(registry, crop_bundle.folder, Wish("v2.0.0", by="ada"))
    elsewhere = Registry(Workspace(tmp_path / "elsewhere"))
    taken = register_bundle(elsewhere, registry.folder("v2.0.0"), Wish(by="bob"))
    assert taken == entry  # who registered it first is part of what it is
    (line,) = elsewhere.index().history
    assert line.by == "bob"
    assert "registered there by ada" in line.reason
    with pytest.raises(UsageError, match=r"registered already, as v2\.0\.0"):
        register_bundle(elsewhere, registry.folder("v2.0.0"))
    renamed = register_bundle(elsewhere, registry.folder("v2.0.0"), Wish("v2.0.1", by="bob"))
    assert renamed.registration.by == "bob"
    assert verify_registry(elsewhere).faults == ()


def test_a_full_disk_leaves_nothing(
    registry: Registry, crop_bundle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("deepfake_lightning.registry.folders.shutil.copyfileobj", full)
    with pytest.raises(StorageError, match="No space left"):
        register_bundle(registry, crop_bundle.folder)
    assert registry.entries() == []
    assert list(registry.models.iterdir()) == []


def test_what_is_cut_short_after_the_folder_is_in_place_is_registered(
    registry: Registry, crop_bundle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_index", killed)
        with pytest.raises(Killed):
            register_bundle(registry, crop_bundle.folder, Wish(reason="cut short"))
    assert not (registry.root / "metadata.json").exists()
    assert registry.get("v1.0.0").registration.reason == "cut short"
    assert register_bundle(registry, crop_bundle.folder).version == "v1.1.0"
    history = json.loads((registry.root / "metadata.json").read_text())["history"]
    assert [line["version"] for line in history] == ["v1.0.0", "v1.1.0"]


@pytest.mark.parametrize("end", [StorageError("the disk is full"), KeyboardInterrupt()])
def test_what_is_in_place_is_registered_also_where_the_index_cannot_be_written(
    registry: Registry, crop_bundle: Any, monkeypatch: pytest.MonkeyPatch, end: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise end

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_index", fail)
        assert register_bundle(registry, crop_bundle.folder).version == "v1.0.0"
    assert registry.bundle("v1.0.0").record.version == "v1.0.0"
    assert register_bundle(registry, crop_bundle.folder).version == "v1.1.0"  # and both are listed
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_index", fail)
        assert delete_version(registry, "v1.0.0", reason="a test").version == "v1.0.0"
    assert [one.version for one in registry.entries()] == ["v1.1.0"]


def test_a_folder_in_the_way_is_passed_over(registry: Registry, crop_bundle: Any) -> None:
    registry.folder("v1.0.0").mkdir(parents=True)
    assert registry.next() == "v1.1.0"
    with pytest.raises(UsageError, match="is there already") as error:
        register_bundle(registry, crop_bundle.folder, Wish("v1.0.0"))
    assert "pass --version v1.1.0" in error.value.next_step
    assert register_bundle(registry, crop_bundle.folder).version == "v1.1.0"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("provenance.json", "[1]"),
        ("provenance.json", '{"data": "x"}'),
        ("provenance.json", '{"data": {"licences": [1]}}'),
        ("registration.json", '{"schema": 1, "version": "v1.0.0", "registered": "t", "by": "e",'
                              ' "source": {"experiment": "/tmp", "run": "../x"}}'),
    ],
)  # fmt: skip
def test_a_hostile_bundle_is_refused_and_stops_nothing_else(
    registry: Registry, crop_bundle: Any, copy_bundle: Callable[..., Path], name: str, content: str,
    replace_file: Callable[[Path, str, bytes], None],
) -> None:  # fmt: skip
    folder = copy_bundle(crop_bundle)
    replace_file(folder, name, content.encode())
    with pytest.raises(BundleError, match=name):
        register_bundle(registry, folder)
    assert registry.entries() == []
    shutil.copytree(folder, registry.folder("v9.0.0"))  # put there by hand
    assert register_bundle(registry, crop_bundle.folder, Wish("v1.0.0")).version == "v1.0.0"
    assert [one.version for one in registry.entries()] == ["v1.0.0"]
    assert [one.version for one in verify_registry(registry).faults] == ["v9.0.0"]


def test_a_card_that_is_no_text_is_refused(
    registry: Registry, crop_bundle: Any, copy_bundle: Callable[..., Path],
    replace_file: Callable[[Path, str, bytes], None],
) -> None:  # fmt: skip
    folder = copy_bundle(crop_bundle)
    replace_file(folder, "MODEL_CARD.md", b"\xff\xfe")
    with pytest.raises(BundleError, match="no text"):
        register_bundle(registry, folder)


def test_a_link_is_no_version(registry: Registry, crop_bundle: Any, tmp_path: Path) -> None:
    register_bundle(registry, crop_bundle.folder)
    registry.folder("v1.0.0").rename(tmp_path / "elsewhere")
    registry.folder("v1.0.0").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RegistryError, match="is a link"):
        registry.bundle("v1.0.0")
    assert [one.what for one in verify_registry(registry).faults] == [
        "is a link or a file, and no folder"
    ]


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_works_on_is_not(
    registry: Registry, tmp_path: Path
) -> None:
    with staging(registry.models) as alive:
        dead = registry.models / ".registering-dead"
        dead.mkdir()
        remove_leftovers(registry.models)
        assert alive.is_dir()
        assert not dead.exists()
    assert not alive.exists()


def test_a_changed_version_is_not_given_out(registry: Registry, crop_bundle: Any) -> None:
    register_bundle(registry, crop_bundle.folder)
    card = registry.folder("v1.0.0") / "MODEL_CARD.md"
    card.write_text("# v1.0.0: never wrong\n")
    with pytest.raises(BundleError, match="damaged or was changed"):
        registry.bundle("v1.0.0")
    write_sums(registry.folder("v1.0.0"))  # by someone who may change the list as well
    with pytest.raises(RegistryError, match="is not the bundle that was registered"):
        registry.bundle("v1.0.0")
    shutil.rmtree(registry.folder("v1.0.0"))
    with pytest.raises(RegistryError, match="is gone"):
        registry.bundle("v1.0.0")


def test_the_index_survives_what_json_can_hold(registry: Registry, crop_bundle: Any) -> None:
    reason = 'a "quote", a \u2028 line, \U0001f600 and <b>'
    register_bundle(registry, crop_bundle.folder, Wish(reason=reason, by="\u00e9va"))
    assert Registry(registry.workspace).get("v1.0.0").registration.reason == reason


def test_a_damaged_index_says_how_it_is_made_anew(registry: Registry, crop_bundle: Any) -> None:
    register_bundle(registry, crop_bundle.folder)
    foreign = '{"schema": 1, "versions": {"v": 1}, "history": []}'
    for text in ("", "{", "[]", '{"schema": 1}', foreign):
        (registry.root / "metadata.json").write_text(text)
        with pytest.raises(RegistryError, match="is damaged") as error:
            registry.entries()
        assert "registry verify --repair" in error.value.next_step
    (registry.root / "metadata.json").unlink()
    (registry.root / "metadata.json").mkdir()
    with pytest.raises(StorageError, match="cannot be read"):  # which repairs nothing
        repair_registry(registry)
    (registry.root / "metadata.json").rmdir()
    (registry.root / "metadata.json").write_text('{"schema": 2}')
    with pytest.raises(RegistryError, match="newer than this version reads") as newer:
        registry.entries()
    assert "upgrade" in newer.value.next_step


def test_sixteen_processes_get_sixteen_versions(
    registry: Registry, crop_bundle: Any, script: Callable[..., list[str]]
) -> None:
    command = script(registry.workspace.root, crop_bundle.folder, "at_once", 16)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=200, check=True)
    said = [line.split() for line in done.stdout.splitlines()[1:]]
    versions = [words[1] for words in said]
    wanted = ["v1.0.0", *(f"v1.0.{number}" for number in range(1, 16))]
    assert sorted(versions, key=wanted.index) == wanted
    assert [entry.version for entry in registry.entries()] == wanted
    assert {entry.version: entry.digest for entry in registry.entries()} == {
        words[1]: words[2] for words in said
    }
    assert Counter(one.version for one in registry.index().history) == Counter(wanted)
    found = verify_registry(registry)
    assert (found.versions, found.faults) == (16, ())


def test_a_wish_is_what_was_wished(registry: Registry, crop_bundle: Any) -> None:
    entry = register_bundle(registry, crop_bundle.folder, replace(Wish("1.2.3-rc.1"), by="ada"))
    assert entry.version == "v1.2.3-rc.1"
    assert registry.get("latest").version == "v1.2.3-rc.1"  # there is no other
    register_bundle(registry, crop_bundle.folder, Wish("v1.1.0"))
    assert registry.get("latest").version == "v1.1.0"  # no pre-release


def test_an_index_without_versions_is_read(registry: Registry) -> None:
    write_index(registry.root, Index())
    assert registry.entries() == []
    assert registry.next() == "v1.0.0"
