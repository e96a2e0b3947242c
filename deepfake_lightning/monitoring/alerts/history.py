"""What happened to alerts: an event a line, in ``history.jsonl``.

An event stands there twice where a kill came between writing it and noting that; it is read once.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from deepfake_lightning.errors import StorageError
from deepfake_lightning.monitoring.alerts.records import AlertEvent, event_of
from deepfake_lightning.storage import Workspace, end_line, sync_folder

logger = logging.getLogger(__name__)

FOLDER, HISTORY = "alerts", "history.jsonl"


class Span(Protocol):
    """A time, from ``start_us`` up to ``end_us`` and without it."""

    @property
    def start_us(self) -> int:
        """From when."""

    @property
    def end_us(self) -> int:
        """Up to when."""


def folder_of(workspace: Workspace) -> Path:
    """Return where alerts are kept, and their policies lie."""
    return workspace.monitoring / FOLDER


def alert_history(workspace: Workspace, period: Span | None = None) -> list[AlertEvent]:
    """Return what happened to alerts in a period, or ever, in order of time.

    Raises:
        StorageError: the history cannot be read.
    """
    path = folder_of(workspace) / HISTORY
    try:
        lines = path.read_bytes().splitlines() if path.is_file() else []
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror or error}", next_step="fix permissions there"
        ) from error
    found: dict[str, AlertEvent] = {}
    for line in lines:
        try:
            event = event_of(json.loads(line))
        except (ValueError, TypeError, KeyError):
            continue  # torn by a crash; it was written again after it
        found.setdefault(event.id, event)
    chosen = [one for one in found.values()
              if period is None or period.start_us <= one.at_us < period.end_us]  # fmt: skip
    return sorted(chosen, key=lambda one: one.at_us)


def append_history(path: Path, events: Sequence[AlertEvent]) -> bool:
    """Write events to the history; return whether the disk took them."""
    try:
        end_line(path)
        is_new = not path.exists()
        with path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(one.to_dict(), ensure_ascii=False) + "\n" for one in events)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            sync_folder(path.parent)
    except OSError as error:
        logger.error("%s cannot be written: %s", path, error.strerror or error)
        return False
    return True
