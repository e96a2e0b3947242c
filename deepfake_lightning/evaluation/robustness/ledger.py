"""What was measured of each detector under degradations, a line a measurement, for the gate.

Beside the ledger of looks, and kept like it: appended under a lock and flushed; a line that a crash
tore is passed over. A registered version is never changed, so its figures of later days are here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deepfake_lightning.errors import StorageError
from deepfake_lightning.evaluation.robustness.record import DegradedResult, Robustness
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.storage import Workspace, end_line, lock

LEDGER = "robustness.jsonl"
COUNTING = ("test", "gate", "all")
"""Splits whose figures say something: the others had a part in the training."""


@dataclass(frozen=True)
class Kept:
    """The figures of one degradation, None where undefined; see :class:`DegradedResult`."""

    words: str
    real: int
    fake: int
    auroc: float | None
    lost: float | None
    false_alarms: float | None
    missed: float | None
    unscored: float | None


@dataclass(frozen=True)
class RobustnessRecord:
    """One measurement of one detector.

    Attributes:
        digest: of the bundle, or the SHA-256 of the checkpoint.
        name: as the report calls it.
        split, origin, content_hash: of the data.
        when: they were scored, UTC, RFC 3339.
        real, fake: items that were drawn.
        degradations: key -> figures.
    """

    digest: str
    name: str
    split: str
    origin: str
    content_hash: str | None
    when: str
    real: int
    fake: int
    degradations: Mapping[str, Kept]


def record_robustness(workspace: Workspace, subject: Subject, found: Robustness) -> None:
    """Keep a measurement.

    Raises:
        StorageError: the ledger cannot be locked or written.
    """
    data, model = subject.data, subject.model
    record = RobustnessRecord(
        str(model.get("digest")), subject.name, str(data.get("split")), str(data.get("origin")),
        data.get("content_hash"), str(data.get("scored")), found.real, found.fake,
        {one.key: _kept(one) for one in found.results},
    )  # fmt: skip
    path = ledger_path(workspace)
    with lock(path):
        try:
            end_line(path)
            with path.open("ab") as file:
                line = json.dumps({"schema": 1, **asdict(record)}, ensure_ascii=False)
                file.write(line.encode("utf-8", "surrogatepass") + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageError(
                f"{path} could not be written: {error.strerror or error}",
                next_step="free space or fix permissions there, then run the command again",
            ) from error


def latest_robustness(workspace: Workspace, digest: str | None) -> RobustnessRecord | None:
    """Return the last measurement of a detector on data that count; None without any."""
    path, found = ledger_path(workspace), None
    if digest is None or not path.is_file():
        return None
    with path.open("rb") as file:
        for line in file:
            record = _read(line)
            if record is not None and record.digest == digest and record.split in COUNTING:
                found = record
    return found


def ledger_path(workspace: Workspace) -> Path:
    """Return where a workspace keeps its measurements."""
    return workspace.root / "evaluation" / LEDGER


def _kept(one: DegradedResult) -> Kept:
    return Kept(
        one.words, one.real, one.fake, one.auroc.degraded.value, one.lost,
        one.false_alarms.degraded.value, one.missed.degraded.value, one.unscored.value,
    )  # fmt: skip


def _read(line: bytes) -> RobustnessRecord | None:
    try:
        record: dict[str, Any] = json.loads(line)
        if record.pop("schema") != 1:
            return None
        kept = {key: Kept(**one) for key, one in record.pop("degradations").items()}
        return RobustnessRecord(**record, degradations=kept)
    except (ValueError, TypeError, KeyError, AttributeError):  # torn by a crash
        return None
