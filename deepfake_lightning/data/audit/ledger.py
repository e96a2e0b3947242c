"""How often a test or gate split was looked at: each look makes the next figure less honest.

The ledger is one JSON line a look, appended under a lock and flushed to the disk; a line that a
crash tore is passed over and closed before the next is written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from deepfake_lightning.errors import UsageError
from deepfake_lightning.schemas import SCORED_SPLITS, Manifest
from deepfake_lightning.storage import Workspace, append_line, lock

LEDGER = "looks.jsonl"


@dataclass(frozen=True)
class Look:
    """One scoring of a split.

    Attributes:
        split: ``test`` or ``gate``, as a rule.
        data: what :func:`split_hash` gave.
        scored: the checkpoint, bundle or version that was scored.
        command: what scored it.
        when: UTC, RFC 3339.
    """

    split: str
    data: str
    scored: str
    command: str
    when: str


def split_hash(manifest: Manifest, split: str) -> str:
    """Return the SHA-256 over the items of a split and their labels.

    Changes of other splits, the order of rows and the place of the folder play no part.
    """
    rows = manifest.rows[manifest.rows["split"] == split]
    lines = sorted(
        f"{item}\t{path}\t{label}"
        for item, path, label in zip(rows["video_id"], rows["path"], rows["label"], strict=True)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def ledger_path(workspace: Workspace) -> Path:
    """Return where a workspace keeps its ledger."""
    return workspace.root / "evaluation" / LEDGER


def record_look(
    workspace: Workspace,
    manifest: Manifest,
    split: str,
    *,
    scored: str,
    command: str,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """Note that a split was scored, and return how often that has been, this time included.

    Args:
        workspace: whose ledger.
        manifest: the data.
        split: the split that was scored.
        scored: the checkpoint, bundle or version.
        command: what scored it, ``test`` or ``evaluate``.
        clock: gives the time, with its zone.

    Raises:
        UsageError: the split is not one that is scored.
        StorageError: the ledger cannot be locked or written.
    """
    if split not in SCORED_SPLITS:
        raise UsageError(f"{split!r} is not scored", next_step=f"use {', '.join(SCORED_SPLITS)}")
    when = clock().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    look = Look(split, split_hash(manifest, split), scored, command, when)
    path = ledger_path(workspace)
    with lock(path):
        append_line(path, asdict(look))
        return len(_read(path, look.data, split))


def looks(workspace: Workspace, manifest: Manifest, split: str) -> list[Look]:
    """Return every look at a split of these data, oldest first."""
    return _read(ledger_path(workspace), split_hash(manifest, split), split)


def _read(path: Path, data: str, split: str) -> list[Look]:
    if not path.is_file():
        return []
    found = []
    with path.open("rb") as file:
        for line in file:
            try:
                look = Look(**json.loads(line))
            except (ValueError, TypeError):  # torn by a crash
                continue
            if look.data == data and look.split == split:
                found.append(look)
    return found
