"""What is scored already, a line an item, so that a stopped scoring goes on where it was.

While an archive is scored into ``scores.parquet``, there is a folder ``scores.parquet.partial``::

    settings.json     the bundle, and all that has a part in a score
    items.jsonl       one finished item a line

A line that was torn by a crash is left out, and its item scored again.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from deepfake_lightning.errors import StorageError, UsageError
from deepfake_lightning.inference.items import Item
from deepfake_lightning.schemas import Assessment
from deepfake_lightning.storage import end_line, write_json

Stamp = list[int]


class Ledger:
    """The record of one scoring.

    Args:
        out: the table to be.
        settings: what has a part in a score, plain JSON types.

    Attributes:
        folder: where it is kept.
        lines: its file of finished items.
    """

    def __init__(self, out: Path, settings: dict[str, Any]) -> None:
        self.folder = out.with_name(f"{out.name}.partial")
        self._settings = settings
        self.lines = self.folder / "items.jsonl"
        self._places: dict[str, int] = {}
        self._stamps: dict[str, Stamp] = {}
        self._statuses: dict[str, str] = {}
        self._under_way: dict[str, Stamp] = {}
        self._file: IO[bytes] | None = None

    def open(self) -> None:
        """Begin, or go on.

        Raises:
            UsageError: what is there was scored otherwise.
            StorageError: the disk refuses.
        """
        path = self.folder / "settings.json"
        if path.is_file():
            was = json.loads(path.read_text("utf-8"))
            changed = [name for name, value in self._settings.items() if was.get(name) != value]
            if changed:
                raise UsageError(
                    f"{self.folder} holds scores that were made otherwise: "
                    + "; ".join(f"{k} {was.get(k)} -> {self._settings[k]}" for k in changed),
                    why="scores of two detectors or settings must not be mixed",
                    next_step="name another --out, or remove that folder",
                )
        else:
            with self._refused():
                self.lines.unlink(missing_ok=True)  # of whom is not known
            write_json(path, self._settings)
        with self._refused():
            self._read()
            end_line(self.lines)
            self._file = self.lines.open("ab")

    def _read(self) -> None:
        if not self.lines.is_file():
            return
        with self.lines.open("rb") as file:
            place = 0
            for line in file:
                try:
                    record = json.loads(line)
                    name, stamp, status = record["name"], record["stamp"], record["status"]
                except (ValueError, KeyError, TypeError):
                    pass  # torn
                else:
                    self._note(name, place, stamp, status)
                place += len(line)

    def has(self, item: Item) -> bool:
        """Return whether an item needs no work: it is done, and its files are what they were.

        One that could not be read is tried again: the disk or the network may have been at fault.
        """
        status = self._statuses.get(item.name, "unreadable")
        return status != "unreadable" and self._stamps[item.name] == stamp_of(item)

    def has_score(self, item: Item) -> bool:
        """Return whether an item has got a score."""
        return self._statuses.get(item.name) == "ok"

    def begin(self, item: Item) -> Item:
        """Note what an item's files are before they are read; return the item."""
        self._under_way[item.name] = stamp_of(item)
        return item

    def write(self, item: Item, found: Assessment) -> None:
        """Note that an item is done: with its files as they were when it was begun.

        Raises:
            StorageError: the disk refuses.
        """
        assert self._file is not None
        stamp = self._under_way.pop(item.name)
        line = json.dumps({**found.to_dict(), "stamp": stamp}, ensure_ascii=False)
        with self._refused():
            place = self._file.tell()
            self._file.write(line.encode() + b"\n")
            self._file.flush()  # it survives this process; the disk itself is asked at the end
        self._note(item.name, place, stamp, found.status)

    def _note(self, name: str, place: int, stamp: Stamp, status: str) -> None:
        self._places[name], self._stamps[name] = place, stamp
        self._statuses[name] = sys.intern(status)  # there may be a million

    def __len__(self) -> int:
        return len(self._places)

    def records(self, items: Iterator[Item]) -> Iterator[tuple[Item, dict[str, Any]]]:
        """Yield the items with what was found, in the order of the items."""
        self.close()
        with self.lines.open("rb") as file:
            for item in items:
                file.seek(self._places[item.name])
                yield item, json.loads(file.readline())

    def close(self) -> None:
        """Close the file; what is done stays noted.

        Raises:
            StorageError: the disk refuses.
        """
        if self._file is not None and not self._file.closed:
            with self._refused():
                try:
                    os.fsync(self._file.fileno())
                finally:
                    self._file.close()

    def remove(self) -> None:
        """Remove the record: the table holds all of it."""
        self.close()
        shutil.rmtree(self.folder)

    @contextmanager
    def _refused(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"{self.lines} could not be written: {error.strerror or error}",
                why="what is scored has to be noted; what was noted before is kept",
                next_step="free space or fix permissions there, then run the command again",
            ) from error


def stamp_of(item: Item) -> Stamp:
    """Return the size of an item's files together, and when the last was changed, nanoseconds."""
    size = modified = 0
    for picture in item.pictures:
        try:
            found = picture.path.stat()
        except OSError:  # whoever scores it says what is wrong with it
            continue
        size, modified = size + found.st_size, max(modified, found.st_mtime_ns)
    return [size, modified]
