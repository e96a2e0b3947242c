"""Clips and pictures from file to verdict, in a process that does nothing else."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass

from deepfake_lightning.inference.benchmark.plan import RuntimeKind
from deepfake_lightning.inference.items import Item
from deepfake_lightning.inference.opening import EngineSource
from deepfake_lightning.inference.stages import StageClock
from deepfake_lightning.inference.worker import opened, score_item
from deepfake_lightning.schemas.assessment import Status


@dataclass(frozen=True)
class ItemTime:
    """How long one assessment took, seconds.

    Attributes:
        status: what came of it.
        whole: from file to verdict.
        decode, faces, network: parts of it, see
            :class:`~deepfake_lightning.inference.stages.StageClock`.
        scored: faces that the network was shown.
        frames: that were looked at.
    """

    status: Status
    whole: float
    decode: float
    faces: float
    network: float
    scored: int
    frames: int


def open_engine_here(source: EngineSource) -> tuple[RuntimeKind, str]:
    """Open the engine of this process; return its runtime's name and device.

    Raises:
        DeepfakeLightningError: it cannot be opened, or not so.
    """
    runtime = opened(source).runtime
    return ("onnx" if runtime.name == "onnx" else "torch"), runtime.device


def time_item(source: EngineSource, item: Item) -> ItemTime:
    """Assess an item, and return how long it took."""
    engine, stages = opened(source), StageClock()
    began = time.perf_counter()
    found = score_item(engine, item, stages)
    if item.media_type == "video":
        gc.collect()  # as `predict` does after each clip
    whole = time.perf_counter() - began
    frames = found.examined.frames if found.examined else len(item.pictures)
    return ItemTime(
        found.status, whole, stages.seconds["decode"], stages.seconds["faces"],
        stages.seconds["network"], len(found.faces), frames,
    )  # fmt: skip


def time_passes(source: EngineSource, items: Sequence[Item], passes: int) -> float:
    """Assess all items so many times; return the rate, items a second."""
    began = time.perf_counter()
    for _ in range(passes):
        for item in items:
            time_item(source, item)
    return passes * len(items) / (time.perf_counter() - began)
