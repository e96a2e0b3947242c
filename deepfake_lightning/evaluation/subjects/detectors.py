"""A bundle or a checkpoint as what is measured: what scores, what it is, what it was trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.bundle.load import PROVENANCE
from deepfake_lightning.bundle.provenance import data_provenance
from deepfake_lightning.bundle.runs import checkpoint_with
from deepfake_lightning.errors import UsageError
from deepfake_lightning.inference.opening import EngineSource
from deepfake_lightning.schemas import Manifest, read_manifest
from deepfake_lightning.storage import RUN_CONFIG, RUN_MANIFEST, RUN_RECORD, file_hash, run_of

_OF_RUN = ("experiment", "version", "status", "started", "seconds", "epochs", "seed", "device",
           "packages", "monitor", "best_score")  # fmt: skip
_OF_DATA = ("content_hash", "split_policy", "datasets", "methods", "licences")


@dataclass(frozen=True)
class Detector:
    """A detector and where it comes from.

    Attributes:
        name: as reports call it.
        source: what scores.
        model: see :attr:`~deepfake_lightning.evaluation.subject.Subject.model`.
        run: the training's folder; None where it is not known.
        manifest: the training's data, with their splits; None where they are not known.
        checkpoint: its checkpoint's file, which knows what was trained on; None where it is gone.
        data_hash: content hash of the training's data, as the detector itself says.
        face: the training's ``data.face``; None where it is not known.
    """

    name: str
    source: EngineSource
    model: Mapping[str, Any]
    run: Path | None = None
    manifest: Manifest | None = None
    checkpoint: Path | None = None
    data_hash: str | None = None
    face: str | None = None

    def is_own(self, manifest: Manifest) -> bool:
        """Return whether these are the data of its training, rows and splits alike."""
        own = self.data_hash if self.manifest is None else self.manifest.content_hash()
        return own is not None and manifest.content_hash() == own

    def lineage(self, scored: Manifest) -> Mapping[str, Any] | None:
        """Return what it was trained on, as checkpoints keep it; None where it is not known.

        Args:
            scored: the data that are scored: they may be the training's.
        """
        if self.checkpoint is not None:
            from deepfake_lightning.models.checkpoint_file import read_checkpoint

            state = read_checkpoint(self.checkpoint).get("DeepfakeDataModule", {})
            if "trained_on" in state:
                return dict(state)
        known = self.manifest or (scored if self.is_own(scored) else None)
        return None if known is None else _lineage(known)


def _lineage(manifest: Manifest) -> dict[str, Any]:
    from deepfake_lightning.data.lineage import Lineage
    from deepfake_lightning.data.scan import scan_media

    train = (manifest.rows["split"] == "train").to_numpy(bool) & manifest.usable()
    digests = scan_media(manifest, np.flatnonzero(train), quiet=True).digests
    return Lineage().state(manifest, digests)


def detector_of_bundle(
    folder: Path,
    run: Path | None = None,
    source: EngineSource | None = None,
    *,
    likely: Path | None = None,
) -> Detector:
    """Return the detector of a bundle.

    Args:
        folder: of the bundle.
        run: the training's folder; None: the likely one, if the bundle's data are there.
        source: how it is run; None: on the CPU.
        likely: where that folder was; None: the one that the bundle lies in.

    Raises:
        BundleError: it is damaged, changed or foreign.
        UsageError: it was not trained in ``run``.
    """
    bundle = load_bundle(folder)
    origin = bundle.read_json(PROVENANCE)
    data, training = origin.get("data") or {}, origin.get("training") or {}
    likely = likely or folder.absolute().parent
    run, manifest = _run_of_bundle(folder, run, likely, data.get("content_hash"))
    settings = (origin.get("config") or {}).get("data") or {}
    record = bundle.record
    model = {
        "kind": "bundle", "version": record.version, "digest": bundle.digest,
        "checkpoint": record.checkpoint, "backbone": record.backbone, "created": record.created,
        **_trained(training), "training_data": {name: data.get(name) for name in _OF_DATA},
    }  # fmt: skip
    checkpoint = None if run is None else checkpoint_with(run, record.checkpoint)
    return Detector(
        record.version, source or EngineSource(folder), model, run, manifest, checkpoint,
        data.get("content_hash"), settings.get("face"),
    )  # fmt: skip


def _run_of_bundle(
    folder: Path, given: Path | None, likely: Path, content_hash: str | None
) -> tuple[Path | None, Manifest | None]:
    """Return the run that a bundle was trained in, and its data, where both are known."""
    run = given or likely
    path = run / RUN_MANIFEST
    if (run / RUN_CONFIG).is_file() and path.is_file():
        manifest = read_manifest(path)
        if manifest.content_hash() == content_hash:
            return run, manifest
    if given is not None:
        raise UsageError(
            f"{folder} was not trained in {given}",
            why=f"that folder's {RUN_MANIFEST} is missing, or lists other data",
            next_step="leave --run out, or name the folder of its training",
        )
    return None, None


def detector_of_checkpoint(
    path: Path, run: Path | None = None, source: EngineSource | None = None
) -> Detector:
    """Return the detector of a checkpoint; arguments as for :func:`detector_of_bundle`.

    Raises:
        CheckpointError: it is missing, damaged or foreign.
        UsageError: ``run`` is no folder of a training.
    """
    from deepfake_lightning.models.checkpoint_file import read_checkpoint

    checkpoint = read_checkpoint(path)
    if run is not None and not (run / RUN_CONFIG).is_file():
        raise UsageError(
            f"{run} is no folder of a training: it has no {RUN_CONFIG}",
            next_step="name one, mlops/runs/<experiment>/<version>",
        )
    run = run or run_of(path.absolute())
    manifest = None
    if run is not None and (run / RUN_MANIFEST).is_file():
        manifest = read_manifest(run / RUN_MANIFEST)
    state = checkpoint.get("DeepfakeDataModule") or {}
    settings = checkpoint.get("datamodule_hyper_parameters") or {}
    sha256 = file_hash(path)
    blending = settings.get("blending")
    about = data_provenance(manifest, blending) if manifest is not None else dict(state)
    training = _training(run)
    model = {
        "kind": "checkpoint", "version": training.get("version"), "digest": sha256,
        "checkpoint": sha256,
        "backbone": (checkpoint.get("hyper_parameters") or {}).get("backbone"), "created": None,
        **_trained({"epochs": int(checkpoint.get("epoch", -1)) + 1, **training}),
        "training_data": {name: about.get(name) for name in _OF_DATA},
    }  # fmt: skip
    return Detector(
        run.name if run is not None else f"{path.stem} {sha256[:12]}",
        source or EngineSource(checkpoint=path), model, run, manifest, path,
        state.get("content_hash"), settings.get("face"),
    )  # fmt: skip


def _training(run: Path | None) -> dict[str, Any]:
    """Return what a run's folder says of the training; one that was killed has no record."""
    if run is None:
        return {}
    if (run / RUN_RECORD).is_file():
        record: dict[str, Any] = json.loads((run / RUN_RECORD).read_text("utf-8"))
        return {name: record[name] for name in _OF_RUN if name in record}
    config = yaml.safe_load((run / RUN_CONFIG).read_text("utf-8")) or {}
    return {
        "experiment": config.get("experiment"), "version": config.get("version"),
        "seed": config.get("seed_everything"), "status": "unfinished",
    }  # fmt: skip


def _trained(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a training's record belongs into a report."""
    return {
        **{name: training.get(name) for name in ("experiment", "seed", "epochs", "status",
                                                 "monitor", "best_score", "packages")},
        "trained": training.get("started"), "trained_on": training.get("device"),
    }  # fmt: skip
