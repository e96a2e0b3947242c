"""From a checkpoint to a registered version: calibrated, made a bundle, measured, registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deepfake_lightning.bundle.build import build_bundle
from deepfake_lightning.bundle.calibrating import calibrate
from deepfake_lightning.bundle.calibration_file import read_record
from deepfake_lightning.bundle.runs import trained_manifest
from deepfake_lightning.errors import CheckpointError, DataError
from deepfake_lightning.evaluation.measured import measurement
from deepfake_lightning.evaluation.report import Evaluation, evaluate, write_report
from deepfake_lightning.evaluation.subjects.detectors import detector_of_bundle
from deepfake_lightning.evaluation.subjects.scoring import Scoring, score_split
from deepfake_lightning.registry import Entry, Registry, Wish, check_wish
from deepfake_lightning.registry.folders import staging
from deepfake_lightning.registry.record import Source
from deepfake_lightning.registry.registering import commit
from deepfake_lightning.storage import Workspace, atomic_new_folder

MEASURED_ON = "test"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Release:
    """What became of a checkpoint.

    Attributes:
        entry: the version, as the registry lists it.
        folder: where it lies.
        report: folder of its report of the test split; None where there was none to measure it on.
        notes: what was left out, and why, in sentences.
    """

    entry: Entry
    folder: Path
    report: Path | None
    notes: tuple[str, ...]


def release_checkpoint(
    registry: Registry,
    checkpoint: Path,
    wish: Wish | None = None,
    *,
    run: Path | None = None,
    recalibrate: bool = False,
    workers: int | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Release:
    """Register a checkpoint of a training, whole or not at all.

    It is calibrated on its training's ``calib`` split, unless it is already, made a bundle, and
    measured on the ``test`` split through the engine of production. What the data do not allow is
    left out and said: without a ``calib`` split there are scores and no verdicts, without a
    ``test`` split no figures.

    Args:
        registry: where it goes.
        checkpoint: a file of ``fit``.
        wish: what it is to be called, and why; None: the next free version.
        run: the training's folder, where the checkpoint lies elsewhere.
        recalibrate: replace a calibration that is of another checkpoint of that name.
        workers: processes that score; None: as many as there are cores.
        progress: told what is being done, how much of it is, and how much there is (0: unknown).

    Raises:
        UsageError: the version is taken, or the run is not known.
        CheckpointError: the checkpoint is missing, damaged or foreign, or its calibration is.
        BundleError: the network cannot be exported.
        DataError: media are gone, or people of the test split were trained on.
        StorageError: the machine refused; nothing was registered.
    """
    wish = wish or Wish()
    check_wish(registry, wish)
    manifest, run = trained_manifest(checkpoint, run)
    wish = replace(wish, source=wish.source or _source(run, registry.workspace))
    notes = _calibrated(checkpoint, run, recalibrate, progress)
    with staging(registry.models) as stage:
        bundle = build_bundle(
            checkpoint, stage / "bundle", version="unregistered", run=run, progress=progress
        )
        found = None
        if (manifest.rows["split"] == MEASURED_ON).any():
            found = _measured(bundle.folder, run, registry.workspace, workers, progress)
        else:
            notes.append(f"there is no {MEASURED_ON} split: it was measured on nothing")
        progress("registering", 0, 0)
        entry = commit(registry, bundle, wish, None if found is None else measurement(found))
    report = None if found is None else _report(found, entry, registry)
    return Release(entry, registry.folder(entry.version), report, tuple(notes))


def _source(run: Path, workspace: Workspace) -> Source | None:
    """Return the names of a training that lies in the workspace."""
    run = run.resolve()
    inside = run.parent.parent == workspace.runs.resolve()
    return Source(experiment=run.parent.name, run=run.name) if inside else None


def _calibrated(checkpoint: Path, run: Path, recalibrate: bool, progress: Progress) -> list[str]:
    """Calibrate a checkpoint that is not; return what is to be said where that cannot be."""
    stale = False
    try:
        if read_record(checkpoint) is not None:
            return []
    except CheckpointError:
        if not recalibrate:
            raise
        stale = True
    try:
        calibrate(checkpoint, run=run, overwrite=stale, progress=progress)
    except DataError as error:
        return [f"it has scores and no verdicts: {error.what}"]
    return []


def _measured(
    bundle: Path, run: Path, workspace: Workspace, workers: int | None, progress: Progress
) -> Evaluation:
    counted: dict[str, Any] = {"what": "", "done": 0, "total": 0}

    def begin(what: str, total: int) -> None:
        counted.update(what=what, done=0, total=total)
        progress(what, 0, total)

    def advance(_: object) -> None:
        counted["done"] += 1
        progress(counted["what"], counted["done"], counted["total"])

    subject = score_split(
        detector_of_bundle(bundle, run), workspace=workspace, split=MEASURED_ON,
        how=Scoring(workers, phase=begin, progress=advance), command="register",
    )  # fmt: skip
    progress("measuring", 0, 0)
    return evaluate(subject)


def _report(found: Evaluation, entry: Entry, registry: Registry) -> Path:
    """Write the report of what was measured, under the name that it has come to have."""
    subject = found.subject
    named = replace(
        subject,
        name=entry.version,
        predictions=subject.predictions.assign(version=entry.version),
        model={**subject.model, "version": entry.version, "digest": entry.digest},
    )
    with atomic_new_folder(registry.workspace.reports, f"{entry.version}-{MEASURED_ON}") as (
        folder, aside,
    ):  # fmt: skip
        write_report(aside, replace(found, subject=named))
    return folder
