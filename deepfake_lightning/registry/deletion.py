"""A version is removed: never what is deployed, and never what that was made from."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from deepfake_lightning.errors import RegistryError, StorageError, UsageError
from deepfake_lightning.registry.aliases import deployed, read_environments
from deepfake_lightning.registry.folders import deleted_folder
from deepfake_lightning.registry.record import Change, Entry
from deepfake_lightning.registry.registering import locked, note_done, now, user
from deepfake_lightning.registry.signatures import signatures_of
from deepfake_lightning.registry.state import forget_intents, note_intent
from deepfake_lightning.registry.store import Registry
from deepfake_lightning.schemas.version_names import canonical
from deepfake_lightning.storage import sync_folder


def delete_version(registry: Registry, name: str, *, reason: str, by: str | None = None) -> Change:
    """Delete a version; its number is never given again, and the history keeps who did it and why.

    The rename of its folder is the moment at which it is gone.

    Args:
        registry: of the workspace.
        name: of the version; no alias, which could mean another one by the time it is carried out.
        reason: why.
        by: who; None: the user of this process.

    Raises:
        UsageError: there is no such version, or no reason.
        RegistryError: it is deployed, or an ancestor of what is.
        StorageError: the machine refused.
    """
    version = canonical(name)
    if not reason.strip():
        raise UsageError(
            "a version is deleted for a reason", why="the history keeps it",
            next_step='pass one: --reason "trained on clips without a licence"',
        )  # fmt: skip
    with locked(registry) as index:
        entry = registry.get(version)
        environments = read_environments(registry.workspace.environments)
        _refuse_needed(version, deployed(environments), index.entries)
        change = Change(
            at=now(), event="delete",
            version=version, digest=entry.digest, by=by or user(), reason=reason.strip(),
            parent=entry.registration.parent,
        )  # fmt: skip
        place, gone = registry.folder(version), deleted_folder(registry.models, version)
        note_intent(registry.models, change)
        try:
            if place.exists():
                place.rename(gone)
                sync_folder(registry.models)
        except OSError as error:
            forget_intents(registry.models)
            raise StorageError(
                f"{place} could not be removed: {error.strerror or error}",
                why="nothing was changed", next_step="fix permissions there",
            ) from error  # fmt: skip
        note_done(registry, index.without(change), f"{version} is deleted")
        shutil.rmtree(gone, ignore_errors=True)
        shutil.rmtree(signatures_of(registry.root, version), ignore_errors=True)
    return change


def ancestors(version: str, entries: Mapping[str, Entry]) -> list[str]:
    """Return the versions that a version was made from, the nearest first."""
    found: list[str] = []
    at = entries.get(version)
    while at is not None and (parent := at.registration.parent) and parent not in found:
        found.append(parent)
        at = entries.get(parent)
    return found


def _refuse_needed(version: str, where: Mapping[str, str], entries: Mapping[str, Entry]) -> None:
    if version in where:
        raise RegistryError(
            f"{version} is deployed in {where[version]}",
            why="what answers requests cannot be taken away",
            next_step="deploy another version there first",
        )
    for serving, place in where.items():
        if version in ancestors(serving, entries):
            raise RegistryError(
                f"{version} is an ancestor of {serving}, which is deployed in {place}",
                why="what serves could not be explained, or rolled back, without it",
                next_step="keep it as long as that version serves",
            )
