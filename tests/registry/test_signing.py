"""Signatures hold for one key and exactly the files that there are."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.bundle.checksums import write_sums
from deepfake_lightning.errors import BundleError, RegistryError, SignatureError, UsageError
from deepfake_lightning.registry import Registry, Wish, delete_version, register_bundle
from deepfake_lightning.registry.exporting import export_version
from deepfake_lightning.registry.keys import read_public_key
from deepfake_lightning.registry.signature_check import check_signed
from deepfake_lightning.registry.signatures import signature_files, signatures_of
from deepfake_lightning.registry.signing import sign_version
from deepfake_lightning.registry.trust import serving_bundle
from deepfake_lightning.registry.verification import verify_registry
from deepfake_lightning.storage import Workspace

MakeKey = Callable[..., tuple[Path, Path]]


@pytest.fixture
def version(registry: Registry, crop_bundle: Any) -> str:
    return register_bundle(registry, crop_bundle.folder).version


def checked(registry: Registry, *publics: Path, version: str = "v1.0.0") -> str:
    """Return the name of the trusted key that has signed a version."""
    bundle = load_bundle(registry.folder(version))
    keys = [read_public_key(one) for one in publics]
    return check_signed(bundle, signatures_of(registry.root, version), keys).name


def refused(registry: Registry, *publics: Path, version: str = "v1.0.0") -> str:
    with pytest.raises(SignatureError) as caught:
        checked(registry, *publics, version=version)
    assert f"registry sign {version}" in caught.value.next_step
    return caught.value.what


def test_a_signature_is_kept_beside_the_version_which_stays_as_it_is(
    registry: Registry, version: str, make_key: MakeKey
) -> None:
    private, public = make_key("ada")
    before = load_bundle(registry.folder(version)).digest
    made = sign_version(registry, version, private)
    assert made.path.parent == registry.root / "signatures" / version
    assert load_bundle(registry.folder(version)).digest == before
    assert verify_registry(registry).faults == ()
    there = {path.relative_to(registry.folder(version)).as_posix()
             for path in registry.folder(version).rglob("*") if path.is_file()}  # fmt: skip
    assert made.files.keys() == there  # every one of them, the list of hashes too
    assert made.key == hashlib.sha256(public.read_bytes()).hexdigest()
    assert checked(registry, public) == "ada.pub"


def test_keys_are_told_apart_and_one_that_is_trusted_is_enough(
    registry: Registry, version: str, make_key: MakeKey
) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    (ada, ada_public), (_, eve_public) = make_key("ada"), make_key("eve")
    ben, ben_public = make_key("ben", ec.SECP384R1())
    assert refused(registry, ada_public) == "v1.0.0 is not signed"
    sign_version(registry, version, ada)
    said = refused(registry, eve_public, ben_public)
    assert "eve.pub" in said and "trusted" in said
    sign_version(registry, version, ben)
    assert checked(registry, eve_public, ben_public) == "ben.pub"
    assert len(signature_files(signatures_of(registry.root, version))) == 2


@pytest.mark.parametrize("name", ["model.safetensors", "registration.json", "preprocess.json"])
@pytest.mark.parametrize("hidden", [False, True], ids=["plain", "list rewritten"])
def test_what_is_changed_does_not_hold(
    registry: Registry, version: str, make_key: MakeKey, name: str, hidden: bool
) -> None:
    private, public = make_key("ada")
    sign_version(registry, version, private)
    folder = registry.folder(version)
    data = (folder / name).read_bytes()
    if name.endswith(".json"):
        (folder / name).write_text(json.dumps(json.loads(data), indent=1))
    else:
        (folder / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    if not hidden:
        with pytest.raises(BundleError, match=name):
            registry.bundle(version)
        return
    write_sums(folder)  # by whoever can write there: the bundle is whole by its own list
    said = refused(registry, public)
    assert "other files" in said and name in said and "SHA256SUMS" in said


def test_a_file_that_is_added_or_taken_away_does_not_hold(
    registry: Registry, version: str, make_key: MakeKey
) -> None:
    private, public = make_key("ada")
    sign_version(registry, version, private)
    folder = registry.folder(version)
    for change, name in ((Path.unlink, "evaluation.json"), (Path.touch, ".gitignore")):
        if name == "evaluation.json" and not (folder / name).exists():
            continue
        change(folder / name)
        if name != ".gitignore":  # which no list of a bundle may name
            write_sums(folder)
            assert name in refused(registry, public)
    with pytest.raises(BundleError, match="gitignore"):
        load_bundle(folder)


def test_the_signature_of_another_version_does_not_hold(
    registry: Registry, version: str, crop_bundle: Any, make_key: MakeKey
) -> None:
    private, public = make_key("ada")
    register_bundle(registry, crop_bundle.folder, Wish("v2.0.0"))
    made = sign_version(registry, version, private)
    other = signatures_of(registry.root, "v2.0.0")
    other.mkdir(parents=True)
    shutil.copy(made.path, other)
    assert "other files" in refused(registry, public, version="v2.0.0")


def edited(data: bytes, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> bytes:
    """Return a signature with another envelope or statement."""
    bundle = json.loads(data)
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    change(bundle, statement)
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    return json.dumps(bundle).encode()


def test_a_signature_that_is_edited_does_not_hold(
    registry: Registry, version: str, crop_bundle: Any, make_key: MakeKey
) -> None:
    (ada, public), (eve, eve_public) = make_key("ada"), make_key("eve")
    made = sign_version(registry, version, ada)
    whole = made.data
    others = sign_version(registry, version, eve)

    def claims_to_be_adas(bundle: dict[str, Any], statement: dict[str, Any]) -> None:
        bundle["verificationMaterial"]["publicKey"]["hint"] = made.key

    def ignores(bundle: dict[str, Any], statement: dict[str, Any]) -> None:
        statement["predicate"]["serialization"]["ignore_paths"] = ["model.onnx"]

    def another_kind(bundle: dict[str, Any], statement: dict[str, Any]) -> None:
        statement["predicateType"] = "https://model_signing/Digests/v0.1"

    others.path.unlink()
    for data, said in (
        (edited(others.data, claims_to_be_adas), "does not hold"),
        (edited(whole, ignores), "does not hold"),
        (edited(whole, another_kind), "of the kind"),
        (whole.replace(b'"dsseEnvelope"', b'"dsseEnvelope": {}, "dsseEnvelope"'), "twice"),
        (whole[:-40], "no signature"),
        (b"[]", "no signature"),
        (b"", "no signature"),
        (b"{" * 100_000, "no signature"),
        (b" " * (2 << 20), "too large"),
    ):
        made.path.write_bytes(data)
        assert said in refused(registry, public, eve_public)
    made.path.write_bytes(whole)
    assert checked(registry, public) == "ada.pub"


def test_signatures_leave_and_come_back_with_the_version(
    registry: Registry, version: str, make_key: MakeKey, ask_signed: Any, tmp_path: Path
) -> None:
    private, public = make_key("ada")
    sign_version(registry, version, private)
    export_version(registry, version, tmp_path / "out" / "bundle")
    export_version(registry, version, tmp_path / "v1.tar.gz")
    with tarfile.open(tmp_path / "v1.tar.gz") as archive:
        archive.extractall(tmp_path / "in", filter="data")
        assert {(one.uid, one.uname) for one in archive.getmembers()} == {(0, "")}
    for number, folder in enumerate((tmp_path / "out/bundle", tmp_path / "in/v1.0.0")):
        elsewhere = Registry(Workspace(tmp_path / f"elsewhere{number}"))
        ask_signed(elsewhere.workspace, public)
        register_bundle(elsewhere, folder)
        assert serving_bundle(elsewhere, version, "production").record.version == version
    renamed = register_bundle(elsewhere, folder, Wish("v3.0.0"))  # other bytes: nobody signed them
    with pytest.raises(SignatureError, match=r"v3\.0\.0 is not signed"):
        serving_bundle(elsewhere, renamed.version, "production")


def test_only_whole_signatures_go_along(
    registry: Registry, version: str, make_key: MakeKey, tmp_path: Path
) -> None:
    mine = sign_version(registry, version, make_key("ada")[0])
    folder = mine.path.parent
    (tmp_path / "secret").write_bytes(mine.data)
    (folder / f"{'ab' * 8}.sig").symlink_to(tmp_path / "secret")
    (folder / f"{'cd' * 8}.sig").write_bytes(b" " * (2 << 20))
    (folder / f"{'ef' * 8}.sig").write_bytes(mine.data)  # another key's name
    export_version(registry, version, tmp_path / "out")
    export_version(registry, version, tmp_path / "v1.tar")
    assert [path.name for path in (tmp_path / "out.signatures").iterdir()] == [mine.path.name]
    with tarfile.open(tmp_path / "v1.tar") as archive:
        signed = [one for one in archive.getnames() if one.endswith(".sig")]
    assert signed == [f"v1.0.0.signatures/{mine.path.name}"]


def test_what_is_deleted_takes_its_signatures_along(
    registry: Registry, version: str, make_key: MakeKey
) -> None:
    made = sign_version(registry, version, make_key("ada")[0])
    delete_version(registry, version, reason="a test")
    assert not made.path.exists()


def test_keys_with_a_password(registry: Registry, version: str, make_key: MakeKey) -> None:
    hidden, public = make_key("ada", password="correct horse")
    for password, said in ((None, "asks for a password"), ("wrong", "password is another")):
        with pytest.raises(UsageError, match=said) as caught:
            sign_version(registry, version, hidden, password)
        assert "DEEPFAKE_SIGNING_PASSWORD" in caught.value.next_step
        assert "wrong" not in str(caught.value)
    with pytest.raises(UsageError, match="has no password"):
        sign_version(registry, version, make_key("ben")[0], "any")
    assert not (registry.root / "signatures").exists()
    sign_version(registry, version, hidden, "correct horse")
    assert checked(registry, public) == "ada.pub"


def test_keys_that_are_none_are_told(
    registry: Registry, version: str, make_key: MakeKey, tmp_path: Path
) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    private, public = make_key("ada")
    with pytest.raises(UsageError, match="is a private key"):
        read_public_key(private)
    with pytest.raises(UsageError, match="cannot be read"):
        read_public_key(tmp_path / "gone.pub")
    _, koblitz = make_key("koblitz", ec.SECP256K1())
    with pytest.raises(UsageError, match="no public key on a curve"):
        read_public_key(koblitz)
    with pytest.raises(UsageError, match="no private key"):
        sign_version(registry, version, public)
    with pytest.raises(UsageError, match="cannot be read"):
        sign_version(registry, version, tmp_path / "gone.pem")


def test_nothing_damaged_is_signed_and_no_alias(
    registry: Registry, version: str, make_key: MakeKey
) -> None:
    private, _ = make_key("ada")
    with pytest.raises(UsageError):
        sign_version(registry, "latest", private)
    (registry.folder(version) / "preprocess.json").write_text("{}")
    with pytest.raises((BundleError, RegistryError)):
        sign_version(registry, version, private)
    assert not (registry.root / "signatures").exists()


def test_without_the_extra_it_is_named(
    registry: Registry, version: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "model_signing", None)
    (tmp_path / "any.pem").write_text("-----BEGIN PRIVATE KEY-----")
    with pytest.raises(UsageError) as caught:
        sign_version(registry, version, tmp_path / "any.pem")
    assert "deepfake-lightning[signing]" in caught.value.next_step


@pytest.mark.slow
def test_the_format_is_the_standards(registry: Registry, version: str, make_key: MakeKey) -> None:
    """The program of the standard verifies ours, and we verify what it has signed."""
    import subprocess

    private, public = make_key("ada")
    made = sign_version(registry, version, private)
    folder = registry.folder(version)
    program = [sys.executable, "-m", "model_signing"]
    ours = [*program, "verify", "key", str(folder), "--signature", str(made.path),
            "--public_key", str(public), "--no-ignore-git-paths"]  # fmt: skip
    subprocess.run(ours, check=True, capture_output=True)
    made.path.unlink()
    theirs = [*program, "sign", "key", str(folder), "--signature", str(made.path),
              "--private_key", str(private)]  # fmt: skip
    subprocess.run(theirs, check=True, capture_output=True)
    assert checked(registry, public) == "ada.pub"
