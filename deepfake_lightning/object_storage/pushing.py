"""A folder goes into a storage: files first, the list of them last."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deepfake_lightning.errors import DataError, DeepfakeLightningError, StorageError, UsageError
from deepfake_lightning.object_storage.address import Place
from deepfake_lightning.object_storage.file_list import FileList, Item
from deepfake_lightning.object_storage.pulling import Seen, look, read_list
from deepfake_lightning.object_storage.transfer import Progress, in_parallel, retried

_IN_ONE_PIECE = 32 << 20  # bytes
_MOST_PIECES = 9000  # of a file; S3 takes 10,000
_MOST_OF_A_REQUEST = 5 << 30  # S3's limit; a list is written in one


@dataclass(frozen=True)
class Pushed:
    """What came of a push.

    Attributes:
        files: what is there now.
        sent, sent_bytes: files that were not there before.
        was_there: the same list was there already.
    """

    files: FileList
    sent: int
    sent_bytes: int
    was_there: bool


def push(
    place: Place,
    mark: str,
    files: FileList,
    source: Callable[[Item], Path],
    *,
    replace: bool = False,
    resend: bool = False,
    progress: Progress = lambda what, done, total: None,
) -> Pushed:
    """Send what is not there yet, and then the list. Interrupted, it can be done again.

    Args:
        place: where to.
        mark: name of the list there.
        files: what is to be there.
        source: where a file of the list is on this machine.
        replace: put the list in the place of another one.
        resend: send all files, also those that are there: one of them may be damaged.
        progress: told what is done, how many bytes of it, and how many there are.

    Raises:
        UsageError: another list is there (:func:`conflict`), or there is no way in.
        DataError: a file has changed while it was sent.
        StorageError: the storage is at fault; nothing new is seen there.
    """
    with place.told("looked into"):
        before = look(place, mark)
    same = before is not None and before.data == files.data
    if before is not None and not same and not replace:
        raise conflict(place, mark, files)
    wanted = {one.object_name: one for one in files.items}  # each content once
    missing = list(wanted.values()) if resend else _missing(place, wanted)
    sent = 0

    def done(one: Item) -> None:
        nonlocal sent
        sent += one.size
        progress("sending", sent, total)

    total = sum(one.size for one in missing)
    progress("sending", 0, total)
    with place.told("written to"):
        in_parallel(lambda one: _send(place, one, source(one)), missing, done)
    if not same:
        _commit(place, mark, files, before)
    return Pushed(files, len(missing), total, same)


def conflict(place: Place, mark: str, files: FileList) -> DeepfakeLightningError:
    """Return the error of a list where there is another one already."""
    if files.kind == "version":
        return UsageError(
            f"{place.url} has another {files.name} already",
            why="a version is never changed, wherever it is",
            next_step="register the bundle under another version, and push that",
        )
    return UsageError(
        f"{place.url} has another data set already ({mark})",
        why="whoever pulls it would get other data under the same address",
        next_step="name another place, or pass --overwrite true to replace it",
    )


def _missing(place: Place, wanted: dict[str, Item]) -> list[Item]:
    """Return the files whose bytes are not there."""
    shards = sorted({name.rpartition("/")[0] for name in wanted})
    with place.told("looked into"):
        there = dict(pair for some in in_parallel(lambda one: _listed(place, one), shards)
                     for pair in some.items())  # fmt: skip
    return [one for name, one in wanted.items() if there.get(place.path(name)) != one.size]


def _listed(place: Place, folder: str) -> dict[str, int]:
    """Return path -> bytes of the objects in a folder."""
    try:
        found = retried(lambda: place.system.find(place.path(folder), detail=True))
    except FileNotFoundError:
        return {}
    return {path: int(one["size"]) for path, one in found.items()}


def _send(place: Place, item: Item, source: Path) -> None:
    """Send a file, unless it is no longer what was listed."""
    if item.size > _IN_ONE_PIECE:
        retried(lambda: _send_in_pieces(place, item, source))
        return
    try:
        data = source.read_bytes()
    except OSError as error:
        raise _unreadable(source, error) from error
    if hashlib.sha256(data).hexdigest() != item.sha256:
        raise _changed(source)
    retried(lambda: place.system.pipe_file(place.path(item.object_name), data))


def _send_in_pieces(place: Place, item: Item, source: Path) -> None:
    """Send a large file, of which nothing is seen before all that was sent is what was listed."""
    piece = max(_IN_ONE_PIECE, item.size // _MOST_PIECES + 1)
    path, digest = place.path(item.object_name), hashlib.sha256()
    remote = place.system.open(path, "wb", block_size=piece, autocommit=False)
    try:
        for data in _pieces(source, piece):
            digest.update(data)
            remote.write(data)
        if digest.hexdigest() != item.sha256:
            raise _changed(source)
        remote.close()
        remote.commit()
    except BaseException:
        with suppress(Exception):  # what went wrong first is told
            remote.closed = True  # or it would be sent when it is collected
            remote.discard()
        raise


def _pieces(source: Path, size: int) -> Iterator[bytes]:
    try:
        with source.open("rb") as file:
            while data := file.read(size):
                yield data
    except OSError as error:
        raise _unreadable(source, error) from error


def _commit(place: Place, mark: str, files: FileList, before: Seen | None) -> None:
    """Write the list, on condition that what is there is still what was seen.

    A storage that knows no such condition lets the last of two writers win; the other one, which
    looks after it has written, is told.
    """
    path, data = place.path(mark), files.data
    how = {"chunksize": _MOST_OF_A_REQUEST} if place.is_s3 else {}
    try:
        with place.told("written to"):
            if before is None:
                retried(lambda: place.system.pipe_file(path, data, mode="create", **how))
            elif place.is_s3:
                retried(lambda: place.system.pipe_file(path, data, IfMatch=before.tag, **how))
            else:
                retried(lambda: place.system.pipe_file(path, data))
    except DeepfakeLightningError as error:
        cause = error.__cause__
        if not isinstance(cause, FileExistsError) and "Precondition" not in str(error):
            raise
    # Tried again, a write finds its own first try.
    if read_list(place, mark, files.kind).digest != files.digest:
        raise conflict(place, mark, files)


def _unreadable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path} cannot be read: {error.strerror or error}")


def _changed(path: Path) -> DataError:
    return DataError(f"{path} has changed while it was sent",
                     why="nothing that is new there is seen",
                     next_step="run the command again when nobody writes there, with --resend true "
                     "if the storage is not S3: what came half may have been seen")  # fmt: skip
