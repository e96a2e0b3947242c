"""What an extraction leaves: the manifest of its pictures, and what failed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from deepfake_lightning.data.extraction.journal import Entry, Journal
from deepfake_lightning.data.extraction.sources import Source
from deepfake_lightning.schemas import Manifest, write_manifest
from deepfake_lightning.schemas.manifest import COLUMNS, joint_policy, manifest_rows
from deepfake_lightning.schemas.table import write_table
from deepfake_lightning.storage import remove_unfinished

MANIFEST = "manifest.parquet"
FAILURES = "failures.csv"


@dataclass(frozen=True)
class Summary:
    """What an extraction left.

    Attributes:
        entries: what became of each source of this shard, in the order of their keys.
        done_now: how many of them were done by this run; the others were done before.
        missing: sources of other shards that are not done yet.
        gone: sources that were extracted and are no longer there; the manifest leaves them out.
        manifest: the table of all pictures; None as long as sources are missing or another
            process is at work on its shard, which writes it when it is done.
    """

    entries: list[Entry]
    done_now: int
    missing: int
    gone: int
    manifest: Manifest | None

    def count(self, status: str) -> int:
        """Return how many sources ended as ``ok``, ``no_face`` or ``unreadable``."""
        return sum(entry.outcome.status == status for entry in self.entries)

    @property
    def pictures(self) -> int:
        """How many pictures this shard has."""
        return sum(len(entry.outcome.pictures) for entry in self.entries)

    @property
    def failures(self) -> list[Entry]:
        """The sources that gave no picture."""
        return [entry for entry in self.entries if entry.outcome.status != "ok"]


def finish(
    journal: Journal, sources: Sequence[Source], *, prune: bool = False
) -> tuple[Manifest, int]:
    """Write the manifest and the table of failures.

    Every source has to be done. Called again, it writes the same bytes. Pictures of sources that
    are no longer there (a disk may be missing for an hour) are left out of the manifest and kept.

    Args:
        journal: the record.
        sources: of all shards.
        prune: remove the pictures of those that are no longer there.

    Returns:
        the manifest, and how many sources are gone.
    """
    for folder in (journal.out, journal.state):
        remove_unfinished(folder)
    done = journal.entries()
    gone = sorted(done.keys() - {source.key for source in sources})
    if prune:
        for key in gone:
            shutil.rmtree(journal.home(key), ignore_errors=True)
            del done[key]
    entries = [done[source.key] for source in sources]
    _write_failures(journal.out / FAILURES, entries)
    manifest = _manifest(journal, sources, entries)
    write_manifest(manifest, journal.out / MANIFEST)
    journal.finish(done[key] for key in sorted(done))
    return manifest, len(gone)


def _manifest(journal: Journal, sources: Sequence[Source], entries: list[Entry]) -> Manifest:
    found = zip(sources, entries, strict=True)
    records = [row for source, entry in found for row in _rows(source, entry, journal)]
    path = journal.out / MANIFEST
    rows = manifest_rows(pd.DataFrame(records, columns=[c.name for c in COLUMNS]), path)
    policy = joint_policy(source.policy for source in sources)
    return Manifest(rows, journal.out, path, policy, journal.settings)


def _rows(source: Source, entry: Entry, journal: Journal) -> Iterator[dict[str, Any]]:
    """Yield a row for each picture of a source, or one that says why there is none."""
    if entry.outcome.status != "ok":
        yield {**source.fields, "path": source.key, "status": entry.outcome.status}
    folder = journal.home(entry.key).relative_to(journal.out).as_posix()
    for picture in entry.outcome.pictures:
        record = {name: value for name, value in picture.items() if name != "name"}
        path = Path(folder, picture["name"]).as_posix()
        yield {**source.fields, "media_type": "image", **record, "path": path}


def _write_failures(path: Path, entries: list[Entry]) -> None:
    failures = [entry for entry in entries if entry.outcome.status != "ok"]
    if not failures:
        path.unlink(missing_ok=True)
        return
    columns = {
        "source": [entry.key for entry in failures],
        "status": [entry.outcome.status for entry in failures],
        "reason": [entry.outcome.reason for entry in failures],
    }
    write_table(path, pd.DataFrame(columns))
