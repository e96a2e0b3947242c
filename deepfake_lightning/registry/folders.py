"""The folders below ``models/``: versions, what is on its way in, and what is on its way out."""

from __future__ import annotations

import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from deepfake_lightning.errors import StorageError
from deepfake_lightning.schemas.version_names import canonical, is_version
from deepfake_lightning.storage import remove_unfinished
from deepfake_lightning.temporary import remove_abandoned, temporary_folder

_ARRIVING, _LEAVING = ".registering-", ".deleted-"


def version_folders(models: Path) -> set[str]:
    """Return the names of all folders that are called as versions are.

    Raises:
        StorageError: the machine refused.
    """
    try:
        with os.scandir(models) as found:
            names = [one.name for one in found if one.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise StorageError(
            f"{models} cannot be read: {error.strerror or error}",
            next_step="fix permissions there, or name another workspace",
        ) from error
    return {name for name in names if is_version(name) and canonical(name) == name}


def staging(models: Path) -> AbstractContextManager[Path]:
    """Give a folder in which a version is made; what is still in it at the end is removed.

    Raises:
        StorageError: no folder can be made there.
    """
    return temporary_folder(_ARRIVING, models)


def deleted_folder(models: Path, version: str) -> Path:
    """Return what a version's folder is called from the moment it is deleted."""
    return models / f"{_LEAVING}{version}"


def remove_leftovers(models: Path) -> None:
    """Remove what killed processes left; what a living one works on stays.

    Call it with the registry locked: what is being deleted is not locked on its own.
    """
    for folder in models.glob(f"{_LEAVING}*"):
        if folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)
    remove_abandoned(_ARRIVING, models)
    for folder in (models, models.parent):  # intents to delete, and the index
        remove_unfinished(folder)


def copy_bundle(source: Path, target: Path, names: list[str]) -> None:
    """Copy files of a bundle so that they survive a power cut.

    Raises:
        StorageError: the machine refused.
    """
    try:
        for name in names:
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with (source / name).open("rb") as reading, path.open("wb") as writing:
                shutil.copyfileobj(reading, writing, 1 << 20)
                writing.flush()
                os.fsync(writing.fileno())
    except OSError as error:
        raise StorageError(
            f"{source} could not be copied to {target}: {error.strerror or error}",
            why="nothing was left behind",
            next_step="free space or fix permissions there, then run the command again",
        ) from error
