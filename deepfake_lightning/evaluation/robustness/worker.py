"""One item under one degradation into an assessment, or a face. Runs in processes of its own."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from deepfake_lightning.errors import DegradationError
from deepfake_lightning.evaluation.robustness.record import Face
from deepfake_lightning.evaluation.robustness.strip import example_face
from deepfake_lightning.inference.items import Item
from deepfake_lightning.inference.opening import EngineSource
from deepfake_lightning.inference.worker import opened, score_item
from deepfake_lightning.media.degradations import DEGRADATIONS
from deepfake_lightning.processes import Lost
from deepfake_lightning.schemas import Assessment


@dataclass(frozen=True)
class Job:
    """One item under one degradation.

    Attributes:
        engine: what scores it.
        item: the item.
        degradation: its key; None: as it is.
        seed: of the item.
        shown: its first face is drawn, and nothing is scored.
    """

    engine: EngineSource
    item: Item
    degradation: str | None
    seed: tuple[int, ...]
    shown: bool = False


def work(job: Job) -> Assessment | Face | Lost:
    """Return the assessment of a degraded item, or its face.

    What cannot be read any more is a result; an item that could not be degraded is lost.
    """
    engine, item = opened(job.engine), job.item
    how = None if job.degradation is None else DEGRADATIONS[job.degradation]
    try:
        with TemporaryDirectory(prefix="degraded-") as folder:
            if job.shown:
                return example_face(engine, item, how, job.seed, Path(folder))
            assert how is not None
            first = item.pictures[0].path
            content, alter = how.of(first, item.is_clip, job.seed, Path(folder))
            return score_item(engine, item, alter=alter, content=content)
    except DegradationError as error:
        return Lost(error.what)
    finally:
        # A decoder is part of a cycle, and holds megabytes that Python does not know of.
        if item.media_type == "video":
            gc.collect()
