"""``SHA256SUMS``: what every file of a bundle has to be, in the format of ``sha256sum``."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from deepfake_lightning.errors import BundleError
from deepfake_lightning.storage import atomic_write, file_hash

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  ((?:[\w-][\w.-]*/)*[\w-][\w.-]*)", re.ASCII)
_MOST_BYTES = 1 << 20  # of the list; a bundle has some twenty files
_AGAIN = "copy the bundle again from where it was built, or build it anew"


def write_sums(folder: Path) -> str:
    """Write the list of all files below a folder; return the bundle's digest."""
    lines = [f"{file_hash(folder / name)}  {name}\n" for name in _files(folder)]
    data = "".join(lines).encode()
    with atomic_write(folder / SUMS) as file:
        file.write(data)
    return hashlib.sha256(data).hexdigest()


def read_sums(folder: Path) -> tuple[dict[str, str], str]:
    """Return name -> SHA-256 of what a bundle holds, and its digest, the hash of that list.

    Raises:
        BundleError: there is no such list, or it is damaged.
    """
    path = folder / SUMS
    if not path.is_file() or path.is_symlink():
        raise BundleError(
            f"{folder} is not a bundle: it has no {SUMS}",
            next_step="build one: deepfake-lightning bundle build CHECKPOINT",
        )
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BundleError(f"{path} is too large for the list of a bundle", next_step=_AGAIN)
        data = path.read_bytes()
    except OSError as error:
        raise BundleError(
            f"{path} cannot be read: {error.strerror or error}", next_step=_AGAIN
        ) from error
    text = data.decode("ascii", errors="replace")
    found = [_LINE.fullmatch(line) for line in text.removesuffix("\n").split("\n")]
    names = [match[2] for match in found if match]
    whole = text.endswith("\n") and all(found)
    if not whole or names != sorted(set(names)):
        raise BundleError(f"{path} is damaged or was changed", next_step=_AGAIN)
    return {match[2]: match[1] for match in found if match}, hashlib.sha256(data).hexdigest()


def verify(folder: Path) -> str:
    """Check every file of a bundle against its hash; return the bundle's digest.

    Links, missing files, and files that are not in the list are refused as well. This finds
    damage, and changes by whoever cannot change the list; the digest, kept elsewhere, finds the
    others.

    Raises:
        BundleError: names the file.
    """
    sums, digest = read_sums(folder)
    there = set(_files(folder))
    for name in sorted(sums.keys() - there):
        raise BundleError(f"{folder / name} is missing from the bundle", next_step=_AGAIN)
    for name in sorted(there - sums.keys()):
        raise BundleError(
            f"{folder / name} does not belong to the bundle",
            why="nothing is known of it, and it was not there when the bundle was built",
            next_step="move it elsewhere",
        )
    for name, expected in sums.items():
        try:
            actual = file_hash(folder / name)
        except OSError as error:
            raise BundleError(
                f"{folder / name} cannot be read: {error.strerror or error}", next_step=_AGAIN
            ) from error
        if actual != expected:
            raise changed(folder / name)
    return digest


def changed(path: Path) -> BundleError:
    """Return the error of a file that is not what it was."""
    return BundleError(
        f"{path} is damaged or was changed: its SHA-256 is not that of {SUMS}",
        why="scores of a changed bundle could not be trusted",
        next_step=_AGAIN,
    )


def _files(folder: Path) -> list[str]:
    """Return the names of all files below a folder but the list itself, sorted.

    Raises:
        BundleError: there is something else than folders and plain files.
    """
    names: list[str] = []
    for parent, folders, files in os.walk(folder):
        for path in (Path(parent, name) for name in [*folders, *files]):
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise BundleError(
                    f"{path} is a link or a special file, which no bundle has",
                    next_step=_AGAIN,
                )
        names += [Path(parent, name).relative_to(folder).as_posix() for name in files]
    return sorted(name for name in names if name != SUMS)
