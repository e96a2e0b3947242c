"""A folder comes out of a storage: all of it verified, or nothing."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from deepfake_lightning.errors import DataError, StorageError, UsageError
from deepfake_lightning.object_storage.address import Place
from deepfake_lightning.object_storage.file_list import MOST_BYTES, FileList, Item, Kind, item_of
from deepfake_lightning.object_storage.file_list import parse as parse_list
from deepfake_lightning.object_storage.transfer import Progress, in_parallel, retried
from deepfake_lightning.storage import sync_folder

_PIECE = 16 << 20  # bytes of a request


class Seen(NamedTuple):
    """A list as it was in a storage.

    Attributes:
        data: its bytes.
        tag: the storage's own name for them, empty where it has none.
    """

    data: bytes
    tag: str


class _TooShort(OSError):
    """Fewer bytes came than there are to be."""


def look(place: Place, mark: str) -> Seen | None:
    """Return a list as it is, None where there is none.

    Raises:
        DataError: it is too large for one.
    """
    path = place.path(mark)
    try:
        about = retried(lambda: place.system.info(path))
        if int(about["size"]) > MOST_BYTES:
            raise DataError(f"{place.url}/{mark} is too large for a list of files")
        return Seen(retried(lambda: place.system.cat_file(path)), str(about.get("ETag", "")))
    except FileNotFoundError:
        return None


def read_list(place: Place, mark: str, kind: Kind) -> FileList:
    """Return a list that is there.

    Raises:
        UsageError: there is none.
        DataError: it is damaged, or of something else.
        StorageError: the storage is at fault.
    """
    with place.told("read"):
        seen = look(place, mark)
    if seen is None:
        what = "data set" if kind == "data" else "such version"
        raise UsageError(
            f"there is no {what} at {place.url} ({mark})",
            why="a push that was interrupted leaves nothing that is seen",
            next_step="correct the address, or push it first",
        )
    return parse_list(seen.data, f"{place.url}/{mark}", kind)


def pull(
    place: Place,
    files: FileList,
    target: Path,
    *,
    check: Callable[[Path], None] = lambda folder: None,
    progress: Progress = lambda what, done, total: None,
) -> int:
    """Bring a folder here, each file held against its hash; return how many files came.

    They are put into a folder beside ``target``, which is renamed at the end. Interrupted, the
    next call fetches what is not there yet.

    Args:
        place: where from.
        files: the list.
        target: the folder to be; one that holds just this already is left.
        check: looks into the folder before it is put in its place.
        progress: told what is done, how many bytes of it, and how many there are.

    Raises:
        UsageError: ``target`` is something else, or another process pulls it.
        DataError: an object is missing, or is not what was pushed.
        StorageError: the storage or this machine is at fault; ``target`` is as it was.
    """
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise _taken(target)
    if target.is_dir() and any(target.iterdir()):
        if any(in_parallel(lambda one: _differs(target, one), files.items)):
            raise _taken(target)
        return 0
    aside = target.parent / f".{target.name}.pulling-{files.digest[:16]}"
    try:
        with _held(aside):
            todo = _todo(aside / "files", files, progress)
            _fetch_all(place, todo, aside, progress)
            check(aside / "files")
            if target.exists():
                target.rmdir()
            (aside / "files").rename(target)
            shutil.rmtree(aside)
            sync_folder(target.parent)
    except OSError as error:
        raise StorageError(
            f"{target} could not be made: {error.strerror or error}",
            why="what was fetched is kept beside it",
            next_step="free space or fix permissions there, then run the command again",
        ) from error
    return len(todo)


@contextmanager
def _held(aside: Path) -> Iterator[None]:
    """Hold the folder in which files arrive; a killed holder lets go of it.

    Raises:
        UsageError: another process holds it.
    """
    for folder in (aside / "files", aside / "parts"):
        folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(aside, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError("another process pulls the same to the same place",
                         next_step="wait for it to end") from error  # fmt: skip
    else:
        yield
    finally:
        os.close(handle)


def _todo(folder: Path, files: FileList, progress: Progress) -> list[Item]:
    """Return what is not there yet, if there is room for it."""
    if not any(folder.iterdir()):
        todo = list(files.items)
    else:
        progress("checking what is there", 0, 0)
        differs = in_parallel(lambda one: _differs(folder, one), files.items)
        todo = [one for one, no in zip(files.items, differs, strict=True) if no]
    needed, free = sum(one.size for one in todo), shutil.disk_usage(folder).free
    if needed > free:
        raise StorageError(
            f"{needed / 1e9:,.1f} GB do not go into the {free / 1e9:,.1f} GB that are free at "
            f"{folder.parent.parent}",
            next_step="free space, or name another place",
        )
    return todo


def _fetch_all(place: Place, todo: list[Item], aside: Path, progress: Progress) -> None:
    total, came = sum(one.size for one in todo), 0
    progress("fetching", 0, total)

    def done(one: Item) -> None:
        nonlocal came
        came += one.size
        progress("fetching", came, total)

    in_parallel(
        lambda one: _fetch(place, one[1], aside, one[0]), list(enumerate(todo)),
        lambda one: done(one[1]),
    )  # fmt: skip


def _fetch(place: Place, item: Item, aside: Path, number: int) -> None:
    """Bring a file, and put it where it belongs once it is what it has to be."""
    part, path = aside / "parts" / str(number), aside / "files" / item.path
    digest = hashlib.sha256()
    with part.open("wb") as file:
        for start in range(0, item.size, _PIECE):
            data = _piece(place, item, start, min(start + _PIECE, item.size))
            digest.update(data)
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != item.sha256:
        raise _not_the_same(place, item, "its SHA-256 is not that of the list")
    path.parent.mkdir(parents=True, exist_ok=True)
    part.replace(path)


def _piece(place: Place, item: Item, start: int, end: int) -> bytes:
    """Return some bytes of a file; never more than are asked for."""

    def get() -> bytes:
        data: bytes = place.system.cat_file(place.path(item.object_name), start=start, end=end)
        if len(data) != end - start:
            raise _TooShort
        return data

    try:
        with place.told("read"):
            return retried(get)
    except (UsageError, StorageError) as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise _not_the_same(place, item, "it is gone") from error
        if isinstance(error.__cause__, _TooShort) or "InvalidRange" in error.what:
            raise _not_the_same(place, item, "it is shorter than it was") from error
        raise


def _differs(folder: Path, item: Item) -> bool:
    path = folder / item.path
    try:
        same_size = not path.is_symlink() and path.stat().st_size == item.size
        return not same_size or item_of(path, item.path) != item
    except OSError:
        return True


def _taken(target: Path) -> UsageError:
    return UsageError(
        f"{target} holds something else already",
        why="a pull replaces nothing",
        next_step="name another folder",
    )


def _not_the_same(place: Place, item: Item, fault: str) -> DataError:
    return DataError(
        f"{item.path} at {place.url} is not what was pushed: {fault} ({item.object_name})",
        why="nothing was put in place",
        next_step="push the folder again from where it is whole, with --resend true",
    )
