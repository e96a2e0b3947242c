"""From the scores of an epoch to a predictions table."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from deepfake_lightning.models.scores import Scores
from deepfake_lightning.schemas import Manifest
from deepfake_lightning.schemas.predictions import predictions_rows

_NAMES = ["path", "video_id", "group_id", "dataset", "method", "compression", "timestamp_ms",
          "label"]  # fmt: skip


def without_score(
    manifest: Manifest, scores: Scores, damaged: dict[int, str], split: str
) -> dict[int, str]:
    """Return the status of the rows of a split that have no score.

    Args:
        manifest: of the data.
        scores: of the epoch.
        damaged: row -> fault, of media that could not be read.
        split: that was scored; the same data may have been trained on before.
    """
    here = (manifest.rows["split"] == split).to_numpy(bool)
    known = np.flatnonzero(here & ~manifest.usable())
    found = dict(zip(known.tolist(), manifest.rows["status"].iloc[known], strict=True))
    return {**found, **{row: "unreadable" for row in damaged if here[row]}, **scores.lost}


def epoch_predictions(
    manifest: Manifest, scores: Scores, unscored: dict[int, str], version: str
) -> pd.DataFrame:
    """Return the checked predictions table: scored pictures, then the media without a score.

    Args:
        manifest: where the names of the rows are.
        scores: what was scored.
        unscored: row -> status of the others.
        version: of the model, for the column of that name.
    """
    lost = sorted(unscored)
    none = [-1] * len(lost)
    places = [*scores.row.tolist(), *lost]
    rows = manifest.rows.iloc[places]
    table = rows[_NAMES].assign(
        schema=1,
        media_type=manifest.kinds()[places],  # pictures of a clip have the verdict of clips
        track_id=_numbers([*scores.track.tolist(), *none]),
        frame=_numbers([*scores.frame.tolist(), *none]),
        logit=pd.array([*scores.logit.tolist(), *[None] * len(lost)], dtype="Float64"),
        status=["ok"] * len(scores) + [unscored[row] for row in lost],
        version=version or None,
    )
    return predictions_rows(table, manifest.origin)


def _numbers(values: list[int]) -> ExtensionArray:
    """Return a column of numbers in which -1 is none."""
    return pd.array([None if value < 0 else value for value in values], dtype="Int64")
