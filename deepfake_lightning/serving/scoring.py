"""A request's media into an assessment: decoded in a process, scored in a batch, concluded."""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.inference.sighting import Sighting
from deepfake_lightning.schemas import Assessment
from deepfake_lightning.serving.answers import Refusal
from deepfake_lightning.serving.decoding import DecoderCrashed, DecodingPool, Media
from deepfake_lightning.serving.fleet.lineup import Served

_NAME = "the upload"


@dataclass(frozen=True)
class Scored:
    """What a version found out.

    Attributes:
        found: the assessment.
        sighting: what it rests on; another version with the same preprocessing can score it, too.
        projection: of its features, for the prediction log; None where no face was scored.
    """

    found: Assessment
    sighting: Sighting
    projection: bytes | None


async def score(
    media: Media, served: Served, pool: DecodingPool, seconds: float, seen: Sighting | None = None
) -> Scored:
    """Score media with a version.

    Args:
        media: what to score.
        served: the version.
        pool: of decoders.
        seconds: that it may take.
        seen: what was seen already with this version's preprocessing.

    Raises:
        Refusal: it takes longer.
        BundleError: the network gives no numbers.
    """
    began = time.perf_counter()
    try:
        place = nullcontext() if seen is not None else pool.place(media.kind)
        async with asyncio.timeout(seconds), place:
            if seen is None:
                seen = await _look(media, served, pool, seconds)
            logits: NDArray[np.float32] = np.zeros(0, np.float32)
            network, projection = 0.0, None
            if seen.seen:
                result = await served.batcher.run([each.image for each in seen.seen])
                logits, network = result.logits, result.seconds
                projection = served.project(result.features)
    except TimeoutError:
        raise Refusal(
            503, "deadline", f"there was no result within {seconds:g} seconds",
            "try again later; send a long clip as a job (POST /v1/jobs)", {"Retry-After": "5"},
        ) from None  # fmt: skip
    total = time.perf_counter() - began
    found = served.engine.conclude(_NAME, seen, logits.tolist(), seconds=total, network=network)
    return Scored(_with_queue(found), seen, projection)


async def _look(media: Media, served: Served, pool: DecodingPool, seconds: float) -> Sighting:
    try:
        return await pool.sight(media, served.engine.preprocess, seconds)
    except DecoderCrashed:
        return Sighting(media.kind, fault="the upload crashes its decoder")


def _with_queue(found: Assessment) -> Assessment:
    """Return it with the time in which nothing was done for it, which is not the media's."""
    times = found.milliseconds
    work = sum(times.get(stage, 0.0) for stage in ("decode", "faces", "network"))
    queue = round(max(0.0, times["total"] - work), 3)
    media = round(max(0.0, times["total"] - times["network"] - queue), 3)
    return replace(found, milliseconds={**times, "media": media, "queue": queue})
