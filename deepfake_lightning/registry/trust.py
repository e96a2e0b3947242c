"""Which versions may serve: all, or those alone that a trusted key has signed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

from deepfake_lightning.bundle import Bundle, load_bundle
from deepfake_lightning.errors import SignatureError, UsageError
from deepfake_lightning.registry.keys import PublicKey, read_public_key
from deepfake_lightning.registry.signature_check import check_signed
from deepfake_lightning.registry.signatures import signatures_beside, signatures_of
from deepfake_lightning.registry.store import Registry
from deepfake_lightning.registry.verification import Fault
from deepfake_lightning.schemas.environment import ENVIRONMENTS, NAME
from deepfake_lightning.schemas.policy_file import read_policy
from deepfake_lightning.storage import Workspace

FILE = "signing.yaml"
EXAMPLE = "configs/signing.yaml"


class SigningPolicy(BaseModel):
    """Whose signature a version needs before it serves.

    Whoever can write the policy, or the files of the keys, decides what serves: keep them from
    those who write versions.

    Attributes:
        required: whether it needs one.
        keys: files of public keys, PEM; one signature by one of them is enough. Paths are from
            the policy's folder.
        environments: that ask for it; None: all of them. A version that is served by its name,
            or a bundle by its folder, needs one wherever any is asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    required: bool = False
    keys: tuple[str, ...] = ()
    environments: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _has_keys(self) -> SigningPolicy:
        if self.required and not self.keys:
            raise ValueError("required without keys would let nothing through: name one in keys")
        return self

    @model_validator(mode="after")
    def _can_match(self) -> SigningPolicy:
        if self.environments == ():
            raise ValueError("environments is empty, and so asks nowhere: leave it out for all")
        for name in self.environments or ():
            if not NAME.fullmatch(name):
                raise ValueError(f"environments: {name!r} is no name of an environment")
        return self

    def asks(self, environment: str | None) -> bool:
        """Whether what serves there has to be signed; None: it is served by its own name."""
        everywhere = environment is None or self.environments is None
        return self.required and (everywhere or environment in (self.environments or ()))


def policy_of(workspace: Workspace) -> SigningPolicy:
    """Return the policy of a workspace, ``deployment/policy/signing.yaml``; without one all serve.

    Raises:
        UsageError: the file cannot work, or this user may not see whether there is one.
    """
    path = _policy_path(workspace)
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return SigningPolicy()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be looked for: {error.strerror or error}",
            why="without it nobody knows whether what is not signed may serve",
            next_step="let the user of this process read that folder and its files",
        ) from error
    policy = read_policy(path, SigningPolicy, EXAMPLE)
    for name in policy.environments or ():
        _check_there(workspace, name, path)
    return policy


def trusted_keys(workspace: Workspace, policy: SigningPolicy) -> tuple[PublicKey, ...]:
    """Return the keys that a policy trusts.

    Raises:
        UsageError: one cannot be read, or the extra is not installed.
    """
    folder = _policy_path(workspace).parent
    return tuple(read_public_key(folder / one) for one in policy.keys)


def serving_bundle(registry: Registry, name: str, environment: str | None) -> Bundle:
    """Return a version's bundle, verified, with the signature that it needs to serve.

    Args:
        registry: of the workspace, whose policy holds.
        name: of the version, or an alias.
        environment: where it is to serve; None: it is served by its name.

    Raises:
        UsageError: there is no such version; or the policy or a key cannot be read.
        RegistryError, BundleError: it is not what was registered.
        SignatureError: no trusted key has signed it.
    """
    bundle = registry.bundle(name)
    signer_of(registry, bundle, environment)
    return bundle


def signer_of(registry: Registry, bundle: Bundle, environment: str | None) -> PublicKey | None:
    """Return the trusted key by which a version may serve; None where none is asked for.

    Raises:
        UsageError, SignatureError: as :func:`serving_bundle`.
    """
    policy = policy_of(registry.workspace)
    if not policy.asks(environment):
        return None
    keys = trusted_keys(registry.workspace, policy)
    return check_signed(bundle, signatures_of(registry.root, bundle.folder.name), keys)


def loose_bundle(workspace: Workspace, folder: Path) -> Bundle:
    """Return a bundle that lies outside of the registry, with the signature it needs to serve.

    Raises:
        BundleError: it is damaged, changed or foreign.
        UsageError, SignatureError: as :func:`serving_bundle`.
    """
    bundle, policy = load_bundle(folder), policy_of(workspace)
    if policy.asks(None):
        check_signed(bundle, signatures_beside(folder), trusted_keys(workspace, policy))
    return bundle


def unsigned(
    registry: Registry, versions: Sequence[str], keys: Sequence[PublicKey]
) -> tuple[Fault, ...]:
    """Return what is wrong with the signatures of versions, whose files are whole.

    Args:
        registry: of the workspace.
        versions: to look at.
        keys: that are trusted.

    Raises:
        UsageError, RegistryError, BundleError: there is no such version, or it is damaged.
    """
    faults = []
    for version in versions:
        bundle = registry.bundle(version)
        try:
            check_signed(bundle, signatures_of(registry.root, bundle.folder.name), keys)
        except SignatureError as error:
            what = error.what.removeprefix(f"{bundle.folder.name} ")
            faults.append(Fault(bundle.folder.name, what, error.next_step))
    return tuple(faults)


def _check_there(workspace: Workspace, name: str, policy: Path) -> None:
    """Refuse a name that no environment has: one that is misspelt would ask for nothing."""
    record = workspace.environments / f"{name}.json"
    if name not in ENVIRONMENTS and not record.is_file():
        raise UsageError(
            f"{policy}: environments: there is no environment {name}",
            why=f"there are {', '.join(ENVIRONMENTS)}, and those with a file in {record.parent}",
            next_step=f'correct it; or make it first: write {{"schema": 1}} to {record}',
        )


def _policy_path(workspace: Workspace) -> Path:
    return workspace.deployment / "policy" / FILE
