"""Does a signature hold: by that key, and of exactly these files?"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deepfake_lightning.bundle import Bundle
from deepfake_lightning.bundle.checksums import SUMS, read_sums
from deepfake_lightning.errors import SignatureError
from deepfake_lightning.registry.keys import PublicKey, signing_library
from deepfake_lightning.registry.signatures import (
    Signature,
    read_signature,
    short,
    signature_files,
)

_WHY = "what no trusted key has signed may be anybody's"


def check_signed(bundle: Bundle, signatures: Path, keys: Sequence[PublicKey]) -> PublicKey:
    """Return the first of the keys that has signed every file of a bundle.

    Args:
        bundle: that was verified.
        signatures: the folder of its signatures.
        keys: that are trusted.

    Raises:
        SignatureError: none has; says what is wrong with each signature that there is.
    """
    version, faults = bundle.record.version or bundle.folder.name, []
    known = {one.id: one for one in keys}
    for path in signature_files(signatures):
        try:
            signature = read_signature(path)
        except SignatureError as error:
            faults.append(error.what)
            continue
        key = known.get(signature.key)
        if key is None:
            names = ", ".join(f"{one.name} ({short(one.id)})" for one in keys)
            faults.append(f"{path.name} is by key {short(signature.key)}, and trusted: {names}")
        elif (fault := check_signature(bundle, signature, key)) is None:
            return key
        else:
            faults.append(f"{path.name}: {fault}")
    raise SignatureError(
        f"{version} is not signed" + (f" by a trusted key: {'; '.join(faults)}" if faults else ""),
        why=_WHY,
        next_step="whoever holds a trusted key looks at it, then: deepfake-lightning registry sign "
        f"{version} --key PRIVATE.pem",
    )


def check_signature(bundle: Bundle, signature: Signature, key: PublicKey) -> str | None:
    """Return what is wrong with a signature of a bundle; None where it holds.

    It holds where the key signed exactly the files that there are, with these contents. The list of
    their hashes is one of them, so that what is read of the bundle later is what was signed.
    """
    sums, digest = read_sums(bundle.folder)
    if digest != bundle.digest:
        return "the bundle has changed since it was opened"
    files = {**sums, SUMS: digest}
    if (other := _difference(signature.files, files)) is not None:
        return f"it is of other files: {other}"
    library = signing_library()
    with tempfile.TemporaryDirectory(prefix="deepfake-signing-") as folder:
        # The bytes that were read, whatever lies at their paths by now.
        public, signed = Path(folder, "key.pub"), Path(folder, "read.sig")
        public.write_bytes(key.pem)
        signed.write_bytes(signature.data)
        try:
            verifier = library.verifying.Config().use_elliptic_key_verifier(public_key=public)
            verifier.set_hashing_config(all_files(library)).verify(bundle.folder, signed)
        except Exception as error:  # its verifiers raise whatever the libraries below them do
            return f"it does not hold ({type(error).__name__}{f': {error}' if str(error) else ''})"
    return None


def all_files(library: Any) -> Any:
    """Return how ``model_signing`` hashes a bundle: every file, and none is left out."""
    hashing = library.hashing.Config().use_file_serialization(
        hashing_algorithm="sha256", allow_symlinks=False
    )
    return hashing.set_ignored_paths(paths=(), ignore_git_paths=False)


def _difference(signed: dict[str, str], files: dict[str, str]) -> str | None:
    names = sorted(
        name for name in signed.keys() | files.keys() if signed.get(name) != files.get(name)
    )
    if not names:
        return None
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
