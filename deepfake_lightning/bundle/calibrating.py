"""From a checkpoint and its run's ``calib`` split to a calibration."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from deepfake_lightning.bundle.calibration_file import (
    CalibrationRecord,
    calibration_path,
    write_record,
)
from deepfake_lightning.bundle.calibration_fit import check_enough, fit_items
from deepfake_lightning.bundle.calibration_items import (
    SPLIT,
    LabelledItems,
    Progress,
    check_split,
    labelled_items,
    score_items,
)
from deepfake_lightning.bundle.reliability import before_after
from deepfake_lightning.bundle.runs import trained_manifest
from deepfake_lightning.errors import DataError, UsageError
from deepfake_lightning.models.checkpoints import TrainedDetector, load_detector
from deepfake_lightning.schemas import Calibration, ItemCalibration, Manifest
from deepfake_lightning.schemas.calibration import KINDS, NOUNS, CalibrationPolicy, MediaType


def calibrate(
    checkpoint: Path,
    policy: CalibrationPolicy | None = None,
    *,
    run: Path | None = None,
    overwrite: bool = False,
    progress: Progress = lambda what, done, total: None,
) -> CalibrationRecord:
    """Calibrate a checkpoint, and write the record beside it, whole or not at all.

    Args:
        checkpoint: a file of ``fit``.
        policy: what is wanted; None: the default.
        run: the training's folder, where the checkpoint lies elsewhere.
        overwrite: replace a record that is there.
        progress: told what is being done, how much of it is, and how much there is (0: unknown).

    Raises:
        CheckpointError: the checkpoint is missing, damaged or foreign.
        UsageError: there is a record already, or the run is not known.
        DataError: there is no ``calib`` split, people of it were trained on, its media are gone,
            or no kind of media has enough items for what is wanted.
        BundleError: the network gives scores that are not finite numbers.
    """
    progress("reading the checkpoint", 0, 0)
    trained = load_detector(checkpoint)
    path = calibration_path(checkpoint)
    if path.exists() and not overwrite:
        raise UsageError(
            f"{path} exists already",
            why="verdicts of two calibrations cannot be compared",
            next_step="pass --overwrite true to replace it",
        )
    manifest, _ = trained_manifest(checkpoint, run)
    record = fit_checkpoint(checkpoint, trained, manifest, policy, progress)
    if not record.in_sample:
        absent = {absence(kind) for kind in KINDS}
        faults = [why for why in record.why_not.values() if why not in absent] or sorted(absent)
        raise DataError(
            f"nothing can be calibrated: {'; '.join(faults)}",
            why="a threshold that is taken from fewer items does not keep its promise",
            next_step="ask for less (--fpr, --guarantee, --max_miss), or train with a larger "
            "calib split (--data.splits)",
        )
    write_record(checkpoint, record)
    return record


def fit_checkpoint(
    checkpoint: Path,
    trained: TrainedDetector,
    manifest: Manifest,
    policy: CalibrationPolicy | None = None,
    progress: Progress = lambda what, done, total: None,
) -> CalibrationRecord:
    """Return the calibration of a checkpoint, and write nothing.

    What there are too few items for is found before any is scored.

    Raises:
        DataError: there is no ``calib`` split, people of it were trained on, or its media are
            gone. Too few items of a kind are no error: the record says so.
        BundleError: the network gives scores that are not finite numbers.
    """
    policy = policy or CalibrationPolicy()
    check_split(checkpoint, manifest)
    items = labelled_items(manifest)
    why_not: dict[MediaType, str] = {kind: absence(kind) for kind in KINDS if kind not in items}
    why_not |= _too_few(items, policy)
    wanted = {kind: own for kind, own in items.items() if kind not in why_not}
    scored = score_items(trained, manifest, wanted, progress) if wanted else {}
    fitted: dict[MediaType, ItemCalibration] = {}
    for kind, own in scored.items():
        try:
            fitted[kind] = fit_items(
                own.logit, own.label, policy, groups=own.groups, unscored=own.unscored,
                noun=NOUNS[kind],
            )  # fmt: skip
        except DataError as error:
            why_not[kind] = error.what
    return CalibrationRecord(
        checkpoint=trained.sha256,
        created=_now(),
        policy=policy,
        data=manifest.with_rows(manifest.rows[manifest.rows["split"] == SPLIT]).content_hash(),
        split_policy=manifest.policy,
        calibration=Calibration(image=fitted.get("image"), video=fitted.get("video")),
        why_not=why_not,
        in_sample={
            kind: before_after(scored[kind].logit, scored[kind].label, found.temperature)
            for kind, found in fitted.items()
        },
    )


def absence(kind: MediaType) -> str:
    """Return why a kind of media that is not in the split is not calibrated."""
    return f"the {SPLIT} split holds no {NOUNS[kind]} with labels"


def not_fitted(trained: TrainedDetector, manifest: Manifest, why: str) -> CalibrationRecord:
    """Return the record of a checkpoint that could not be calibrated."""
    return CalibrationRecord(
        checkpoint=trained.sha256,
        created=_now(),
        policy=CalibrationPolicy(),
        data=None,
        split_policy=manifest.policy,
        calibration=Calibration(),
        why_not={kind: why for kind in KINDS},
    )


def _too_few(
    items: dict[MediaType, LabelledItems], policy: CalibrationPolicy
) -> dict[MediaType, str]:
    found: dict[MediaType, str] = {}
    for kind, own in items.items():
        fakes = int(np.count_nonzero(own.label))
        try:
            check_enough(len(own.label) - fakes, fakes, policy, NOUNS[kind])
        except DataError as error:
            found[kind] = error.what
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
