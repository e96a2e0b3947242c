"""Items scored under every degradation, through the engine of production."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from deepfake_lightning.data.demo import is_drawn
from deepfake_lightning.evaluation.levels import levels_of
from deepfake_lightning.evaluation.robustness.drawing import draw_items
from deepfake_lightning.evaluation.robustness.gathering import Gathered
from deepfake_lightning.evaluation.robustness.plan import Plan
from deepfake_lightning.evaluation.robustness.record import DegradedScores
from deepfake_lightning.evaluation.robustness.worker import Job, work
from deepfake_lightning.evaluation.subject import Subject
from deepfake_lightning.inference.archive import END_ALL
from deepfake_lightning.inference.engine import Engine
from deepfake_lightning.inference.items import Archive, Item
from deepfake_lightning.inference.opening import EngineSource
from deepfake_lightning.inference.tally import Record
from deepfake_lightning.inference.worker import cropped, opened, shared
from deepfake_lightning.media.degradations import DEGRADATIONS
from deepfake_lightning.processes import count_workers, prepare_process, run_jobs
from deepfake_lightning.schemas import Assessment, Manifest
from deepfake_lightning.schemas.predictions import predictions_rows

Place = Literal["clip", "picture", "crop"]


def degraded_scores(
    subject: Subject,
    source: EngineSource,
    part: Manifest,
    already_cropped: bool | None,
    plan: Plan,
    *,
    workers: int | None = None,
    timeout: float = 600.0,
    phase: Callable[[str, int], None] = lambda what, number: None,
    progress: Callable[[Assessment | None], None] = lambda found: None,
) -> DegradedScores:
    """Draw items of those that have a score and a label, and score them under each degradation.

    The same items, detector and seed give the same scores, for any number of workers.

    Args:
        subject: the clean scores.
        source: of the detector.
        part: the rows that were scored.
        already_cropped: as they were scored.
        plan: what is degraded.
        workers: processes; None: as many as there are cores.
        timeout: seconds that one item may take under one degradation.
        phase: told what is done next, and how much of it there is.
        progress: told of each item and degradation.

    Raises:
        UsageError: the plan degrades nothing.
        BundleError, CheckpointError: the detector cannot be loaded.
    """
    levels = levels_of(subject)
    level, names = levels.item, levels.items["video_id"].to_numpy(str)[levels.item.item]
    drawn = names[draw_items(names.tolist(), level.label, level.group, plan.items, plan.seed)]
    rows = part.rows[part.rows["video_id"].isin(set(drawn.tolist()))]
    there = list(Archive([part.with_rows(rows)], already_cropped))
    engine, number = opened(source), count_workers(workers, timeout)
    same = shared(source, number)
    item = _surest(there, dict(zip(names.tolist(), level.logit.tolist(), strict=True)))
    if item is not None and not plan.pictures:
        item = item if is_drawn(rows[rows["video_id"] == name_of(item)]) else None
    jobs = _jobs(there, item, same, plan.seed)
    phase("scoring degraded items", len(jobs))
    found = Gathered()
    results = run_jobs(work, ((job, job) for job in jobs), workers=number, timeout=timeout,
                       prepare=prepare_process, raised=END_ALL)  # fmt: skip
    with closing(results):
        for job, result in results:
            found.add(job, result)
            progress(result if isinstance(result, Assessment) else None)
    tables = [_items(subject, key, found.rows[key]) for key in DEGRADATIONS if key in found.rows]
    empty = pd.DataFrame(columns=["degradation", "video_id", "status", "logit"])
    return DegradedScores(
        pd.concat(tables, ignore_index=True) if tables else empty, tuple(drawn.tolist()),
        len(names), dict(Counter(place_of(engine, one) for one in there)), plan.seed,
        tuple(found.faces[key] for key in (None, *DEGRADATIONS) if key in found.faces),
        None if item is None else name_of(item), found.unmade(), already_cropped,
    )  # fmt: skip


def _jobs(items: list[Item], example: Item | None, source: EngineSource, seed: int) -> list[Job]:
    """Return each item under each degradation that it can undergo, and the example's faces."""
    ways = [
        (item, key) for item in items for key, how in DEGRADATIONS.items()
        if how.applies(item.is_clip)
    ]  # fmt: skip
    jobs = [Job(source, item, key, seed_of(item, seed)) for item, key in ways]
    if example is None:
        return jobs
    mine = [None, *(key for item, key in ways if item is example)]
    return [*jobs, *(Job(source, example, key, seed_of(example, seed), shown=True) for key in mine)]


def _items(subject: Subject, key: str, rows: list[Record]) -> pd.DataFrame:
    """Return the items of one degradation, their scores made of faces as the clean ones are."""
    table = predictions_rows(pd.DataFrame(rows).assign(schema=1), Path(key))
    items = levels_of(replace(subject, predictions=table)).items
    logit = items["logit"].to_numpy(np.float64, na_value=np.nan)
    return pd.DataFrame(
        {"degradation": key, "video_id": items["video_id"], "status": items["status"],
         "logit": logit}
    )  # fmt: skip


def _surest(items: list[Item], logits: Mapping[str, float]) -> Item | None:
    """Return the fake with the highest clean score, the real where there is no fake."""
    fakes = [one for one in items if one.known.get("label") == 1]
    return max(fakes or items, key=lambda one: logits[name_of(one)], default=None)


def place_of(engine: Engine, item: Item) -> Place:
    """Return what of an item is degraded: the clip, the whole picture, or a crop of a face."""
    if item.is_clip:
        return "clip"
    as_crop = cropped(engine, item)
    assumed = as_crop is None and engine.preprocess.input == "crop"
    return "crop" if as_crop or assumed else "picture"


def name_of(item: Item) -> str:
    """Return the ``video_id`` of an item."""
    return str(item.known["video_id"])


def seed_of(item: Item, seed: int) -> tuple[int, int]:
    """Return the seed of an item: the same wherever its file lies."""
    digest = hashlib.blake2b(name_of(item).encode("utf-8", "surrogatepass"), digest_size=8)
    return seed, int.from_bytes(digest.digest(), "big")
