"""From a checkpoint to a bundle."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import create_model

from deepfake_lightning.bundle import load
from deepfake_lightning.bundle.calibrating import fit_checkpoint, not_fitted
from deepfake_lightning.bundle.calibration_file import CalibrationRecord, read_record
from deepfake_lightning.bundle.calibration_items import Progress
from deepfake_lightning.bundle.card import model_card
from deepfake_lightning.bundle.checksums import write_sums
from deepfake_lightning.bundle.export import (
    ServedNetwork,
    agreement,
    check_agreement,
    export_onnx,
    export_weights,
    onnx_network,
    run_onnx,
    run_torch,
)
from deepfake_lightning.bundle.golden import draw_golden, golden_record
from deepfake_lightning.bundle.provenance import provenance
from deepfake_lightning.bundle.reference import (
    Reference,
    reference_arrays,
    reference_record,
    score_reference,
)
from deepfake_lightning.bundle.runs import trained_manifest
from deepfake_lightning.data.clips import ClipReader
from deepfake_lightning.data.demo import is_drawn
from deepfake_lightning.errors import DataError, UsageError
from deepfake_lightning.models.checkpoints import TrainedDetector, load_detector
from deepfake_lightning.schemas import Manifest
from deepfake_lightning.schemas.bundle import Agreements, BundleRecord
from deepfake_lightning.schemas.settings import from_settings
from deepfake_lightning.storage import RUN_RECORD, atomic_folder, atomic_write, write_json

REFERENCE_SPLIT = "val"
CALIBRATE, BUILD = "calibrate", "bundle build"
"""Who fitted a bundle's calibration, as its provenance says."""


def build_bundle(
    checkpoint: Path,
    out: Path | None = None,
    *,
    version: str | None = None,
    run: Path | None = None,
    progress: Progress = lambda what, done, total: None,
) -> load.Bundle:
    """Build a bundle from a checkpoint of a training, whole or not at all.

    Its calibration is the one beside the checkpoint; where there is none, one is fitted with the
    default policy, for the bundle alone. What cannot be calibrated is not, and the bundle says why.

    Args:
        checkpoint: a file of ``fit``.
        out: the folder to be; None: ``bundle`` in the run's folder.
        version: of the detector; None: the run's.
        run: the training's folder, where the checkpoint lies elsewhere.
        progress: told what is being done, how much of it is, and how much there is (0: unknown).

    Raises:
        CheckpointError: the checkpoint is missing, damaged or foreign, or the calibration beside it
            is damaged or another's.
        UsageError: ``out`` exists, or the run is not known.
        BundleError: the network cannot be exported, or its ONNX graph gives other scores.
        DataError: the media of the run's ``val`` split are gone.
    """
    progress("reading the checkpoint", 0, 0)
    trained = load_detector(checkpoint)
    manifest, run = trained_manifest(checkpoint, run)
    out = out or run / "bundle"
    if out.exists():
        raise UsageError(
            f"{out} exists already", why="a bundle is never changed",
            next_step="name another folder with --out, or remove it",
        )  # fmt: skip
    version = _checked(version or _run_version(run))
    calibrated, by = read_record(checkpoint, trained.sha256), CALIBRATE
    parts = _Parts(trained, manifest, run, progress)
    if calibrated is None:
        calibrated, by = _calibrated(checkpoint, trained, manifest, progress), BUILD
    record = parts.record(version)
    progress("writing", 0, 0)
    with atomic_folder(out) as aside:
        parts.write(aside, record, calibrated, by)
        write_sums(aside)
    return load.load_bundle(out)


def _calibrated(
    checkpoint: Path, trained: TrainedDetector, manifest: Manifest, progress: Progress
) -> CalibrationRecord:
    try:
        return fit_checkpoint(checkpoint, trained, manifest, progress=progress)
    except DataError as error:
        return not_fitted(trained, manifest, error.what)


def _run_version(run: Path) -> str:
    path = run / RUN_RECORD
    record = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return str(record.get("version") or "unversioned")


