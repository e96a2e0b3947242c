"""Media from file to verdict: how long, where the time goes, and how many processes do more."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from statistics import fmean
from typing import TypeVar

from deepfake_lightning.errors import DataError
from deepfake_lightning.inference.benchmark.figures import cost_per_1000, latency
from deepfake_lightning.inference.benchmark.media_calls import (
    ItemTime,
    open_engine_here,
    time_item,
    time_passes,
)
from deepfake_lightning.inference.benchmark.media_source import TimedMedia, choose_media
from deepfake_lightning.inference.benchmark.own_process import (
    OwnProcess,
    own_processes,
    peak_memory_mb,
)
from deepfake_lightning.inference.benchmark.plan import Plan
from deepfake_lightning.inference.benchmark.record import HowRun, MediaRow, Parts
from deepfake_lightning.inference.opening import EngineSource
from deepfake_lightning.schemas.calibration import NOUNS

Number = TypeVar("Number", int, float)
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class _Times:
    """What was measured of one kind of media."""

    times: Sequence[ItemTime]
    memory: float | None
    together: float | None


def time_media(
    source: EngineSource, data: str | None, plan: Plan, folder: Path, progress: Progress
) -> tuple[MediaRow, ...]:
    """Time clips and pictures, each kind by itself.

    One process assesses all chosen items in turn, again and again until the plan's seconds are
    over; then, where several processes are asked for, each of them does the same work at once,
    beginning with another item.

    Args:
        source: the detector, and how it is run; ``threads`` is set.
        data: see :func:`~.media_source.choose_media`.
        plan: what is timed.
        folder: for clips that are drawn.
        progress: told what is done, how much of it is, and how much there is.

    Raises:
        DeepfakeLightningError: nothing can be timed, or the engine cannot be opened.
    """
    if not plan.clips:
        return ()
    drawn = folder / "drawn"
    progress("drawing clips" if data is None else "looking at the data", 0, 0)
    rows = []
    for media in choose_media(data, plan.clips, drawn):
        with own_processes([NOUNS[media.media_type]]) as (process,):
            progress("opening the engine", 0, 0)
            name, device = process.run(open_engine_here, source)
            times = _alone(process, source, media, plan.seconds, progress)
            memory = process.run(peak_memory_mb)
        media, times = _readable(media, times)
        together = None
        if plan.workers > 1:
            a_pass = fmean(one.whole for one in times) * len(media.items)
            passes = max(1, math.ceil(plan.seconds / a_pass))
            together = _together(source, media, plan.workers, passes, progress)
        how = HowRun(
            runtime=name, device=device, precision=source.precision, threads=source.threads or 1
        )
        rows.append(_row(how, media, _Times(times, memory, together), plan))
    return tuple(rows)


def _alone(
    process: OwnProcess,
    source: EngineSource,
    media: TimedMedia,
    seconds: float,
    progress: Progress,
) -> list[ItemTime]:
    """Return the times of one process: whole passes over the items, one at least."""
    process.run(time_item, source, media.items[0])
    noun, count = NOUNS[media.media_type], len(media.items)
    found: list[ItemTime] = []
    end = time.perf_counter() + seconds
    while not found or time.perf_counter() < end:
        for done, item in enumerate(media.items):
            progress(f"timing {noun}, pass {len(found) // count + 1}", done, count)
            found.append(process.run(time_item, source, item))
    return found


def _readable(media: TimedMedia, times: list[ItemTime]) -> tuple[TimedMedia, list[ItemTime]]:
    """Leave out what looked like media and could not be read to the end."""
    good = [one.status != "unreadable" for one in times[: len(media.items)]]
    if not any(good):
        raise DataError(
            f"no {NOUNS[media.media_type]} of {media.source} can be read to the end",
            next_step="name others",
        )
    items = tuple(item for item, is_good in zip(media.items, good, strict=True) if is_good)
    lost = len(media.items) - len(items)
    kept = [one for one, is_good in zip(times, cycle(good), strict=False) if is_good]
    return replace(media, items=items, unreadable=media.unreadable + lost), kept


def _together(
    source: EngineSource, media: TimedMedia, workers: int, passes: int, progress: Progress
) -> float:
    """Return the rate of several processes, items a second: the sum of theirs."""
    noun, items = NOUNS[media.media_type], list(media.items)
    with own_processes([f"process {number}" for number in range(workers)]) as processes:
        progress(f"opening {workers} engines", 0, 0)
        waiting = [process.start(time_item, source, items[0]) for process in processes]
        for wait in waiting:
            wait()
        starts = [number * len(items) // workers for number in range(workers)]
        rates = [
            process.start(time_passes, source, items[at:] + items[:at], passes)
            for process, at in zip(processes, starts, strict=True)
        ]
        found = []
        for done, rate in enumerate(rates):
            progress(f"timing {noun} with {workers} processes", done, workers)
            found.append(rate())
    return sum(found)


def _row(how: HowRun, media: TimedMedia, found: _Times, plan: Plan) -> MediaRow:
    times = found.times
    whole = fmean(one.whole for one in times)
    decode, faces, model = (
        fmean(getattr(one, part) for one in times) for part in ("decode", "faces", "network")
    )
    took = latency([one.whole for one in times])
    fastest = max(1 / whole, found.together or 0.0)
    return MediaRow(
        **how.model_dump(), media_type=media.media_type, source=media.source, drawn=media.drawn,
        items=len(media.items),
        without_face=sum(one.status == "no_face" for one in times[: len(media.items)]),
        unreadable=media.unreadable, timed=len(times), p50_ms=took.p50, p95_ms=took.p95,
        p99_ms=took.p99, seconds=whole,
        parts=Parts(
            decode=decode, faces=faces, model=model, other=max(0.0, whole - decode - faces - model)
        ),
        faces=fmean(one.scored for one in times), frames=fmean(one.frames for one in times),
        length_seconds=_range(media.lengths) if media.lengths else None,
        width=_range(media.widths), height=_range(media.heights), per_second=1 / whole,
        workers=plan.workers, per_second_with_workers=found.together,
        peak_memory_mb=found.memory, cost_per_1000=cost_per_1000(plan.price, fastest),
    )  # fmt: skip


def _range(values: Sequence[Number]) -> tuple[Number, Number]:
    return min(values), max(values)
