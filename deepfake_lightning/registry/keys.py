"""Keys that versions are signed and verified with: elliptic curves, PEM."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfake_lightning.errors import UsageError

PASSWORD_VARIABLE = "DEEPFAKE_SIGNING_PASSWORD"
NEW_KEY = "openssl ecparam -name prime256v1 -genkey -noout -out key.pem"
_PUBLIC_HALF = "openssl ec -in key.pem -pubout -out key.pub"
_CURVES = "P-256, P-384 and P-521 are, as PEM"
_MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class PublicKey:
    """A key that signatures are verified with.

    Attributes:
        name: of its file, for people.
        pem: the key, as the standard writes it: SubjectPublicKeyInfo.
    """

    name: str
    pem: bytes

    @property
    def id(self) -> str:
        """Its SHA-256, in hexadecimal: what signatures call it."""
        return hashlib.sha256(self.pem).hexdigest()


def signing_library() -> Any:
    """Return ``model_signing`` with the parts that are used.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import model_signing.hashing
        import model_signing.signing
        import model_signing.verifying
    except ImportError as error:
        raise UsageError(
            f"signatures need what is not installed: {error.name or error}",
            why="without it none can be made or verified, and what is not verified does not serve",
            next_step="pip install 'deepfake-lightning[signing]'",
        ) from error
    return model_signing


def read_public_key(path: Path) -> PublicKey:
    """Return a public key.

    Raises:
        UsageError: it is not there, or of another kind; or the extra is not installed.
    """
    signing_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    data = _read(path)
    if b"PRIVATE KEY" in data:
        raise UsageError(
            f"{path} is a private key",
            why="who verifies needs the public one; the private one is for nobody but who signs",
            next_step=_PUBLIC_HALF,
        )
    try:
        return PublicKey(path.name, _pem(load_pem_public_key(data)))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"{path} is no public key on a curve that is known", why=_CURVES,
            next_step=_PUBLIC_HALF,
        ) from error  # fmt: skip


def is_encrypted(path: Path) -> bool:
    """Whether a private key asks for a password.

    Raises:
        UsageError: the file cannot be read.
    """
    return b"ENCRYPTED" in _read(path)


def public_half(path: Path, password: bytes | None) -> PublicKey:
    """Return the public key of a private one.

    Raises:
        UsageError: the file is no such key, or the password does not open it.
    """
    signing_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _read(path)
    try:
        return PublicKey(path.name, _pem(load_pem_private_key(data, password).public_key()))
    except TypeError as error:
        wants = password is None
        raise UsageError(
            f"the key {path} {'asks for a password' if wants else 'has no password'}",
            next_step=f"set {PASSWORD_VARIABLE}, or run the command in a terminal, where it asks"
            if wants
            else f"unset {PASSWORD_VARIABLE}",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"{path} is no private key on a curve that is known, or the password is another",
            why=_CURVES,
            next_step=f"check {PASSWORD_VARIABLE}; a new key: {NEW_KEY}",
        ) from error


def _pem(key: Any) -> bytes:
    """Return a public key as the standard writes it.

    Raises:
        ValueError: it is on no curve that is known.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    curves = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, curves):
        raise ValueError("another kind of key, or another curve")
    pem: bytes = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError as error:
        raise UsageError(
            f"the key {path} cannot be read: {error.strerror or error}",
            next_step=f"check the path; a new key: {NEW_KEY}",
        ) from error
