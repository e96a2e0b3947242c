"""One item into an assessment, and a picture of it. Runs in processes of its own."""

from __future__ import annotations

import gc
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from deepfake_lightning.inference.engine import Engine
from deepfake_lightning.inference.items import Item
from deepfake_lightning.inference.opening import EngineSource
from deepfake_lightning.inference.overlays import overlay_path, write_overlay
from deepfake_lightning.inference.stages import StageClock
from deepfake_lightning.media.degradations import Alter
from deepfake_lightning.schemas import Assessment
from deepfake_lightning.schemas.assessment import Status


@dataclass(frozen=True)
class Job:
    """What is to be done with one item.

    Attributes:
        engine: what scores it.
        item: the item.
        overlays: folder for pictures with boxes and scores; None for none.
    """

    engine: EngineSource
    item: Item
    overlays: Path | None = None


def assess_item(job: Job) -> Assessment:
    """Return the assessment of an item; one that cannot be read is a result, not an error."""
    engine, item = opened(job.engine), job.item
    try:
        found = score_item(engine, item)
        if job.overlays is not None and found.status == "ok":
            calibration = engine.calibration.of(item.media_type)
            write_overlay(overlay_path(job.overlays, item.name), item, found, calibration)
        return found
    finally:
        # A decoder is part of a cycle, and holds megabytes that Python does not know of.
        if item.media_type == "video":
            gc.collect()


def opened(source: EngineSource) -> Engine:
    """Return the engine of this process; a checkpoint may have been calibrated since."""
    return _opened(source, source.stamp())


@lru_cache(maxsize=1)
def _opened(source: EngineSource, stamp: tuple[int, ...]) -> Engine:
    return source.open()


def shared(source: EngineSource, workers: int) -> EngineSource:
    """Return what so many processes open: all of them what was opened here, or none does."""
    engine = opened(source)
    # Several processes with a thread for each core are in each other's way.
    many = source.device == "cpu" and workers > 1
    return replace(
        source, digest=engine.digest, calibration=engine.calibration,
        threads=source.threads or (1 if many else None),
    )  # fmt: skip


def cropped(engine: Engine, item: Item) -> bool | None:
    """Return whether an item's pictures are taken for crops; None: where a face is in them."""
    if item.already_cropped is None and item.is_listed and engine.preprocess.input == "crop":
        return True  # as training and testing take the pictures of a data set
    return item.already_cropped


def score_item(
    engine: Engine,
    item: Item,
    stages: StageClock | None = None,
    *,
    alter: Alter | None = None,
    content: Path | bytes | None = None,
) -> Assessment:
    """Return what an engine says of an item.

    Args:
        engine: what scores it.
        item: the item.
        stages: a new clock, to be read when this is done.
        alter: changes what was decoded, before faces are looked for.
        content: what is scored instead of the item's one file.
    """
    if item.status is not None:
        status: Status = "no_face" if item.status == "no_face" else "unreadable"
        reason = "says the manifest of its extraction"
        return engine.without_score(item.name, item.media_type, status, reason)
    as_crop = cropped(engine, item)
    if item.is_frames:
        return engine.assess_frames(
            item.pictures, name=item.name, media_type=item.media_type, already_cropped=as_crop,
            stages=stages, alter=alter,
        )  # fmt: skip
    return engine.assess(
        content or item.pictures[0].path, name=item.name, media_type=item.media_type,
        already_cropped=as_crop if item.media_type == "image" else None, stages=stages,
        alter=alter,
    )  # fmt: skip
