"""What is done: a line for each finished source, so that a killed extraction goes on.

A folder of extracted pictures holds::

    manifest.parquet, metadata.json    written last, once every source is done
    failures.csv                       the sources without a picture, and why
    crops/<data set>/<path>/           the pictures of one source, put there whole
    .extraction/settings.json          what the pictures were made of and how
    .extraction/sources.parquet        what became of each source
    .extraction/shard-*.jsonl          the same, while the work goes on
    .extraction/shard-*/               pictures of sources that are not finished

Only the process that leads a shard writes its journal, a line at a time, each synced. A line that
was torn by a crash is left out, and its source done again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import IO, Any

import pandas as pd
from filelock import FileLock, Timeout

from deepfake_lightning.data.extraction.sources import Source
from deepfake_lightning.data.extraction.worker import Outcome
from deepfake_lightning.errors import UsageError
from deepfake_lightning.schemas import Extraction
from deepfake_lightning.storage import atomic_write, end_line, sync_folder, write_json

STATE = ".extraction"


@dataclass(frozen=True)
class Entry:
    """A finished source.

    Attributes:
        key: of the source.
        size, modified_ns: of its file, by which a change is noticed.
        sampling: the frames that were looked at.
        outcome: what became of it.
    """

    key: str
    size: int
    modified_ns: int
    sampling: str
    outcome: Outcome


class Journal:
    """The record of one folder of extracted pictures.

    Args:
        out: the folder.
        settings: how the pictures are made.
        shard: the part of the work this process leads, ``i/n``.
    """

    def __init__(self, out: Path, settings: Extraction, shard: str = "1/1") -> None:
        self.out = out
        self.settings = settings
        self.state = out / STATE
        name = f"shard-{shard.replace('/', '-of-')}"
        self.path = self.state / f"{name}.jsonl"
        self.aside = self.state / name
        self._file: IO[str] | None = None

    def check(self, inputs: Iterable[Path]) -> None:
        """Refuse to mix; nothing is written.

        Raises:
            UsageError: the folder holds something else, or pictures made otherwise.
        """
        if self._settings_path.is_file():
            was = json.loads(self._settings_path.read_text("utf-8"))
            _refuse_other(was, self._record(inputs), self.out)
        elif self.out.exists() and any(p.name != STATE for p in self.out.iterdir()):
            raise UsageError(
                f"{self.out} holds something else already",
                why="its manifest would hide what is there",
                next_step="name another folder with --out",
            )

    def open(self, inputs: Iterable[Path]) -> None:
        """Begin or go on; what an earlier process left unfinished is removed."""
        if not self._settings_path.is_file():
            write_json(self._settings_path, self._record(inputs))
        shutil.rmtree(self.aside, ignore_errors=True)
        self.aside.mkdir(parents=True)
        end_line(self.path)
        self._file = self.path.open("a", encoding="utf-8")

    @property
    def _settings_path(self) -> Path:
        return self.state / "settings.json"

    def _record(self, inputs: Iterable[Path]) -> dict[str, Any]:
        return {
            "schema": 1,
            "inputs": sorted(str(path.resolve()) for path in inputs),
            "settings": self.settings.model_dump(mode="json"),
        }

    def home(self, key: str) -> Path:
        """Return the folder of a source's pictures."""
        return self.out / ("frames" if self.settings.faces is None else "crops") / key

    def new_folder(self) -> Path:
        """Return an empty folder for the pictures of one source."""
        return Path(mkdtemp(dir=self.aside))

    def write(self, entry: Entry, folder: Path) -> None:
        """Put a source's pictures in their place, and note that it is done."""
        assert self._file is not None
        home = self.home(entry.key)
        if home.exists():
            shutil.rmtree(home)
        if entry.outcome.pictures:
            home.parent.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)  # temporary folders are private
            sync_folder(folder)
            folder.rename(home)
            sync_folder(home.parent)
        else:
            shutil.rmtree(folder)
        self._file.write(json.dumps(asdict(entry)) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; what is done stays noted."""
        if self._file is not None:
            self._file.close()
        shutil.rmtree(self.aside, ignore_errors=True)

    def entries(self) -> dict[str, Entry]:
        """Return what is noted by this and all other shards, by key."""
        found: dict[str, Entry] = {}
        table = self.state / "sources.parquet"
        if table.is_file():
            lines = pd.read_parquet(table)["entry"]
            found |= {entry.key: entry for entry in map(_entry, lines) if entry}
        journals = self.state.glob("shard-*.jsonl")
        for path in sorted(journals, key=lambda path: path.stat().st_mtime_ns):  # the newest wins
            with path.open(encoding="utf-8", errors="replace") as file:
                found |= {entry.key: entry for entry in map(_entry, file) if entry}
        return found

    def is_noted(self, entry: Entry | None, source: Source, sampling: str) -> bool:
        """Return whether what is noted is of the file as it is, and its pictures are there."""
        if entry is None or entry.sampling != sampling:
            return False
        try:
            stat = source.file.stat()
            size, modified = stat.st_size, stat.st_mtime_ns
        except OSError:
            size, modified = 0, 0
        if (entry.size, entry.modified_ns) != (size, modified):
            return False
        home = self.home(entry.key)
        there = {path.name for path in home.iterdir()} if home.is_dir() else set()
        return there == {picture["name"] for picture in entry.outcome.pictures}

    def is_current(self, entry: Entry | None, source: Source, sampling: str) -> bool:
        """Return whether a source needs no work.

        What failed is tried again: the disk or the network may have been at fault.
        """
        failed = entry is not None and entry.outcome.status == "unreadable"
        return not failed and self.is_noted(entry, source, sampling)

    def others_at_work(self) -> bool:
        """Return whether another process leads a shard of this folder."""
        for path in self.state.glob("shard-*.lock"):
            guard = FileLock(path, timeout=0)
            try:
                guard.acquire()
            except Timeout:
                return True
            guard.release()
        return False

    def finish(self, entries: Iterable[Entry]) -> None:
        """Keep what is done as one table, and drop the journals it replaces."""
        lines = [json.dumps(asdict(e), sort_keys=True) for e in entries]
        with atomic_write(self.state / "sources.parquet") as file:
            pd.DataFrame({"entry": pd.array(lines, "string")}).to_parquet(file, index=False)
        for path in self.state.glob("shard-*.jsonl"):
            path.unlink()


def _entry(line: str) -> Entry | None:
    try:
        record: dict[str, Any] = json.loads(line)
        return Entry(**{**record, "outcome": Outcome(**record["outcome"])})
    except (ValueError, KeyError, TypeError):
        return None  # torn


def _refuse_other(was: dict[str, Any], now: dict[str, Any], out: Path) -> None:
    changed = [f"{k} {was['settings'].get(k)} -> {v}" for k, v in now["settings"].items()
               if was["settings"].get(k) != v]  # fmt: skip
    if was["inputs"] != now["inputs"]:
        changed.insert(0, f"media of {', '.join(was['inputs'])}")
    if changed:
        raise UsageError(
            f"{out} was extracted otherwise: {'; '.join(changed)}",
            why="pictures that were made differently must not be mixed",
            next_step="name another folder with --out, or remove this one",
        )
