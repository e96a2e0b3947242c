"""``registry sign``, and the keys that ``registry verify`` asks for."""

from __future__ import annotations

import getpass
import os
import sys
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from deepfake_lightning.cli.paths import near
from deepfake_lightning.cli.printable import say
from deepfake_lightning.errors import UsageError
from deepfake_lightning.storage import Workspace

if TYPE_CHECKING:
    from deepfake_lightning.registry.keys import PublicKey


def sign(
    version: str, key: str | None = None, workspace: str | None = None, json: bool = False
) -> None:
    """Sign every file of a version with your private key; the version itself is not changed.

    A key: `openssl ecparam -name prime256v1 -genkey -noout -out key.pem`; its public half, which
    others verify with: `openssl ec -in key.pem -pubout -out key.pub`. A key with a password asks
    for it in a terminal, or takes it from the variable DEEPFAKE_SIGNING_PASSWORD. The format is
    that of OpenSSF model signing 1.0: the program model_signing verifies it, too.

    Args:
        version: its name; no alias.
        key: your private key, a PEM file (P-256, P-384 or P-521).
        workspace: where the workspace is (default: mlops).
        json: print the signature's place as JSON, and nothing else.
    """
    from deepfake_lightning.registry import Registry
    from deepfake_lightning.registry.signatures import short
    from deepfake_lightning.registry.signing import sign_version
    from deepfake_lightning.registry.trust import policy_of

    if key is None:
        raise UsageError("no key is named to sign with", next_step="pass --key PRIVATE.pem")
    registry = Registry(Workspace.find(workspace))
    made = sign_version(registry, version, Path(key), _password(Path(key)))
    name = made.path.parent.name
    if json:
        record = {"version": name, "key": made.key, "signature": str(made.path),
                  "files": len(made.files)}  # fmt: skip
        sys.stdout.write(dumps(record) + "\n")
        return
    asks = policy_of(registry.workspace).required
    say(
        Console(),
        [f"{name}: {len(made.files)} files are signed by key {short(made.key)}",
         f"signature: {near(made.path)}",
         f"next: deepfake-lightning deploy {name} --env staging" if asks else
         "to let only signed versions serve: configs/signing.yaml, as "
         f"{near(registry.workspace.deployment / 'policy/signing.yaml')}"],
    )  # fmt: skip


def verifying_keys(workspace: Workspace, file: str | None) -> tuple[PublicKey, ...]:
    """Return the public key that is named, or those of the workspace's policy.

    Raises:
        UsageError: there are none, or one cannot be read.
    """
    from deepfake_lightning.registry.keys import read_public_key
    from deepfake_lightning.registry.trust import policy_of, trusted_keys

    if file:
        return (read_public_key(Path(file)),)
    keys = trusted_keys(workspace, policy_of(workspace))
    if not keys:
        raise UsageError(
            "no key is trusted here",
            why="a signature is worth what its key is",
            next_step="pass --key PUBLIC.pem, or name keys in deployment/policy/signing.yaml",
        )
    return keys


def _password(key: Path) -> str | None:
    from deepfake_lightning.registry.keys import PASSWORD_VARIABLE, is_encrypted

    if (given := os.environ.get(PASSWORD_VARIABLE)) is not None:
        return given or None
    if is_encrypted(key) and sys.stdin.isatty():
        return getpass.getpass(f"password of {key}: ")
    return None
