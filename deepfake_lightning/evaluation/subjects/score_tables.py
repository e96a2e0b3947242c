"""Scores that are there already: predictions tables, reports of evaluations, tables of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pandas as pd
from pydantic import ValidationError

from deepfake_lightning.data.audit import Finding
from deepfake_lightning.errors import TableError, UsageError
from deepfake_lightning.evaluation.subject import Scale, Subject
from deepfake_lightning.evaluation.subjects.cells import RESERVED, read_cells, scalars
from deepfake_lightning.evaluation.subjects.peers import PeerColumns, read_peer
from deepfake_lightning.schemas import Calibration
from deepfake_lightning.schemas.predictions import predictions_rows
from deepfake_lightning.storage import file_hash

PREDICTIONS, REPORT = "predictions.parquet", "report.json"
"""Files in the folder of an evaluation's report."""

_OWN = {"schema", "path", "video_id", "status", "logit"}
_OF_ITEMS = {"schema", "item", "video_id", "status", "calibrated"}


def subject_of_table(path: Path, columns: PeerColumns | None = None) -> Subject:
    """Return the scores of a table: of this package, or of any other detector.

    A predictions table knows no calibration and no window: its scores are taken as they are, over
    the window of 8 frames. Of other tables ``columns`` says what is where, see
    :func:`~deepfake_lightning.evaluation.subjects.peers.read_peer`.

    Raises:
        TableError: the file, row and column that is wrong.
        UsageError: it is an items table, whose scores are calibrated already.
    """
    frame = read_cells(path)
    if set(frame.columns) >= _OF_ITEMS:
        raise UsageError(
            f"{path} is an items table",
            why="of its scores it cannot be told how they came out of those of faces",
            next_step="name the predictions table that was written beside it",
        )
    if set(frame.columns) >= _OWN:
        return _own(path, frame)
    rows, notes, scale = read_peer(path, columns, frame)
    return Subject(
        name=path.stem, predictions=rows, scale=scale, notes=tuple(notes),
        model={"kind": "table", "version": None, "digest": file_hash(path)},
        data=_about(path, rows),
    )  # fmt: skip


def _own(path: Path, frame: pd.DataFrame) -> Subject:
    rows = predictions_rows(frame, path)
    twice = rows.duplicated(["video_id", "path", "track_id", "frame"])
    if twice.any():
        raise TableError(
            f"{path}: {int(twice.sum()):,} rows stand there twice, the first is of"
            f" {rows.loc[twice, 'path'].iloc[0]}",
            why="a face that counts twice falsifies every figure",
            next_step="remove one of each",
        )
    others = {
        name: scalars(frame[name]).reset_index(drop=True)
        for name in frame.columns
        if name not in RESERVED
    }
    rows = pd.concat([rows, pd.DataFrame(others, index=rows.index)], axis=1)
    versions = [str(each) for each in rows["version"].dropna().unique()]
    if len(versions) > 1:
        raise TableError(
            f"{path} has scores of several versions: {', '.join(sorted(versions)[:5])}",
            why="they would be measured as if they were one detector's",
            next_step="write a table for each",
        )
    bundles = rows["bundle"].dropna().unique()
    digest = str(bundles[0]) if len(bundles) == 1 else file_hash(path)
    version = versions[0] if versions else None
    return Subject(
        name=version or path.stem,
        predictions=rows,
        model={"kind": "predictions", "version": version, "digest": digest},
        data=_about(path, rows),
        notes=(
            f"{path.name} says nothing of a calibration: its scores are taken as they are, item "
            "scores over windows of 8 frames",
        ),
    )  # fmt: skip


def _about(path: Path, rows: pd.DataFrame) -> dict[str, Any]:
    # Where the pictures are is not known, nor of which split they are.
    return {"origin": str(path), "split": None, "content_hash": None, "looks": None,
            "items": int(rows["video_id"].nunique())}  # fmt: skip


def subject_of_report(folder: Path) -> Subject:
    """Return what an evaluation has measured, from the folder of its report: nothing is scored.

    Raises:
        TableError: a file of it is missing, damaged or of another kind of report.
    """
    path = folder / REPORT
    try:
        record = json.loads(path.read_text("utf-8"))
        if int(record.get("schema", 1)) > 1:
            raise TableError(
                f"{path}: schema {record['schema']} is newer than this version reads (1)",
                next_step="upgrade deepfake-lightning",
            )
        scale: Scale = record["scale"]
        if scale not in get_args(Scale) or int(record["window"]) < 1:
            raise ValueError("scale or window is none that there is")
        found = record["findings"]
        return Subject(
            name=str(record["name"]), predictions=_own(
                folder / PREDICTIONS, read_cells(folder / PREDICTIONS)
            ).predictions,
            window=int(record["window"]), scale=scale,
            calibration=Calibration.model_validate(record["calibration"]),
            model=dict(record["model"]), data=dict(record["data"]),
            notes=tuple(map(str, record["notes"])),
            findings=None if found is None else tuple(Finding(**each) for each in found),
            is_demo=bool(record["is_demo"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError, OSError, ValidationError) as error:
        fault = f"{error} is missing" if isinstance(error, KeyError) else str(error)[:300]
        raise TableError(
            f"{path} is not of an evaluation of this package: {fault}",
            next_step=f"evaluate again, or name {folder / PREDICTIONS} where it is whole",
        ) from error
