"""What ``fit``, ``validate`` and ``test`` leave behind: a report, and the scores it is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from deepfake_lightning.bundle.calibration_file import read_calibration
from deepfake_lightning.callbacks.epoch_predictions import epoch_predictions, without_score
from deepfake_lightning.callbacks.sources import data_of, detector_of
from deepfake_lightning.data.audit import Finding, record_look
from deepfake_lightning.data.datamodule import DeepfakeDataModule
from deepfake_lightning.evaluation.report import evaluate, write_report
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.evaluation.subjects.detectors import detector_of_checkpoint
from deepfake_lightning.evaluation.subjects.scoring import SPLIT_NOTES, about_data
from deepfake_lightning.models.checkpoint_file import read_checkpoint
from deepfake_lightning.models.detector import Stage
from deepfake_lightning.models.scores import Scores
from deepfake_lightning.schemas import Calibration
from deepfake_lightning.storage import Workspace, atomic_new_folder


class EvaluationReport(Callback):
    """Writes ``report.html``, ``.md`` and ``.json``, and ``predictions.parquet``, into a folder.

    ``test`` and ``validate`` report the split they score; ``fit`` reports ``val`` as the best
    checkpoint scored it, which it says has chosen the checkpoint. Media that could not be read, or
    show no face, are rows of the predictions, and are counted.

    Args:
        parent: the folder in which each report gets a folder of its own.
        name: name of the report's folder; a number is added where it exists.
        version: what the report calls the detector, and the predictions' column of that name says.
        checkpoint: the file that is scored, which the report says more of; of ``fit`` it is the
            best one.
        workspace: where looks at the test split are counted; None: they are not.

    Attributes:
        folder: where the report is, once it is written.
        values: the metrics of pictures and items as they are logged, undefined ones None.
        unscored: how many media have no score, by status.
        looks: how often the test split has been looked at.
        findings: of the audit of the data, for the report; None where there was none.
    """

    def __init__(
        self,
        parent: str,
        name: str,
        version: str = "",
        checkpoint: str | None = None,
        workspace: str | None = None,
    ) -> None:
        self.parent = Path(parent)
        self.name = name
        self.version = version
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.workspace = workspace
        self.folder: Path | None = None
        self.values: dict[str, float | None] = {}
        self.unscored: dict[str, int] = {}
        self.looks = 0
        self.findings: Sequence[Finding] | None = None
        self._chosen: tuple[object, object] = (None, None)
        self._latest: Scores | None = None
        self._best: Scores | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note which checkpoint is the best so far: that of a training that is resumed."""
        self._chosen = _chosen(trainer)
        self._latest = self._best = None

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the report of ``validate``; within a training keep the scores."""
        if trainer.state.fn == "validate":
            self._write(trainer, detector_of(pl_module, self).epoch_scores["val"], pl_module, "val")
        elif not trainer.sanity_checking:
            self._keep_best(trainer)  # of the validation before: checkpoints are saved after this
            self._latest = detector_of(pl_module, self).epoch_scores["val"]

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the report of the best checkpoint's validation, if it was one of this training."""
        self._keep_best(trainer)
        path = getattr(trainer.checkpoint_callback, "best_model_path", "")
        if self._best is None or not path or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        self.checkpoint = Path(path)
        self._write(trainer, self._best, pl_module, "val")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the report of ``test``."""
        self._write(trainer, detector_of(pl_module, self).epoch_scores["test"], pl_module, "test")

    def _keep_best(self, trainer: Trainer) -> None:
        if (chosen := _chosen(trainer)) != self._chosen:
            self._chosen, self._best = chosen, self._latest

    def _write(
        self, trainer: Trainer, scores: Scores, model: LightningModule, stage: Stage
    ) -> None:
        data = data_of(trainer, self)
        self.values = detector_of(model, self).evaluate(scores)
        if not trainer.is_global_zero:
            return
        subject = self._subject(data, scores, stage, fitting=trainer.state.fn == "fit")
        found = evaluate(subject)
        with atomic_new_folder(self.parent, self.name) as (folder, aside):
            write_report(aside, found)
        self.folder = folder

    def _subject(
        self, data: DeepfakeDataModule, scores: Scores, stage: Stage, fitting: bool
    ) -> Subject:
        manifest = data.load()
        part = manifest.with_rows(manifest.rows[(manifest.rows["split"] == stage).to_numpy(bool)])
        unscored = without_score(manifest, scores, data.damaged, stage)
        self.unscored = dict(Counter(unscored.values()))
        rows = epoch_predictions(manifest, scores, unscored, self.version)
        about = about_data(manifest, part, stage, rows)
        model, calibration, is_demo = self._detector(fitting)
        if stage == "test" and self.workspace is not None:
            self.looks = about["looks"] = record_look(
                Workspace.find(self.workspace), part, stage,
                scored=str(model.get("digest", "")), command="test",
            )  # fmt: skip
        return Subject(
            name=self.version or self.name,
            predictions=rows,
            window=data.preprocess.aggregation.window,
            calibration=calibration,
            model={**model, "preprocess": data.preprocess.to_dict()},
            data=about,
            notes=(SPLIT_NOTES[stage],) if stage in SPLIT_NOTES else (),
            findings=None if self.findings is None else tuple(self.findings),
            is_demo=is_demo,
        )

    def _detector(self, fitting: bool) -> tuple[dict[str, Any], Calibration, bool]:
        """Return what is known of the network, its calibration, and whether it is a demo's."""
        if self.checkpoint is None:
            return {"kind": "network"}, Calibration(), False
        model = dict(detector_of_checkpoint(self.checkpoint).model)
        if fitting:
            model["status"] = None  # of which nothing is on disk yet
        state = read_checkpoint(self.checkpoint).get("DeepfakeDataModule") or {}
        # What lies beside a checkpoint that was written anew is of the one before.
        fitted = None if fitting else read_calibration(self.checkpoint)
        calibration = fitted or Calibration()
        known = {**model, "path": str(self.checkpoint), "runtime": "torch"}
        return known, calibration, bool(state.get("drawn", False))


def _chosen(trainer: Trainer) -> tuple[object, object]:
    """Return what tells one choice of the best checkpoint from the next."""
    keeper = trainer.checkpoint_callback
    score = getattr(keeper, "best_model_score", None)
    return getattr(keeper, "best_model_path", None), None if score is None else float(score)
