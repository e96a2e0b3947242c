"""What was collected of a request goes when the request is erased.

A loop keeps media and crops under the ids of their requests, and for a moment a medium under its
name with a dot before it, which stays where a process is killed then. Before a training begins,
what was erased meanwhile is removed, and the data are merged anew without it; each later retraining
removes what was erased since from the loops that are over, too. Erased is what the log has noted so
(:mod:`deepfake_lightning.monitoring.log.erased`), and not what it does not hold: it may have let it
go by its age (``log prune``), or be another log.

Media and crops of a loop that is done stay, as the data that its version was trained on. Those of
one that was refused, or failed for good, go at once (:func:`clear_closed`).
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from deepfake_lightning.errors import StorageError
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.erased import erased_among
from deepfake_lightning.monitoring.log.request_ids import time_of
from deepfake_lightning.retraining.record import Loops
from deepfake_lightning.storage import Workspace

MEDIA, CUT, WHOLE = "media", "cut", "whole"
"""Folders of a loop: media, faces that were cut out of them, and pictures of media that are crops.
"""
_MADE = tuple((made, kind) for made in (CUT, WHOLE) for kind in ("crops", "frames"))


def gone(log: LogDatabase, request_ids: Iterable[str]) -> set[str]:
    """Return those of some requests that the log has noted as erased.

    Raises:
        StorageError: the log could not be read.
    """
    with log.reading() as connection:
        return erased_among(connection, request_ids, hold=False)


def requests_of(folder: Path) -> set[str]:
    """Return the ids of the requests of which a loop's folder holds media."""
    files = {_id_of(path) for path in (folder / MEDIA).glob("*")}
    crops = {path.name for made, kind in _MADE
             for path in (folder / made / kind / "requests").glob("*")}  # fmt: skip
    return {name for name in files | crops if time_of(name) is not None}


def remove(folder: Path, request_ids: Collection[str]) -> int:
    """Remove what a loop's folder holds of some requests; return of how many there was anything.

    Raises:
        StorageError: it cannot be removed.
    """
    number = 0
    try:
        for name in request_ids:
            found = [*(folder / MEDIA).glob(f"{name}*"), *(folder / MEDIA).glob(f".{name}*")]
            files = [path for path in found if _id_of(path) == name]
            places = [folder / made / kind / "requests" / name for made, kind in _MADE]
            there = [place for place in places if place.is_dir()]
            for path in files:
                path.unlink(missing_ok=True)
            for place in there:
                shutil.rmtree(place)
            number += bool(files or there)
    except OSError as error:
        raise StorageError(
            f"media in {folder} cannot be removed: {error.strerror or error}",
            why="they are of somebody who wants them erased",
            next_step="fix permissions there, then run the command again",
        ) from error
    return number


def _id_of(path: Path) -> str:
    """Return the id in the name of a medium, one that was not finished with it."""
    return path.stem.removeprefix(".")


def sweep(workspace: Workspace, log: LogDatabase) -> int:
    """Remove what loops hold of requests that were erased; return how many copies there were.

    Raises:
        StorageError: the log cannot be read, or a file not be removed.
    """
    folders = {path: requests_of(path) for path in Loops(workspace).root.glob("[0-9]*")}
    names = set().union(*folders.values())
    erased = gone(log, names)
    return sum(remove(path, held & erased) for path, held in folders.items())


def forget(workspace: Workspace, request_id: str) -> int:
    """Remove what loops hold of one request, whatever the log knows of it.

    Returns:
        How many loops held something.

    Raises:
        StorageError: it cannot be removed.
    """
    if time_of(request_id) is None:  # no server gave it, and it must not be read as a pattern
        return 0
    return sum(remove(path, [request_id]) for path in Loops(workspace).root.glob("[0-9]*"))


def clear_closed(workspace: Workspace) -> None:
    """Remove media and crops of loops that came to nothing and are not gone on with.

    A version may serve in spite of that. Where another loop started from it, its data stay.

    Raises:
        StorageError: they cannot be removed.
        DataError: the record of a loop is damaged.
    """
    loops = Loops(workspace)
    every = loops.all()
    bases = {one.base for one in every}
    latest = {one.environment: one for one in every}
    for one in every:
        going = one is latest[one.environment] and one.goes_on
        if one.outcome in ("refused", "failed") and not going and one.version not in bases:
            _clear(loops.folder(one.number))


def _clear(folder: Path) -> None:
    try:
        for place in (folder / MEDIA, folder / CUT, folder / WHOLE):
            if place.is_dir():
                shutil.rmtree(place)
    except OSError as error:
        raise StorageError(
            f"media in {folder} cannot be removed: {error.strerror or error}",
            why="nothing is trained on them any more, and they show people",
            next_step="fix permissions there, then run the command again",
        ) from error
