"""What of some data is scored, and whether a detector may be measured on it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from deepfake_lightning.data.scan import scan_media
from deepfake_lightning.errors import DataError, SplitError, UsageError
from deepfake_lightning.evaluation.subjects.detectors import Detector
from deepfake_lightning.inference.items import read_inputs
from deepfake_lightning.schemas import SCORED_SPLITS, Manifest


def scored_data(detector: Detector, data: str | None) -> Manifest:
    """Return the data that are named, or those of the detector's training.

    Raises:
        UsageError: none are named, and the training's are not known.
        LayoutError, TableError: they cannot be read.
    """
    if data is not None:
        return read_inputs([data])[0]
    if detector.manifest is None:
        raise UsageError(
            f"the data that {detector.name} was trained with are not known here",
            why="it does not lie in the folder of its training",
            next_step="name data with --data, or the training's folder with --run",
        )
    return detector.manifest


def split_of(manifest: Manifest, split: str) -> tuple[Manifest, list[str]]:
    """Return the rows of a split, all of data without splits, and what is to be said of them.

    Raises:
        SplitError: there are none.
        DataError: none has a label.
    """
    splits, notes = manifest.rows["split"], []
    if splits.isna().all():
        rows = manifest.rows.assign(split=split)
        notes.append(f"{manifest.origin} has no splits: all of it is scored")
    else:
        rows = manifest.rows[(splits == split).to_numpy(bool, na_value=False)]
    if rows.empty:
        there = ", ".join(sorted(set(splits.dropna()) & set(SCORED_SPLITS))) or "none"
        raise SplitError(
            f"{manifest.origin}: the {split} split is empty (splits that can be scored: {there})",
            next_step="name another with --split, or other data with --data",
        )
    refuse_unlabelled(rows, str(manifest.origin))
    unlabelled = rows.loc[rows["label"].isna(), "video_id"].nunique()
    if unlabelled:
        notes.append(f"{unlabelled:,} items have no label and are in no figure")
    return manifest.with_rows(rows), notes


def refuse_unlabelled(rows: pd.DataFrame, origin: str) -> None:
    """Refuse a manifest's or predictions table's rows of which none has a label.

    Raises:
        DataError: none has.
    """
    if rows["label"].isna().all():
        raise DataError(
            f"{origin} has no labels: nothing can be measured",
            why="an evaluation compares scores with what is known to be real or fake",
            next_step="put the media into folders real/ and fake/, or list path and label in an "
            "index.csv; `predict` scores media without labels",
        )


def refuse_trained(
    detector: Detector,
    manifest: Manifest,
    part: Manifest,
    split: str,
    phase: Callable[[str, int], None],
) -> list[str]:
    """Refuse to score what a detector was trained on; return what is to be said of it.

    Official splits are scored all the same, and what they share with the training is said.

    Args:
        detector: what scores.
        manifest: the data.
        part: the rows that are scored, all of the split.
        split: its name.
        phase: is told what is done, and of how many.

    Raises:
        SplitError: people or pictures of the split were trained on.
    """
    phase("looking for what was trained on", len(part))
    state = detector.lineage(manifest)
    if state is None:
        return [f"whether {detector.name} was trained on these people or pictures is not known"]
    from deepfake_lightning.data.lineage import check_scored  # knows torch, ONNX does not need it

    found = scan_media(part, np.flatnonzero(part.usable()), quiet=True)
    # Checked as if they were drawn: that official splits leak must not go unsaid.
    strict = part.with_rows(part.rows, "given")
    try:
        check_scored(dict(state), strict, {split: (found.rows, found.digests)})
    except SplitError as error:
        if part.policy != "official":
            raise
        return [f"the splits are official and scored as they are: {error.what}"]
    return []
