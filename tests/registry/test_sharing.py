"""Versions in an object storage."""

from __future__ import annotations

import json
import uuid

import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.errors import (
    BundleError,
    DataError,
    RegistryError,
    StorageError,
    UsageError,
)
from deepfake_lightning.object_storage import open_place, pull
from deepfake_lightning.registry import (
    Registry,
    Wish,
    delete_version,
    register_bundle,
    sharing,
)
from deepfake_lightning.registry.sharing import pull_version, push_version, remote_versions
from deepfake_lightning.registry.signatures import signatures_of
from deepfake_lightning.registry.signing import sign_version
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


def test_signatures_go_along_also_later(registry, pushed, elsewhere, url, make_key):
    pull_version(elsewhere, "v1.0.0", url)
    mine = sign_version(registry, "v1.0.0", make_key("ada")[0])
    push_version(registry, "v1.0.0", url)
    place = open_place(url)
    for name, data in (("..sig", mine.data), (f"{'ab' * 8}.sig", b""), ("cd.sig", b"odd")):
        place.system.pipe_file(place.path(f"signatures/{pushed.digest}/{name}"), data)
    pull_version(elsewhere, "v1.0.0", url)
    found = signatures_of(elsewhere.root, "v1.0.0")
    assert {path.name: path.read_bytes() for path in found.iterdir()} == {mine.path.name: mine.data}


def test_a_good_signature_is_never_replaced(registry, pushed, elsewhere, url, make_key):
    private, _ = make_key("ada")
    mine = sign_version(registry, "v1.0.0", private)
    place = open_place(url)
    there = place.path(f"signatures/{pushed.digest}/{mine.path.name}")
    for bad in (b"", b"{}"):
        place.system.pipe_file(there, bad)
        pull_version(registry, "v1.0.0", url)
        assert mine.path.read_bytes() == mine.data
    push_version(registry, "v1.0.0", url)  # which puts right what cannot be read
    assert place.system.cat_file(there) == mine.data
    mine.path.write_bytes(b"torn")
    push_version(registry, "v1.0.0", url)
    assert place.system.cat_file(there) == mine.data
    pull_version(registry, "v1.0.0", url)
    assert mine.path.read_bytes() == mine.data
    again = sign_version(registry, "v1.0.0", private)
    push_version(registry, "v1.0.0", url)
    assert place.system.cat_file(there) == mine.data != again.data
    push_version(registry, "v1.0.0", url, resend=True)
    assert place.system.cat_file(there) == again.data


@pytest.mark.parametrize("inner", [False, True], ids=["moved", "renamed in the list"])
def test_a_list_of_another_version_is_not_taken(registry, pushed, elsewhere, url, inner):
    place = open_place(url)
    data = place.system.cat_file(place.path("versions/v1.0.0.list"))
    data = data.replace(b"v1.0.0", b"v2.0.0", 1) if inner else data
    place.system.pipe_file(place.path("versions/v2.0.0.list"), data)
    with pytest.raises(DataError, match=r"v2\.0\.0\.list is of another version: 'v1\.0\.0'"):
        pull_version(elsewhere, "v2.0.0", url)
    assert len(elsewhere) == 0


def test_versions_whose_names_are_taken_are_left(
    registry, pushed, elsewhere, crop_bundle, url, capsys, monkeypatch
):
    for version in ("v1.1.0", "v1.2.0", "v1.3.0"):
        register_bundle(registry, crop_bundle.folder, Wish(version, reason="there"))
        push_version(registry, version, url)
    for version in ("v1.1.0", "v1.2.0"):
        register_bundle(elsewhere, crop_bundle.folder, Wish(version, reason="here"))
    delete_version(elsewhere, "v1.1.0", reason="it was wrong")
    came = []
    monkeypatch.setattr(sharing, "pull", lambda place, files, *args, **more: (
        came.append(files.name), pull(place, files, *args, **more))[1])  # fmt: skip
    flags = ["registry", "pull", "--url", url, "--workspace", str(elsewhere.workspace.root)]
    assert main(flags) == 0
    said = capsys.readouterr().out
    assert "v1.1.0: left, v1.1.0 was deleted" in said and "v1.2.0: left, " in said
    assert "v1.0.0: registered" in said and "v1.3.0: registered" in said
    assert came == ["v1.0.0", "v1.3.0"]  # what cannot be registered is not fetched
    assert main([*flags, "--json", "true"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["was_here"] for one in found["versions"]] == [True, True]
    assert list(found["left"]) == ["v1.1.0", "v1.2.0"]
    assert main([*flags, "v1.1.0"]) == 2  # which was asked for


def test_what_was_fetched_is_kept_until_it_is_registered(
    registry, pushed, elsewhere, url, monkeypatch
):
    def full(*args):
        raise StorageError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(sharing, "register_bundle", full)
        with pytest.raises(StorageError):
            pull_version(elsewhere, "v1.0.0", url)
    found = pull_version(elsewhere, "v1.0.0", url)
    assert (found.fetched, found.was_here) == (0, False)
    assert not list((elsewhere.root / ".pulled").iterdir())


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
