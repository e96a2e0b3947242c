"""Signatures go to an object storage and come from one, and no good one is lost on the way."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from deepfake_lightning.errors import SignatureError
from deepfake_lightning.object_storage import Place
from deepfake_lightning.object_storage.transfer import retried
from deepfake_lightning.registry.signatures import (
    MOST_BYTES,
    SUFFIX,
    parse_named,
    take_signature,
    whole_signatures,
)

_MOST = 100  # of a version


def push_signatures(folder: Path, place: Place, digest: str, *, resend: bool = False) -> None:
    """Send the signatures of a bundle; one that is there and can be read stays.

    Args:
        folder: where they lie.
        place: where to.
        digest: of the bundle.
        resend: send also what is there.

    Raises:
        StorageError: the storage is at fault.
    """
    mine, target = whole_signatures(folder), place.path(_folder(digest))
    with place.told("written to"):
        theirs = {} if resend or not mine else _signatures_at(place, target)
        for one in mine:
            try:
                parse_named(one.path, theirs.get(one.path.name, b""))
            except SignatureError:
                path = f"{target}/{one.path.name}"
                retried(partial(place.system.pipe_file, path, one.data))


def pull_signatures(place: Place, digest: str, folder: Path) -> None:
    """Bring the signatures of a bundle; of one that has none, nothing.

    Args:
        place: where from.
        digest: of the bundle.
        folder: where they are to lie; one that is there and can be read stays.

    Raises:
        StorageError: the storage or this machine is at fault.
    """
    with place.told("read"):
        found = _signatures_at(place, place.path(_folder(digest)))
    for name, data in found.items():
        take_signature(folder / name, data)


def _folder(digest: str) -> str:
    return f"signatures/{digest}"


def _signatures_at(place: Place, folder: str) -> dict[str, bytes]:
    """Return name -> bytes of what is called a signature in a folder of a storage."""
    try:
        listed = retried(lambda: place.system.ls(folder, detail=True))
    except FileNotFoundError:
        return {}
    found: dict[str, bytes] = {}
    for one in listed:
        path, size = str(one["name"]), int(one["size"] or 0)
        fits = path.endswith(SUFFIX) and 0 < size <= MOST_BYTES  # S3 has no range of nothing
        if fits and len(found) < _MOST:
            read = partial(place.system.cat_file, path, start=0, end=size)
            found[path.rpartition("/")[2]] = retried(read)
    return found
