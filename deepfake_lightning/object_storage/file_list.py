"""The list of a pushed folder: what every file is called, how large it is, and its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from deepfake_lightning.errors import DataError

Kind = Literal["data", "version"]
MOST_FILES = 20_000_000
MOST_BYTES = 4 << 30  # of a list
_LONGEST, _LONGEST_PART = 1024, 255  # bytes of a name, and between two slashes
_HEX = frozenset("0123456789abcdef")


class Item(NamedTuple):
    """A file.

    Attributes:
        path: its name below the folder, POSIX.
        size: bytes.
        sha256: of its bytes, in hexadecimal.
    """

    path: str
    size: int
    sha256: str

    @property
    def object_name(self) -> str:
        """What its bytes are called in a storage."""
        return f"objects/{self.sha256[:2]}/{self.sha256}"


@dataclass(frozen=True)
class FileList:
    """What a folder holds.

    Attributes:
        kind: a data set, or a version of a registry.
        name: of the version; of a data set empty.
        items: sorted by path.
    """

    kind: Kind
    name: str
    items: tuple[Item, ...]

    @classmethod
    def of(cls, kind: Kind, name: str, items: Iterable[Item]) -> FileList:
        """Return the list of some files.

        Raises:
            DataError: a name that cannot be one everywhere.
        """
        found = tuple(sorted(items))
        _check_names(found, "this folder")
        return cls(kind, name, found)

    @cached_property
    def data(self) -> bytes:
        """The list as it is kept: a line of JSON, then a line a file: hash, size, name."""
        head = {"schema": 1, "kind": self.kind, "name": self.name, "files": len(self.items),
                "bytes": self.bytes}  # fmt: skip
        lines = [json.dumps(head), *(f"{one.sha256} {one.size} {one.path}" for one in self.items)]
        return ("\n".join(lines) + "\n").encode()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the list: two folders with the same files have the same."""
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def bytes(self) -> int:
        """Bytes of all files."""
        return sum(one.size for one in self.items)

    def item(self, path: str) -> Item | None:
        """Return the file of a name."""
        return next((one for one in self.items if one.path == path), None)


def parse(data: bytes, origin: str, kind: Kind) -> FileList:
    """Return a list that comes from outside; nothing in it is trusted.

    Args:
        data: of the list.
        origin: where it was, for messages.
        kind: what it has to be a list of.

    Raises:
        DataError: it is none, is newer, cut short, or has names that lead out of the folder.
    """
    try:
        text = data.decode()
        first, _, rest = text.partition("\n")
        head: Any = json.loads(first)
        schema, found = head["schema"], (head["kind"], str(head["name"]))
        if isinstance(schema, int) and schema > 1:
            raise DataError(f"{origin}: schema {schema} is newer than this version reads (1)",
                            next_step="upgrade deepfake-lightning")  # fmt: skip
        items = tuple(_item(line) for line in rest.split("\n")[:-1])
        whole = text.endswith("\n") and (head["files"], head["bytes"]) == (
            len(items), sum(one.size for one in items))  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(origin, "it is no list of files") from error
    if not whole or len(items) > MOST_FILES:
        raise _damaged(origin, "it was cut short, or is of another making")
    if found[0] != kind:
        raise _damaged(origin, f"it lists a {found[0]}, and not a {kind}")
    _check_names(items, origin)
    return FileList(kind, found[1], items)


def item_of(path: Path, name: str) -> Item:
    """Return a file of this machine under a name.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Item(name, file.tell(), digest)


def _item(line: str) -> Item:
    sha256, size, path = line.split(" ", 2)
    if len(sha256) != 64 or not _HEX.issuperset(sha256) or not size.isascii():
        raise ValueError(line)
    if not size.isdecimal():
        raise ValueError(line)
    return Item(path, int(size), sha256)


def _check_names(items: tuple[Item, ...], origin: str) -> None:
    """Refuse names that lead elsewhere, come twice, or are a file and a folder at once."""
    names = {one.path for one in items}
    fault = None if len(names) == len(items) else "a name comes twice"
    for name in names:
        if _leads_elsewhere(name):
            fault = f"the name {name[:200]!r} cannot be a file's below a folder"
            break
        folder = name.rpartition("/")[0]
        while folder and fault is None:
            fault = f"{folder!r} is a file and a folder" if folder in names else None
            folder = folder.rpartition("/")[0]
    if fault is not None:
        raise _damaged(origin, fault)


def _leads_elsewhere(name: str) -> bool:
    if "\\" in name or any(ord(sign) < 32 or ord(sign) == 127 for sign in name):
        return True
    try:
        parts = [part.encode() for part in name.split("/")]
    except UnicodeEncodeError:
        return True
    odd = any(part in (b"", b".", b"..") or len(part) > _LONGEST_PART for part in parts)
    return odd or sum(map(len, parts)) + len(parts) > _LONGEST


def _damaged(origin: str, fault: str) -> DataError:
    return DataError(
        f"{origin}: {fault}",
        why="nothing of it is taken over",
        next_step="push it again from where it is whole, or name another place",
    )
