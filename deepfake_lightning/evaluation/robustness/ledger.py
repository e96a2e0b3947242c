"""What was measured of each detector under degradations, a line a measurement, for the gate.

Beside the ledger of looks, and kept like it: appended under a lock and flushed; a line that a crash
tore is passed over. A registered version is never changed, so its figures of later days are here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deepfake_lightning.evaluation.robustness.record import DegradedResult, Robustness
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.storage import Workspace, append_line, lock

LEDGER = "robustness.jsonl"
COUNTING = ("test", "gate", "all")
"""Splits whose figures say something: the others had a part in the training."""


@dataclass(frozen=True)
class Kept:
    """The figures of one degradation, None where undefined; see :class:`DegradedResult`.

    Attributes:
        real, fake: items that still have a score: those that the rates are of.
        unmade: items that could not be degraded so; they are in no figure.
    """

    words: str
    real: int
    fake: int
    auroc: float | None
    lost: float | None
    false_alarms: float | None
    missed: float | None
    unscored: float | None
    unmade: int = 0


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
        precision, runtime: with which they were scored; None in lines of before they were kept.
        already_cropped: as it was asked for; None: as the detector takes its data, too.
        seed: of the drawing and of the degradations.
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
    precision: str | None = None
    runtime: str | None = None
    already_cropped: bool | None = None
    seed: int | None = None


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
        model.get("precision"), model.get("runtime"), found.already_cropped, found.seed,
    )  # fmt: skip
    path = ledger_path(workspace)
    with lock(path):
        append_line(path, {"schema": 1, **asdict(record)})


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
        one.false_alarms.degraded.value, one.missed.degraded.value, one.unscored.value, one.unmade,
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
