"""What ``validate`` and ``test`` leave behind: metrics, predictions and plots."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from lightning.pytorch import Callback, LightningModule, Trainer
from pandas.api.extensions import ExtensionArray

from deepfake_lightning.callbacks.sources import data_of, detector_of
from deepfake_lightning.evaluation.plots import (
    reliability_figure,
    roc_figure,
    score_histogram_figure,
)
from deepfake_lightning.metrics import sigmoid
from deepfake_lightning.models.detector import Stage
from deepfake_lightning.models.scores import Scores
from deepfake_lightning.schemas import STATUSES, Manifest, write_predictions
from deepfake_lightning.storage import atomic_write, new_folder, write_json


class EvaluationReport(Callback):
    """Writes a folder with ``metrics.json``, ``predictions.parquet`` and plots.

    Undefined metrics are null. Media that could not be read, or show no face, are rows of the
    predictions with the status ``unreadable`` or ``no_face``, and are counted in the metrics file.

    Args:
        parent: the folder in which each report gets a folder of its own.
        name: name of the report's folder; a number is added where it exists.
        version: what is written into the predictions' column of that name.
        about: further entries of the metrics file (checkpoint, its hash, ...).

    Attributes:
        folder: where the report is, once it is written.
        values: the metrics, undefined ones None.
        unscored: how many media have no score, by status.
    """

    def __init__(
        self, parent: str, name: str, version: str = "", about: dict[str, Any] | None = None
    ) -> None:
        self.parent = Path(parent)
        self.name = name
        self.version = version
        self.about = about or {}
        self.folder: Path | None = None
        self.values: dict[str, float | None] = {}
        self.unscored: dict[str, int] = {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the report of ``validate`` (not of validations within a training)."""
        if trainer.state.fn == "validate":
            self._write(trainer, pl_module, "val")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the report of ``test``."""
        self._write(trainer, pl_module, "test")

    def _write(self, trainer: Trainer, model: LightningModule, stage: Stage) -> None:
        detector, data = detector_of(model, self), data_of(trainer, self)
        scores = detector.epoch_scores[stage]
        self.values = detector.evaluate(scores)
        if not trainer.is_global_zero:
            return
        self.folder = new_folder(self.parent, self.name)
        manifest = data.load()
        unscored = _unscored(manifest, scores, data.damaged, stage)
        self.unscored = dict(Counter(unscored.values()))
        table = predictions(manifest, scores, unscored, self.version)
        write_predictions(self.folder / "predictions.parquet", table)
        known = scores.labelled()
        record = {
            "schema": 1,
            "split": stage,
            "data": str(manifest.origin),
            "split_policy": manifest.policy,
            "pictures": len(scores),
            "items": int(table.loc[table["status"] == "ok", "video_id"].nunique()),
            **{status: self.unscored.get(status, 0) for status in STATUSES[1:]},
            "metrics": self.values,
            **self.about,
        }
        write_json(self.folder / "metrics.json", record)
        if len(known):
            self._plot(known)

    def _plot(self, scores: Scores) -> None:
        assert self.folder is not None
        figures = {
            "roc": roc_figure(scores.logit, scores.label),
            "reliability": reliability_figure(sigmoid(scores.logit), scores.label),
            "scores": score_histogram_figure(scores.logit, scores.label),
        }
        for name, figure in figures.items():
            with atomic_write(self.folder / f"{name}.png") as file:
                figure.savefig(file, format="png")


def _unscored(
    manifest: Manifest, scores: Scores, damaged: dict[int, str], split: str
) -> dict[int, str]:
    """Return the status of the rows of a split that have no score."""
    # The same data may have been trained on before: only this split is reported.
    here = (manifest.rows["split"] == split).to_numpy(bool)
    known = np.flatnonzero(here & ~manifest.usable())
    found = dict(zip(known.tolist(), manifest.rows["status"].iloc[known], strict=True))
    return {**found, **{row: "unreadable" for row in damaged if here[row]}, **scores.lost}


def predictions(
    manifest: Manifest, scores: Scores, unscored: dict[int, str], version: str
) -> pd.DataFrame:
    """Return the predictions table: scored pictures, then the media without one.

    Args:
        manifest: where the names of the rows are.
        scores: what was scored.
        unscored: row -> status of the others.
        version: of the model, for the column of that name.
    """
    names = ["path", "video_id", "group_id", "dataset", "method", "compression", "timestamp_ms"]
    lost = sorted(unscored)
    none = [-1] * len(lost)
    rows = manifest.rows.iloc[[*scores.row.tolist(), *lost]]
    return rows[[*names, "label"]].assign(
        track_id=_numbers([*scores.track.tolist(), *none]),
        frame=_numbers([*scores.frame.tolist(), *none]),
        logit=pd.array([*scores.logit.tolist(), *[None] * len(lost)], dtype="Float64"),
        status=["ok"] * len(scores) + [unscored[row] for row in lost],
        version=version or None,
    )


def _numbers(values: list[int]) -> ExtensionArray:
    """Return a column of numbers in which -1 is none."""
    return pd.array([None if value < 0 else value for value in values], dtype="Int64")
