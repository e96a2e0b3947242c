"""One item under one degradation into an assessment. Runs in processes of its own."""

from __future__ import annotations

import gc
from dataclasses import dataclass

from deepfake_lightning.errors import MediaError
from deepfake_lightning.inference.items import Item
from deepfake_lightning.inference.opening import EngineSource
from deepfake_lightning.inference.worker import opened, score_item
from deepfake_lightning.media.degradations import DEGRADATIONS
from deepfake_lightning.schemas import Assessment


@dataclass(frozen=True)
class Job:
    """One item under one degradation.

    Attributes:
        engine: what scores it.
        item: the item.
        degradation: its key.
        seed: of the item.
    """

    engine: EngineSource
    item: Item
    degradation: str
    seed: tuple[int, ...]


def assess_degraded(job: Job) -> Assessment:
    """Return the assessment of a degraded item; what cannot be read is a result, not an error."""
    engine, item, how = opened(job.engine), job.item, DEGRADATIONS[job.degradation]
    try:
        content, alter = how.of(item.pictures[0].path, item.is_clip, job.seed)
        return score_item(engine, item, alter=alter, content=content)
    except MediaError as error:
        return engine.without_score(item.name, item.media_type, "unreadable", error.what)
    finally:
        # A decoder is part of a cycle, and holds megabytes that Python does not know of.
        if item.media_type == "video":
            gc.collect()