def _checked(version: str) -> str:
    """Return it where a bundle can be called so: what follows takes minutes."""
    field = BundleRecord.model_fields["version"]
    kind = create_model("_Named", version=(Annotated[str, *field.metadata], ...))
    from_settings(kind, {"version": "--version"}, version=version)
    return version


class _Parts:
    """What a bundle is made of, computed once."""

    def __init__(
        self, trained: TrainedDetector, manifest: Manifest, run: Path, progress: Progress
    ) -> None:
        self.trained, self.manifest, self.run = trained, manifest, run
        self.network = ServedNetwork(trained.detector)
        progress("exporting to ONNX", 0, 0)
        self.onnx = export_onnx(self.network, trained.preprocess.size)
        reader = ClipReader(manifest, trained.preprocess, crop_pictures=trained.crop_pictures)
        self.reference: Reference = score_reference(
            manifest, REFERENCE_SPLIT, reader, trained.preprocess, onnx_network(self.onnx),
            lambda done, total: progress(f"scoring the {REFERENCE_SPLIT} split", done, total),
        )  # fmt: skip
        progress("comparing ONNX with PyTorch", 0, 0)
        self.golden = draw_golden(trained.served)
        self.agreement, self.golden_logits = self._agreements()

    def _agreements(self) -> tuple[Agreements, NDArray[np.float32]]:
        inputs = self.reference.inputs
        golden = np.concatenate([picture.inputs for picture in self.golden])
        # Where only large, sharp or sure faces are wanted, no drawn one may be.
        compared = golden if len(golden) else inputs
        plain, plain_compared = (run_torch(self.network, each) for each in (inputs, compared))
        of_inputs = agreement(plain, run_onnx(self.onnx, inputs))
        check_agreement(of_inputs)
        has_gpu = torch.cuda.is_available()
        gpu = [
            agreement(plain, run_torch(self.network, inputs, device="cuda", bf16=bf16))
            if has_gpu
            else None
            for bf16 in (False, True)
        ]
        found = Agreements(
            onnx_cpu=of_inputs,
            onnx_media=agreement(plain_compared, run_onnx(self.onnx, compared)),
            gpu_fp32=gpu[0],
            gpu_bf16=gpu[1],
        )
        return found, plain_compared[0][: len(golden)]

    def record(self, version: str) -> BundleRecord:
        """Return what the bundle says of itself."""
        flip = self.network.test_time_flip
        return BundleRecord(
            schema=2 if flip else 1,
            version=version,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            backbone=self.trained.detector.hparams["backbone"],
            features=self.reference.features.shape[1],
            test_time_flip=flip,
            demo=is_drawn(self.manifest.rows),
            checkpoint=self.trained.sha256,
            agreement=self.agreement,
        )

    def write(
        self, folder: Path, record: BundleRecord, calibrated: CalibrationRecord, by: str
    ) -> None:
        """Write all files but the list of hashes."""
        origin = provenance(self.run, self.manifest, self.trained.sha256, calibrated, by)
        preprocess = self.trained.served
        records: dict[str, dict[str, Any]] = {
            load.RECORD: record.to_dict(),
            load.PREPROCESS: preprocess.to_dict(),
            load.CALIBRATION: calibrated.calibration.to_dict(),
            load.GOLDEN: golden_record(self.golden, self.golden_logits),
            load.REFERENCE: reference_record(self.reference),
            load.PROVENANCE: origin,
        }
        for name, content in records.items():
            write_json(folder / name, content)
        card = model_card(record, preprocess, calibrated, origin, self.reference)
        files = {
            load.WEIGHTS: export_weights(self.trained.detector),
            load.ONNX: self.onnx,
            load.REFERENCE_ARRAYS: reference_arrays(self.reference),
            load.CARD: card.encode(),
            **{picture.name: picture.png for picture in self.golden},
        }
        for name, data in files.items():
            with atomic_write(folder / name) as file:
                file.write(data)
