"""What versions are called by what they do: read from the environments' files, and kept nowhere."""

from __future__ import annotations

from pathlib import Path

from deepfake_lightning.errors import UsageError
from deepfake_lightning.schemas.calibration import percent
from deepfake_lightning.schemas.environment import (
    ENVIRONMENTS,
    EnvironmentRecord,
    read_environment,
)


def read_environments(folder: Path) -> dict[str, EnvironmentRecord]:
    """Return what is deployed, by environment: staging and production, then any other.

    Args:
        folder: ``deployment/config`` of the workspace; without it nothing is deployed.

    Raises:
        UsageError: a file cannot be read.
    """
    stems = {path.stem for path in folder.glob("*.json") if not path.name.startswith(".")}
    others = sorted(stems - set(ENVIRONMENTS))
    return {name: read_environment(folder / f"{name}.json") for name in [*ENVIRONMENTS, *others]}


def aliases_of(environments: dict[str, EnvironmentRecord]) -> dict[str, tuple[str, ...]]:
    """Return version -> where it serves: ``production``, ``production 25 %``, ``... shadow``."""
    found: dict[str, list[str]] = {}
    for name, record in environments.items():
        for one in record.serving:
            whole = len(record.serving) == 1
            said = name if whole else f"{name} {percent(one.share)}"
            found.setdefault(one.version, []).append(said)
        for version in record.shadow:
            found.setdefault(version, []).append(f"{name} shadow")
    return {version: tuple(said) for version, said in found.items()}


def deployed(environments: dict[str, EnvironmentRecord]) -> dict[str, str]:
    """Return version -> the environments in which it is deployed."""
    found: dict[str, list[str]] = {}
    for name, record in environments.items():
        for version in record.versions:
            found.setdefault(version, []).append(name)
    return {version: " and ".join(names) for version, names in found.items()}


def version_serving(name: str, record: EnvironmentRecord) -> str:
    """Return the one version that answers in an environment.

    Raises:
        UsageError: none does, or several do.
    """
    versions = [one.version for one in record.serving]
    if len(versions) == 1:
        return versions[0]
    if not versions:
        raise UsageError(
            f"nothing is deployed in {name}",
            next_step="name a version; `deepfake-lightning registry list` shows them",
        )
    raise UsageError(
        f"{' and '.join(versions)} share the traffic of {name}",
        why="the scores of one would pass for those of the other",
        next_step="name one of them",
    )
