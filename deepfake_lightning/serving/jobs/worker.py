"""One upload into an assessment. Runs in a process of its own, which ends with its job."""

from __future__ import annotations

import os
from collections.abc import MutableSequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.inference.engine import Engine, FramePicture
from deepfake_lightning.inference.items import Item
from deepfake_lightning.inference.opening import EngineSource
from deepfake_lightning.inference.overlays import SENT_PIXELS, write_overlay
from deepfake_lightning.inference.runtime import Runtime
from deepfake_lightning.inference.worker import opened
from deepfake_lightning.media import Limits, media_kind
from deepfake_lightning.monitoring.log.projection import projection_of, reference_of
from deepfake_lightning.processes import prepare_process
from deepfake_lightning.schemas import Assessment, Calibration
from deepfake_lightning.schemas.calibration import MediaType
from deepfake_lightning.serving.confining import MEMORY, TOO_MUCH, confine_process

NAME = "the upload"
_counts: MutableSequence[int] = [0, 0]


@dataclass(frozen=True)
class Work:
    """What is to be done.

    Attributes:
        engine: what scores it.
        upload: the file.
        media_type: None: told by its first bytes.
        already_cropped: it shows one face that has been cut out.
        overlay: the picture with boxes and scores to write; None for none.
        limits: of a clip.
        max_pixels: of a picture.
    """

    engine: EngineSource
    upload: Path
    media_type: MediaType | None
    already_cropped: bool | None
    overlay: Path | None
    limits: Limits
    max_pixels: int


@dataclass(frozen=True)
class Found:
    """What came of it.

    Attributes:
        assessment: of the upload.
        calibration: of the detector, which scores of single faces are calibrated with.
        projection: of its features, for the prediction log; None where no face was scored.
    """

    assessment: Assessment
    calibration: Calibration
    projection: bytes | None = None


def prepare(counts: MutableSequence[int], niceness: int, device: str) -> None:
    """Set up the process.

    Args:
        counts: shared with who waits for the job: frames done, frames to do.
        niceness: added to the process's; at 10 it yields to all that answers requests.
        device: of the engine.
    """
    global _counts
    prepare_process()
    confine_process(MEMORY if device == "cpu" else None)
    os.nice(niceness)
    _counts = counts


def assess_upload(work: Work) -> Found:
    """Return the assessment of an upload, which is called that and not by its path."""
    opened_engine = opened(work.engine)
    features = _Features(opened_engine.runtime)
    engine = _limited(opened_engine, features, work)
    kind = work.media_type or media_kind(work.upload)
    try:
        found = engine.assess(
            work.upload, name=NAME, media_type=kind, already_cropped=work.already_cropped,
            progress=_note,
        )  # fmt: skip
    except MemoryError:
        found = engine.without_score(NAME, kind, "unreadable", TOO_MUCH)
    if work.overlay is not None and found.status == "ok":
        item = Item(NAME, kind, (FramePicture(work.upload),), (NAME,), {})
        write_overlay(work.overlay, item, found, engine.calibration.of(kind), SENT_PIXELS)
    if found.reason is not None:
        found = replace(found, reason=found.reason.replace(str(work.upload), NAME))
    return Found(found, engine.calibration, _projection(work.engine, features))


class _Features:
    """A network that keeps the sum of the features it gives: those of a long clip are many."""

    def __init__(self, runtime: Runtime) -> None:
        self.name, self.device = runtime.name, runtime.device
        self._runtime = runtime
        self.faces = 0
        self.sum: NDArray[np.float64] | float = 0.0

    def run(self, images: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        logits, features = self._runtime.run(images)
        self.faces += len(features)
        self.sum = self.sum + features.sum(axis=0, dtype=np.float64)
        return logits, features


def _projection(source: EngineSource, features: _Features) -> bytes | None:
    if not features.faces or source.bundle is None:
        return None
    mean = np.asarray(features.sum, np.float64)[None] / features.faces
    return projection_of(mean.astype(np.float32), *reference_of(load_bundle(source.bundle)))


def _note(done: int, to_do: int) -> None:
    _counts[0], _counts[1] = done, to_do


def _limited(engine: Engine, runtime: Runtime, work: Work) -> Engine:
    return Engine(
        runtime, engine.preprocess, engine.calibration, version=engine.version,
        digest=engine.digest, is_demo=engine.is_demo, limits=work.limits,
        max_pixels=work.max_pixels,
    )  # fmt: skip
