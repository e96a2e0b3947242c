"""Which detector a command works with: a bundle, a checkpoint, or a registered version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_lightning.errors import UsageError
from deepfake_lightning.storage import Workspace

if TYPE_CHECKING:
    from deepfake_lightning.bundle import Bundle


def check_one(**given: str | None) -> None:
    """Refuse none of several flags, or more than one of them.

    Raises:
        UsageError: says which there are.
    """
    named = [f"--{name}" for name, value in given.items() if value is not None]
    if len(named) != 1:
        flags = [f"--{name}" for name in given]
        raise UsageError(
            f"{' and '.join(named)} name two detectors" if named else "no detector is named",
            next_step=f"pass one of {', '.join(flags)}",
        )


def registered_bundle(version: str, workspace: str | None) -> Bundle:
    """Return the bundle of a version, or of the one that serves in an environment: verified.

    Raises:
        UsageError: there is no such version.
        RegistryError, BundleError: it is not what was registered.
    """
    from deepfake_lightning.registry import Registry

    return Registry(Workspace.find(workspace)).bundle(version)


def path_of(name: str | None) -> Path | None:
    """Return a flag's path, None where it was not given."""
    return None if name is None else Path(name)
