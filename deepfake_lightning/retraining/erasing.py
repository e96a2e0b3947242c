"""What was collected of a request goes when the request is erased.

A loop keeps media and crops under the ids of their requests. Before a training begins, what is no
longer in the log is removed, and the data are merged anew without it; each later look removes what
was erased since from the loops that are over, too. What the log has let go by its age alone
(``log prune``) is not erased: of that the log cannot tell, and :func:`forget` removes it by its id.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from sqlalchemy import select

from deepfake_lightning.errors import StorageError
from deepfake_lightning.monitoring.log.database import LogDatabase
from deepfake_lightning.monitoring.log.request_ids import time_of
from deepfake_lightning.monitoring.log.tables import log_state, requests
from deepfake_lightning.retraining.record import Loops
from deepfake_lightning.storage import Workspace

MEDIA, CUT = "media", "cut"
_AT_A_TIME = 500  # SQLite allows a statement 999 parameters, or more


def gone(log: LogDatabase, request_ids: Iterable[str], *, erased_only: bool = False) -> set[str]:
    """Return those of some requests that the log does not hold any more.

    Args:
        log: of the requests.
        request_ids: of which.
        erased_only: leave out those that are so old that pruning may have removed them.

    Raises:
        StorageError: the log could not be read.
    """
    names = sorted(set(request_ids))
    there: set[str] = set()
    with log.reading() as connection:
        for start in range(0, len(names), _AT_A_TIME):
            some = requests.c.id.in_(names[start : start + _AT_A_TIME])
            there.update(connection.scalars(select(requests.c.id).where(some)))
        pruned_us = connection.scalar(select(log_state.c.pruned_before_us)) or 0
    missing = set(names) - there
    if erased_only:
        missing = {name for name in missing if (time_of(name) or 0) >= pruned_us}
    return missing


def requests_of(folder: Path) -> set[str]:
    """Return the ids of the requests of which a loop's folder holds media."""
    files = {path.stem for path in (folder / MEDIA).glob("*") if not path.name.startswith(".")}
    crops = {path.name for path in (folder / CUT / "crops" / "requests").glob("*")}
    return {name for name in files | crops if time_of(name) is not None}


def remove(folder: Path, request_ids: Collection[str]) -> int:
    """Remove what a loop's folder holds of some requests; return of how many there was anything.

    Raises:
        StorageError: it cannot be removed.
    """
    number = 0
    try:
        for name in request_ids:
            files = [path for path in (folder / MEDIA).glob(f"{name}*") if path.stem == name]
            places = [folder / CUT / kind / "requests" / name for kind in ("crops", "frames")]
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


def sweep(workspace: Workspace, log: LogDatabase) -> int:
    """Remove what loops hold of requests that were erased; return how many copies there were.

    Raises:
        StorageError: the log cannot be read, or a file not be removed.
    """
    folders = {path: requests_of(path) for path in Loops(workspace).root.glob("[0-9]*")}
    names = set().union(*folders.values())
    erased = gone(log, names, erased_only=True) if names else set()
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
