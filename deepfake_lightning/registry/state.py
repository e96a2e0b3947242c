"""What holds: the folders are the truth, the index lists them, whoever was killed in between."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from deepfake_lightning.bundle.load import read_records
from deepfake_lightning.errors import BundleError
from deepfake_lightning.registry.entries import entry_of, registered
from deepfake_lightning.registry.folders import version_folders
from deepfake_lightning.registry.index import Index, read_index
from deepfake_lightning.registry.record import Change, Entry
from deepfake_lightning.storage import write_json

_INTENT = ".deleting-"


def models_of(root: Path) -> Path:
    """Return the folder of a registry's versions."""
    return root / "models"


def current(root: Path) -> Index:
    """Return the registry's index as it has to be, without writing it.

    A version whose registration was cut short after its folder was in place is registered; one
    whose deletion was cut short after its folder was gone is deleted. All else stays as the file
    says, also where a folder is missing: that is damage, which ``verify`` tells.

    Raises:
        RegistryError: the index is damaged.
    """
    return settled(read_index(root), models_of(root))


def settled(index: Index, models: Path) -> Index:
    """Return an index as it has to be, itself where it is so already; see :func:`current`."""
    there = version_folders(models)
    for intent in intents(models):
        if intent.version in index.entries and intent.version not in there:
            index = index.without(intent)
    unlisted = [_unlisted(index, models / version) for version in there - index.entries.keys()]
    found = [entry for entry in unlisted if entry is not None]
    for entry in sorted(found, key=lambda one: one.registration.registered):
        index = index.with_entry(entry, registered(entry))
    return index


def _unlisted(index: Index, folder: Path) -> Entry | None:
    """Return a version that is there, None where it is no version or was deleted before.

    It was whole when its folder came to be, and is verified whenever it is opened.
    """
    if index.last_change(folder.name) is not None:
        return None
    try:
        return entry_of(read_records(folder))
    except BundleError:
        return None


def intents(models: Path) -> list[Change]:
    """Return the deletions that have begun, with who began them and why."""
    found = []
    for path in sorted(models.glob(f"{_INTENT}*.json")):
        with suppress(OSError, ValueError, ValidationError):
            found.append(Change.model_validate(json.loads(path.read_text("utf-8"))))
    return found


def note_intent(models: Path, change: Change) -> None:
    """Write down that a version is about to be deleted."""
    write_json(_intent_path(models, change.version), change.model_dump(mode="json"))


def forget_intents(models: Path) -> None:
    """Remove the notes of deletions that are over, or that never came to pass."""
    for path in models.glob(f"{_INTENT}*.json"):
        with suppress(OSError):  # another user's: the next one removes it
            path.unlink()


def _intent_path(models: Path, version: str) -> Path:
    return models / f"{_INTENT}{version}.json"
