"""Is every version what was registered; and the index anew."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.bundle.checksums import write_sums
from deepfake_lightning.errors import RegistryError
from deepfake_lightning.registry import (
    Registry,
    Wish,
    delete_version,
    register_bundle,
    repair_registry,
    verify_registry,
)
from deepfake_lightning.storage import Workspace


@pytest.fixture
def three(registry: Registry, crop_bundle: Any) -> Registry:
    # The highest is the oldest: a history made anew has to go by time, and not by name.
    for version in ("v1.2.0", "v1.0.0", "v1.1.0"):
        register_bundle(registry, crop_bundle.folder, Wish(version, by="ada"))
    return registry


def faults(registry: Registry) -> dict[str, str]:
    return {one.version: one.what for one in verify_registry(registry).faults}


def test_each_kind_of_damage_is_told(three: Registry, deploy: Callable[..., Path]) -> None:
    assert faults(three) == {}
    (three.folder("v1.0.0") / "model.onnx").write_bytes(b"x")
    (three.folder("v1.1.0") / "MODEL_CARD.md").write_text("# v1.1.0\n")
    write_sums(three.folder("v1.1.0"))
    shutil.rmtree(three.folder("v1.2.0"))
    deploy("production", "v7.0.0")
    found = faults(three)
    assert "model.onnx is damaged" in found["v1.0.0"]
    assert found["v1.1.0"] == "is another bundle than the one that was registered"
    assert found["v1.2.0"] == "its folder is gone"
    assert found["v7.0.0"] == "is deployed in production and not registered"
    assert [one.version for one in verify_registry(three, ["v1.1.0"]).faults] == ["v1.1.0"]


def test_a_folder_that_is_renamed_or_copied_in_is_no_version(
    three: Registry, crop_bundle: Any
) -> None:
    three.folder("v1.2.0").rename(three.folder("v9.0.0"))
    shutil.copytree(crop_bundle.folder, three.folder("v8.0.0"))
    found = faults(three)
    assert "is v1.2.0 by its own record" in found["v9.0.0"]
    assert "was never registered" in found["v8.0.0"]
    assert set(found) == {"v1.2.0", "v8.0.0", "v9.0.0"}
    assert [one.version for one in three.entries()] == ["v1.0.0", "v1.1.0", "v1.2.0"]


@pytest.mark.parametrize("damage", ["lost", "cut", "empty"])
def test_a_lost_index_is_made_anew(three: Registry, damage: str) -> None:
    path, before = three.root / "metadata.json", three.index()
    content = path.read_text()
    if damage == "lost":
        path.unlink()
    else:
        path.write_text(content[: len(content) // 2] if damage == "cut" else "")
    found = repair_registry(three)
    assert found.faults == ()
    assert three.index().entries == before.entries
    assert three.index().history == before.history  # nothing but registrations had been done
    if damage != "lost":
        assert "could not be read" in found.repaired[0]
        aside = next(three.root.glob("metadata.json.damaged-*"))
        assert aside.read_text() in content


def test_a_newer_index_is_not_made_anew(three: Registry) -> None:
    path = three.root / "metadata.json"
    path.write_text('{"schema": 2, "versions": {}, "history": []}')
    with pytest.raises(RegistryError, match="newer"):
        repair_registry(three)
    assert json.loads(path.read_text())["schema"] == 2


def test_repair_lists_what_is_there_and_hides_no_damage(three: Registry) -> None:
    delete_version(three, "v1.1.0", reason="a test")
    shutil.rmtree(three.folder("v1.2.0"))
    (three.folder("v1.0.0") / "model.onnx").write_bytes(b"x")
    found = repair_registry(three)
    assert found.repaired == ("v1.2.0 is not listed any more: its folder is gone",)
    assert [one.version for one in found.faults] == ["v1.0.0"]
    assert [one.version for one in three.entries()] == ["v1.0.0"]
    assert [one.event for one in three.index().history][-2:] == ["delete", "repair"]
    assert repair_registry(three).repaired == ()


def test_repair_does_not_bless_another_bundle(three: Registry, crop_bundle: Any) -> None:
    digest = three.get("v1.1.0").digest
    card = three.folder("v1.1.0") / "MODEL_CARD.md"
    card.write_text("# v1.1.0: never wrong\n")
    write_sums(three.folder("v1.1.0"))
    found = repair_registry(three)
    assert [one.what for one in found.faults] == [
        "is another bundle than the one that was registered"
    ]
    assert three.get("v1.1.0").digest == digest


def test_a_deleted_version_does_not_come_back(
    three: Registry, tmp_path: Path, crop_bundle: Any
) -> None:
    copy = shutil.copytree(three.folder("v1.1.0"), tmp_path / "copy")
    delete_version(three, "v1.1.0", reason="a mistake")
    shutil.copytree(copy, three.folder("v1.1.0"))
    register_bundle(three, crop_bundle.folder)  # a change does not remove it
    assert three.folder("v1.1.0").is_dir()
    for found in (verify_registry(three), repair_registry(three)):
        (fault,) = found.faults
        assert "was deleted on" in fault.what and "is there again" in fault.what
        assert "a new number" in fault.next_step
    assert three.find("v1.1.0") is None
    entry = register_bundle(three, copy, Wish("v1.4.0"))
    assert three.bundle("v1.4.0").digest == entry.digest


def test_another_bundle_does_not_take_the_place_of_one_that_is_gone(
    three: Registry, tmp_path: Path, crop_bundle: Any
) -> None:
    shutil.rmtree(three.folder("v1.1.0"))
    assert len(repair_registry(three).repaired) == 1
    other = Registry(Workspace(tmp_path / "other"))
    register_bundle(other, crop_bundle.folder, Wish("v1.1.0", by="eve"))
    shutil.copytree(other.folder("v1.1.0"), three.folder("v1.1.0"))
    found = repair_registry(three)
    assert found.repaired == ()
    assert [one.what for one in found.faults] == [
        "is another bundle than the one that was registered"
    ]


def kill_at_random(
    registry: Registry, command: Callable[..., list[str]], kills: int, seed: int
) -> tuple[set[str], set[str], dict[str, str]]:
    """Kill processes that register, delete and repair; return the versions whose registration and
    whose deletion they have reported, and the digests of the former.
    """
    chance = random.Random(seed)
    registered, deleted, digests = set(), set(), {}
    for number in range(kills):
        process = subprocess.Popen(
            command(number), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, 0.4))
        process.kill()
        said, fault = process.communicate()
        assert fault == ""
        for words in (line.split() for line in said.splitlines() if line.endswith("") and line):
            if words[0] == "registered" and len(words) == 3:
                registered.add(words[1])
                digests[words[1]] = words[2]
            elif words[0] == "deleted":
                deleted.add(words[1])
        check_whole(registry, registered, deleted, digests)
    return registered, deleted, digests


def check_whole(
    registry: Registry, registered: set[str], deleted: set[str], digests: dict[str, str]
) -> None:
    """No version is lost, half there or doubled, whatever was killed when."""
    index = registry.index()
    assert verify_registry(registry).faults == ()
    gone = {one.version for one in index.history if one.event == "delete"}
    assert deleted <= gone
    assert registered - gone <= index.entries.keys()
    assert not gone & index.entries.keys()
    for event in ("register", "delete"):
        versions = [one.version for one in index.history if one.event == event]
        assert len(versions) == len(set(versions)), f"{event}ed twice"
    for version in registered & index.entries.keys():
        assert index.entries[version].digest.startswith(digests[version])


def test_killed_at_any_moment_nothing_is_lost_half_or_double(
    registry: Registry, crop_bundle: Any, script: Callable[..., list[str]]
) -> None:
    root, folder = registry.workspace.root, crop_bundle.folder
    kill_at_random(registry, lambda seed: script(root, folder, "any", seed), kills=4, seed=1)
    time.sleep(1.1)  # what is younger may be a living process's
    entry = register_bundle(registry, folder, Wish(part="patch"))
    assert registry.bundle(entry.version).digest == entry.digest
    names = {path.name for path in registry.models.iterdir()}
    assert names == registry.index().entries.keys()  # and nothing is left lying about


def test_files_that_a_killed_process_was_writing_are_removed(
    registry: Registry, crop_bundle: Any
) -> None:
    registry.models.mkdir(parents=True)
    left = [
        registry.models / "..deleting-v1.0.0.json.left.unfinished",
        registry.root / ".index.json.left.unfinished",
    ]
    for path in left:
        path.touch()
        os.utime(path, (0, 0))
    register_bundle(registry, crop_bundle.folder, Wish(part="patch"))
    assert not any(path.exists() for path in left)


@pytest.mark.slow
def test_killed_at_fifty_moments(
    registry: Registry, crop_bundle: Any, script: Callable[..., list[str]]
) -> None:
    root, folder = registry.workspace.root, crop_bundle.folder
    done = kill_at_random(registry, lambda seed: script(root, folder, "any", seed), 50, seed=2)
    print(f"registered {len(done[0])}, deleted {len(done[1])}, left {len(registry.entries())}")
    assert len(done[0]) > 20
    assert len(done[1]) > 5


def test_an_empty_workspace_is_whole(tmp_path: Path) -> None:
    empty = Registry(Workspace(tmp_path / "none"))
    assert verify_registry(empty).versions == 0
    assert repair_registry(empty).faults == ()
