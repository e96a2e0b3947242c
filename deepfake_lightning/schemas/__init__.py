"""The versioned records and tables that the rest of the package exchanges.

Torch-free. Each carries an integer ``schema``; readers name the file, the row
and the column that is wrong.

Tables are imported when they are first used: pandas takes longer than most commands do.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from deepfake_lightning.schemas.assessment import Assessment, Examined, ScoredFace, ScoredTrack
from deepfake_lightning.schemas.batch import Batch
from deepfake_lightning.schemas.calibration import Calibration, ItemCalibration
from deepfake_lightning.schemas.extraction import Extraction
from deepfake_lightning.schemas.preprocess import Aggregation, FaceSearch, Preprocess
from deepfake_lightning.schemas.sampling import Sampling

if TYPE_CHECKING:
    from deepfake_lightning.schemas.manifest import (
        LABELS,
        SCORED_SPLITS,
        SPLITS,
        STATUSES,
        Manifest,
        read_manifest,
        write_manifest,
    )
    from deepfake_lightning.schemas.predictions import read_predictions
    from deepfake_lightning.schemas.table_writer import write_predictions

_TABLES = {
    **dict.fromkeys(
        ("LABELS", "SCORED_SPLITS", "SPLITS", "STATUSES", "Manifest", "read_manifest",
         "write_manifest"),
        "manifest",
    ),
    "read_predictions": "predictions",
    "write_predictions": "table_writer",
}  # fmt: skip

__all__ = [
    "LABELS",
    "SCORED_SPLITS",
    "SPLITS",
    "STATUSES",
    "Aggregation",
    "Assessment",
    "Batch",
    "Calibration",
    "Examined",
    "Extraction",
    "FaceSearch",
    "ItemCalibration",
    "Manifest",
    "Preprocess",
    "Sampling",
    "ScoredFace",
    "ScoredTrack",
    "read_manifest",
    "read_predictions",
    "write_manifest",
    "write_predictions",
]


def __getattr__(name: str) -> Any:
    if name not in _TABLES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_TABLES[name]}"), name)
