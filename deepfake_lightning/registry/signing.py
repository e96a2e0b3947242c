"""A version is signed: every file of it, in the OpenSSF model signing format."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from deepfake_lightning.errors import SignatureError, UsageError
from deepfake_lightning.registry.keys import public_half, signing_library
from deepfake_lightning.registry.signature_check import all_files, check_signature
from deepfake_lightning.registry.signatures import (
    Signature,
    read_signature,
    signatures_of,
    write_signature,
)
from deepfake_lightning.registry.store import Registry
from deepfake_lightning.schemas.version_names import canonical


def sign_version(
    registry: Registry, name: str, key: Path, password: str | None = None
) -> Signature:
    """Sign every file of a version, which is verified before; return the signature.

    The version is not changed by that. One signature of each key is kept.

    Args:
        registry: of the workspace.
        name: of the version; no alias, which could mean another one by the time it is signed.
        key: private key, a PEM file: P-256, P-384 or P-521.
        password: of the key.

    Raises:
        UsageError: there is no such version, or the key cannot be used.
        BundleError, RegistryError: the version is not what was registered.
        StorageError: the machine refused; what was signed before is so still.
    """
    version, secret = canonical(name), password.encode() if password else None
    public = public_half(key, secret)
    bundle = registry.bundle(version)
    with tempfile.TemporaryDirectory(prefix="deepfake-signing-") as folder:
        made = Path(folder, "made.sig")
        _sign(bundle.folder, key, secret, made)
        signature = read_signature(made)
    if (fault := check_signature(bundle, signature, public)) is not None:
        raise SignatureError(
            f"{version} was signed, and the signature does not hold: {fault}",
            why="nothing was kept", next_step="run the command again",
        )  # fmt: skip
    path = write_signature(signatures_of(registry.root, version), public.id, signature.data)
    return Signature(path, signature.data, signature.key, signature.files)


def _sign(folder: Path, key: Path, password: bytes | None, out: Path) -> None:
    library = signing_library()
    # It hands the password on to what takes bytes alone.
    given: Any = password
    try:
        signer = library.signing.Config().use_elliptic_key_signer(private_key=key, password=given)
        signer.set_hashing_config(all_files(library)).sign(folder, out)
    except (ValueError, TypeError, OSError) as error:
        raise UsageError(
            f"{folder.name} cannot be signed with {key}: {error}",
            next_step="run the command again; or make another key",
        ) from error
