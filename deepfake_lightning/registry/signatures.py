"""Signatures of versions: where they lie, and what they say they are of.

A version's folder is never changed, so they lie beside the folders:
``registry/signatures/v1.0.0/<key>.sig``, one of each key; ``<key>`` is the start of the SHA-256 of
the public key. Beside a bundle elsewhere they lie in a folder of its name with ``.signatures``.
What is read here is not verified yet: :mod:`deepfake_lightning.registry.trust` does that.
"""

from __future__ import annotations

import base64
import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfake_lightning.errors import SignatureError
from deepfake_lightning.storage import atomic_write

log = logging.getLogger(__name__)

SUFFIX = ".sig"
MOST_BYTES = 1 << 20  # of a signature: a bundle has some twenty files
_BESIDE = ".signatures"
_PREDICATE = "https://model_signing/signature/v1.0"
_KEY = re.compile(r"[0-9a-f]{64}")
_SHOWN = 16  # signs of a key's hash: names of files, words


@dataclass(frozen=True)
class Signature:
    """A signature as it was read: who says so, and of what.

    Attributes:
        path: of the file.
        data: its bytes.
        key: SHA-256 of the public key (PEM) that it names, in hexadecimal.
        files: name -> SHA-256 of all that it is of.
    """

    path: Path
    data: bytes
    key: str
    files: dict[str, str]


def short(key: str) -> str:
    """Return the start of a key's hash, by which people tell keys apart."""
    return key[:_SHOWN]


def signatures_of(root: Path, version: str) -> Path:
    """Return the folder of a version's signatures in a registry."""
    return root / "signatures" / version


def signatures_beside(folder: Path) -> Path:
    """Return the folder of the signatures of a bundle that lies outside of a registry."""
    whole = folder.resolve()  # which has a name, also where it is .
    return whole.with_name(whole.name + _BESIDE)


def signature_files(folder: Path) -> tuple[Path, ...]:
    """Return the files of signatures in a folder, sorted; none where there is no such folder.

    Links are none: they may lead to what is nobody's business elsewhere.
    """
    found = (path for path in folder.glob(f"*{SUFFIX}") if not path.is_symlink())
    return tuple(sorted(path for path in found if path.is_file()))


def read_signature(path: Path) -> Signature:
    """Return what a signature says; whether that is true is not looked at.

    Raises:
        SignatureError: it is none of the OpenSSF model signing format 1.0 by a key.
    """
    return _parse(path, _read(path))


def parse_named(path: Path, data: bytes) -> Signature:
    """Return what a signature says that goes elsewhere or comes from there.

    Args:
        path: where it lies, or is to lie.
        data: of it.

    Raises:
        SignatureError: as :func:`read_signature`, or it is not called as its key asks for.
    """
    one = _parse(path, data)
    if path.name != f"{short(one.key)}{SUFFIX}":
        raise _foreign(path, f"it is by the key {short(one.key)}, and has to be called so")
    return one


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise _foreign(path, error.strerror or str(error)) from error


def _parse(path: Path, data: bytes) -> Signature:
    if len(data) > MOST_BYTES:
        raise _foreign(path, "it is too large")
    try:
        bundle = json.loads(data, object_pairs_hook=_once)
        key = bundle["verificationMaterial"]["publicKey"]["hint"]
        payload = base64.b64decode(bundle["dsseEnvelope"]["payload"], validate=True)
        statement = json.loads(payload, object_pairs_hook=_once)
        if statement["predicateType"] != _PREDICATE:
            raise ValueError(f"it is of the kind {str(statement['predicateType'])[:80]}")
        files = dict(map(_file, statement["predicate"]["resources"]))
        if not _KEY.fullmatch(key):
            raise ValueError("it names no key")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _foreign(path, f"{type(error).__name__}: {str(error)[:120]}") from error
    return Signature(path, data, key, files)


def write_signature(folder: Path, key: str, data: bytes) -> Path:
    """Keep a signature in a folder; an earlier one by the same key is replaced.

    Raises:
        StorageError: the machine refused; what was there before is there still.
    """
    path = folder / f"{short(key)}{SUFFIX}"
    with atomic_write(path) as file:
        file.write(data)
    return path


def whole_signatures(folder: Path) -> tuple[Signature, ...]:
    """Return the signatures in a folder that may go elsewhere: those that can be read, under the
    name of their key. The others stay, and are told.
    """
    found = []
    for path in signature_files(folder):
        try:
            found.append(parse_named(path, _read(path)))
        except SignatureError as error:
            log.warning("%s; it is left there", error.what)
    return tuple(found)


def take_signature(path: Path, data: bytes) -> bool:
    """Keep a signature that comes from elsewhere; return whether it was kept.

    It is not where it cannot be read or is called otherwise than its key, or where one that can be
    read is there: a good one is never lost to what lies elsewhere.

    Args:
        path: where it is to lie.
        data: of it.

    Raises:
        StorageError: the machine refused; what was there before is there still.
    """
    try:
        parse_named(path, data)
    except SignatureError as error:
        log.warning("%s; it is not taken", error.what)
        return False
    try:
        parse_named(path, _read(path))
    except SignatureError:
        with atomic_write(path) as file:
            file.write(data)
        return True
    return False


def copy_signatures(source: Path, target: Path) -> None:
    """Copy signatures, each whole or not at all, as :func:`take_signature` takes them.

    Raises:
        StorageError: the machine refused.
    """
    for one in whole_signatures(source):
        take_signature(target / one.path.name, one.data)


def _file(resource: Any) -> tuple[str, str]:
    if resource["algorithm"] != "sha256":
        raise ValueError(f"hashes are {str(resource['algorithm'])[:20]}")
    return resource["name"], resource["digest"]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that is there twice: two readers might not read the same one."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _foreign(path: Path, fault: str) -> SignatureError:
    return SignatureError(
        f"{path} is no signature by a key that could be read: {fault}",
        why="signatures are of the OpenSSF model signing format 1.0",
        next_step="sign the version again: deepfake-lightning registry sign VERSION --key FILE",
    )
