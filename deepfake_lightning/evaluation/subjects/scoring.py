"""A detector's scores on a split, through the engine of production, and what is known of both."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from deepfake_lightning.bundle.provenance import UNKNOWN_LICENCE
from deepfake_lightning.data.audit import Finding, audit, record_look
from deepfake_lightning.errors import UsageError
from deepfake_lightning.evaluation.robustness.plan import Plan
from deepfake_lightning.evaluation.robustness.scoring import degraded_scores
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.evaluation.subjects.detectors import Detector
from deepfake_lightning.evaluation.subjects.scored_split import (
    refuse_trained,
    scored_data,
    split_of,
)
from deepfake_lightning.inference.archive import score_archive
from deepfake_lightning.inference.engine import Engine
from deepfake_lightning.inference.items import Archive
from deepfake_lightning.inference.tally import Tally
from deepfake_lightning.inference.worker import opened
from deepfake_lightning.schemas import SCORED_SPLITS, Assessment, Manifest, read_predictions
from deepfake_lightning.storage import RUN_RECORD, Workspace

COUNTED = ("test", "gate")
"""Splits of which every look is counted."""

_LONGER = 6  # times as long as to score it may it take to encode a clip twice and score it
_AUDITED = {"image": 2000, "video": 200}  # items that are measured, as before a training
SPLIT_NOTES = {
    "val": "the val split chose the checkpoint: its figures are too good",
    "calib": "the calib split fitted the calibration: what is said of calibration and thresholds "
    "is too good",
}
"""What is to be said of the figures of a split that the training has made use of."""


@dataclass(frozen=True)
class Scoring:
    """How a split is scored.

    Attributes:
        workers, timeout, phase, progress: as of
            :func:`~deepfake_lightning.inference.archive.score_archive`.
        already_cropped: the pictures show one face each; None: the training's own data as ``test``
            takes them, others as ``predict`` does.
        robustness: which items are scored under degradations as well; None: none are.
        audited: the data are audited where their training has not done so, for what reports say.
    """

    workers: int | None = None
    timeout: float = 600.0
    already_cropped: bool | None = None
    robustness: Plan | None = None
    audited: bool = True
    phase: Callable[[str, int], None] = lambda what, number: None
    progress: Callable[[Assessment | None], None] = lambda found: None


def score_split(
    detector: Detector,
    *,
    workspace: Workspace,
    data: str | None = None,
    split: str = "test",
    how: Scoring | None = None,
    command: str = "evaluate",
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Subject:
    """Score a split of some data, or all of data that have no splits.

    Args:
        detector: what scores.
        workspace: where looks at the test and gate splits are counted.
        data: a folder, an index or a manifest; None: the data of the detector's training.
        split: what is scored.
        how: see :class:`Scoring`.
        command: what the ledger of looks calls this.
        clock: gives the time, with its zone.

    Raises:
        UsageError: there are no data, or the split is none that is scored.
        DataError: the split is empty or has no labels, or people or pictures of it were trained on.
        BundleError, CheckpointError: the detector cannot be loaded.
        StorageError: the disk refuses.
    """
    how = how or Scoring()
    if split not in SCORED_SPLITS:
        raise UsageError(
            f"the split {split!r} is not scored", next_step=f"use {', '.join(SCORED_SPLITS)}"
        )
    engine = opened(detector.source)  # before all else: it may be damaged
    manifest = scored_data(detector, data)
    own = detector.is_own(manifest)
    part, notes = split_of(manifest, split)
    if own and split in SPLIT_NOTES:
        notes.append(SPLIT_NOTES[split])
    notes += refuse_trained(detector, manifest, part, split, how.phase)
    cropped = how.already_cropped
    if cropped is None and own and detector.face == "auto":
        cropped = True  # `test` looks for faces in videos only
    rows, tally = _scores(detector, part, cropped, how)
    notes += [f"{items:,} items: {note}" for note, items in tally.notes.most_common()]
    about = about_data(manifest, part, split, rows, clock)
    if split in COUNTED:
        about["looks"] = record_look(
            workspace, part, split, scored=engine.digest, command=command, clock=clock
        )
    subject = Subject(
        name=detector.name, predictions=rows, window=engine.preprocess.aggregation.window,
        calibration=engine.calibration, model=_model(detector, engine), data=about,
        notes=tuple(notes), findings=_findings(detector, manifest, own, how),
        is_demo=engine.is_demo,
    )  # fmt: skip
    return subject if how.robustness is None else _degraded(subject, detector, part, cropped, how)


def _degraded(
    subject: Subject, detector: Detector, part: Manifest, cropped: bool | None, how: Scoring
) -> Subject:
    """Return the subject with scores of degraded items."""
    assert how.robustness is not None
    scores = degraded_scores(
        subject, detector.source, part, cropped, how.robustness, workers=how.workers,
        timeout=_LONGER * how.timeout, phase=how.phase, progress=how.progress,
    )  # fmt: skip
    return replace(subject, degraded=scores)


def _scores(
    detector: Detector, part: Manifest, cropped: bool | None, how: Scoring
) -> tuple[pd.DataFrame, Tally]:
    """Return the predictions table, and what the scoring came to."""
    with TemporaryDirectory(prefix="evaluate-") as folder:
        out = Path(folder) / "predictions.parquet"
        tally = score_archive(
            Archive([part], cropped), detector.source, out, workers=how.workers,
            timeout=how.timeout, shown=0, phase=how.phase, progress=how.progress,
        )  # fmt: skip
        return read_predictions(out), tally


def about_data(
    manifest: Manifest,
    part: Manifest,
    split: str,
    rows: pd.DataFrame,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> dict[str, Any]:
    """Return what is known of the data, see :attr:`Subject.data`.

    Args:
        manifest: the data.
        part: the rows that were scored.
        split: their name.
        rows: the predictions table.
        clock: gives the time, with its zone.
    """
    whole = bool(manifest.rows["split"].isna().all())
    return {
        "origin": str(manifest.origin),
        "root": str(manifest.root.absolute()),
        "split": "all" if whole else split,
        "content_hash": manifest.content_hash(),
        "split_policy": manifest.policy,
        "counts": part.counts()[split],
        "items": int(rows["video_id"].nunique()),
        "datasets": _counts(part.rows["dataset"]),
        "methods": _counts(part.rows["method"]),
        "licences": _counts(part.rows["licence"].fillna(UNKNOWN_LICENCE)),
        "scored": clock().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "looks": None,
    }


def _counts(column: pd.Series) -> dict[str, int]:
    return {str(name): int(count) for name, count in column.value_counts().sort_index().items()}


def _model(detector: Detector, engine: Engine) -> Mapping[str, Any]:
    return {
        **detector.model,
        "preprocess": engine.preprocess.to_dict(),
        "runtime": engine.runtime.name,
        "device": detector.source.device,
        "precision": detector.source.precision,
    }


def _findings(
    detector: Detector, manifest: Manifest, own: bool, how: Scoring
) -> tuple[Finding, ...] | None:
    """Return what an audit of the data found: the training's where there is one, or a new one."""
    kept = (detector.run / RUN_RECORD) if own and detector.run is not None else None
    if kept is not None and kept.is_file():
        made = json.loads(kept.read_text("utf-8")).get("audit")
        if made is not None:
            return tuple(Finding(**finding) for finding in made["findings"])
    if not how.audited:
        return None
    has_clips = bool((manifest.rows["media_type"] == "video").any())
    how.phase("auditing the data", len(manifest))
    sample = _AUDITED["video" if has_clips else "image"]
    return audit(manifest, sample=sample, workers=how.workers, processes=False).findings
