"""Versions in an object storage."""

from __future__ import annotations

import json
import uuid

import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.errors import BundleError, DataError, RegistryError, UsageError
from deepfake_lightning.object_storage import open_place
from deepfake_lightning.registry import Registry, Wish, register_bundle
from deepfake_lightning.registry.sharing import pull_version, push_version, remote_versions
from deepfake_lightning.registry.signatures import signatures_of
from deepfake_lightning.storage import Workspace


@pytest.fixture
def url():
    return f"memory://{uuid.uuid4().hex}/registry"


@pytest.fixture
def elsewhere(tmp_path):
    return Registry(Workspace(tmp_path / "elsewhere"))


@pytest.fixture
def pushed(registry, crop_bundle, url):
    entry = register_bundle(registry, crop_bundle.folder, Wish(reason="the first", by="ada"))
    push_version(registry, "v1.0.0", url)
    return entry


def test_a_version_comes_as_it_was_registered(registry, pushed, elsewhere, url):
    found = pull_version(elsewhere, "v1.0.0", url, by="bob")
    assert found.digest == pushed.digest == elsewhere.bundle("v1.0.0").digest
    assert elsewhere.get("v1.0.0").registration == pushed.registration
    (change,) = elsewhere.index().history
    assert (change.by, "pulled from memory://" in change.reason) == ("bob", True)
    assert pull_version(elsewhere, "v1.0.0", url).fetched == 0
    assert push_version(elsewhere, "v1.0.0", url).was_there
    assert not list((elsewhere.root / ".pulled").iterdir())


def test_what_versions_share_is_sent_once(registry, pushed, crop_bundle, url):
    register_bundle(registry, crop_bundle.folder, Wish(version="v1.1.0"))
    made = push_version(registry, "v1.1.0", url)
    names = {one.path for one in made.files.items}
    assert made.sent < len(names)  # the network is the same, the card is another
    assert remote_versions(open_place(url)) == ["v1.0.0", "v1.1.0"]


def test_two_bundles_of_one_name_are_told(registry, pushed, elsewhere, crop_bundle, url):
    register_bundle(elsewhere, crop_bundle.folder, Wish(version="v1.0.0", reason="another"))
    with pytest.raises(UsageError, match=r"has another v1.0.0 already"):
        push_version(elsewhere, "v1.0.0", url)
    with pytest.raises(RegistryError, match=r"is another bundle than v1.0.0 here"):
        pull_version(elsewhere, "v1.0.0", url)
    assert elsewhere.index().history[-1].reason == "another"


def test_signatures_go_along_also_later(registry, pushed, elsewhere, url):
    pull_version(elsewhere, "v1.0.0", url)
    mine = signatures_of(registry.root, "v1.0.0") / f"{'ab' * 8}.sig"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"signed")
    push_version(registry, "v1.0.0", url)
    place = open_place(url)
    place.system.pipe_file(place.path(f"signatures/{pushed.digest}/..sig"), b"odd")
    pull_version(elsewhere, "v1.0.0", url)
    found = signatures_of(elsewhere.root, "v1.0.0")
    assert [(path.name, path.read_bytes()) for path in found.iterdir()] == [(mine.name, b"signed")]


def test_what_was_changed_there_is_not_registered(registry, pushed, elsewhere, url):
    place = open_place(url)
    data = place.system.cat_file(place.path("versions/v1.0.0.list"))
    folder = registry.folder("v1.0.0")
    from deepfake_lightning.object_storage.file_list import item_of, parse

    one = parse(data, "there", "version").item("MODEL_CARD.md")
    path = place.path(one.object_name)
    place.system.pipe_file(path, place.system.cat_file(path).replace(b"deepfake", b"deepfate"))
    with pytest.raises(DataError, match=r"MODEL_CARD.md(.|\n)*SHA-256"):
        pull_version(elsewhere, "v1.0.0", url)
    # With a list that fits: the bundle itself says no.
    (folder.parent / "card").write_bytes(place.system.cat_file(path))
    forged = item_of(folder.parent / "card", "MODEL_CARD.md")
    place.system.pipe_file(place.path(forged.object_name), place.system.cat_file(path))
    place.system.pipe_file(place.path("versions/v1.0.0.list"),
                           data.replace(one.sha256.encode(), forged.sha256.encode()))  # fmt: skip
    with pytest.raises(BundleError, match="MODEL_CARD"):
        pull_version(elsewhere, "v1.0.0", url)
    assert len(elsewhere) == 0


def test_the_commands_take_all_versions(registry, pushed, url, tmp_path, capsys):
    here, there = str(registry.workspace.root), str(tmp_path / "there")
    assert main(["registry", "push", "--url", url, "--workspace", here]) == 0
    assert "v1.0.0: was there already" in capsys.readouterr().out
    assert main(["registry", "pull", "--url", url, "--workspace", there, "--json", "true"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["versions"]
    assert (found["version"], found["digest"]) == ("v1.0.0", pushed.digest)
    assert main(["registry", "pull", "v2.0.0", "--url", url, "--workspace", there]) == 2
    assert "there is no such version" in capsys.readouterr().err
    assert main(["registry", "pull", "--url", f"{url}2", "--workspace", there]) == 2
    assert "there are no versions at" in capsys.readouterr().err
