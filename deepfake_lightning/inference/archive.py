"""Score an archive of any size, in several processes, and go on where an earlier run stopped."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from deepfake_lightning.errors import (
    BundleError,
    CheckpointError,
    StorageError,
    UsageError,
    WeightsError,
)
from deepfake_lightning.inference.engine import Engine
from deepfake_lightning.inference.items import Archive, Item
from deepfake_lightning.inference.ledger import Ledger
from deepfake_lightning.inference.opening import EngineSource
from deepfake_lightning.inference.overlays import overlay_path
from deepfake_lightning.inference.rows import item_row, prediction_rows
from deepfake_lightning.inference.tally import Record, Tally
from deepfake_lightning.inference.worker import Job, assess_item, opened, shared
from deepfake_lightning.processes import (
    Cluster,
    Lost,
    count_workers,
    prepare_process,
    run_here,
    run_jobs,
)
from deepfake_lightning.schemas import Assessment, Calibration
from deepfake_lightning.schemas.items import ITEM_COLUMNS, item_rows, items_path
from deepfake_lightning.schemas.table_writer import TableWriter, check_format
from deepfake_lightning.storage import lock, remove_unfinished

END_ALL = (BundleError, CheckpointError, StorageError, UsageError, WeightsError)
"""Errors of one item that end a scoring: they are not the item's."""


def score_archive(
    archive: Archive,
    engine: EngineSource,
    out: Path | None = None,
    *,
    overlays: Path | None = None,
    workers: int | None = None,
    timeout: float = 600.0,
    overwrite: bool = False,
    shown: int = 30,
    cluster: Cluster | None = None,
    phase: Callable[[str, int], None] = lambda what, number: None,
    progress: Callable[[Assessment | None], None] = lambda found: None,
) -> Tally:
    """Score all items; write a predictions table and an items table, each whole or not at all.

    The same items and detector give the same table for any number of workers, machines and
    interruptions.
    An item that crashes its decoder, or takes longer than ``timeout``, is ``unreadable``.

    Args:
        archive: the items.
        engine: what scores them; every process opens its own.
        out: the predictions table (CSV, Parquet, JSON); None: none is written, and a stopped
            scoring begins anew.
        overlays: folder for pictures with boxes and scores.
        workers: processes; None: as many as there are cores, and none for a single picture.
        timeout: seconds that one item may take.
        overwrite: replace a table that exists.
        shown: how many items the tally keeps, at most.
        cluster: of machines that all see media, detector and ``overlays``; None: this one alone.
        phase: told what is done next, and with how many items.
        progress: told of each item: its assessment, where it was just made.

    Raises:
        UsageError: ``out`` exists, or holds other scores half done; or a setting cannot work.
        BundleError, CheckpointError: the detector cannot be loaded.
        StorageError: another process writes the same table, or the disk refuses.
        ClusterError: the cluster does not do the work; what is in the ledger of ``out`` is kept.
    """
    number = count_workers(workers, timeout, cluster)
    team = _Team(engine, overlays, number, timeout, workers is None and cluster is None, cluster)
    if out is None:
        tally = Tally(shown)
        phase("scoring", len(archive))
        for _, found in team.assessed(iter(archive), len(archive)):
            progress(found)
            tally.add(found.to_dict())
        return tally
    check_format(out)
    for table in (out, items_path(out)):
        if table.exists() and not overwrite:
            raise UsageError(
                f"{table} exists already", next_step="name another --out, or pass --overwrite true"
            )
    ledger = Ledger(out, _settings(archive, engine))
    with lock(ledger.lines, timeout=2.0):
        ledger.open()
        try:
            todo = _to_do(archive, ledger, overlays, phase, progress)
            phase("scoring", len(todo))
            items = (ledger.begin(item) for place, item in enumerate(archive) if place in todo)
            with closing(team.assessed(items, len(todo))) as results:
                for item, found in results:
                    ledger.write(item, found)
                    progress(found)
        finally:
            ledger.close()
        for folder in (out.parent, *_folders(overlays)):
            remove_unfinished(folder)
        phase("writing the table", len(archive))
        tally = _write(archive, ledger, out, shown, progress)
        tally.done_before = len(archive) - len(todo)
        ledger.remove()
    return tally


def _to_do(
    archive: Archive,
    ledger: Ledger,
    overlays: Path | None,
    phase: Callable[[str, int], None],
    progress: Callable[[Assessment | None], None],
) -> set[int]:
    """Return the places of the items that have to be scored."""
    if not len(ledger):
        return set(range(len(archive)))
    phase("looking up what is done", len(archive))
    todo = set()
    for place, item in enumerate(archive):
        if not _is_done(ledger, item, overlays):
            todo.add(place)
        progress(None)
    return todo


def _is_done(ledger: Ledger, item: Item, overlays: Path | None) -> bool:
    """Return whether an item is scored, and its picture drawn where one is wanted."""
    if not ledger.has(item):
        return False
    if overlays is None or not ledger.has_score(item):
        return True
    return overlay_path(overlays, item.name).exists()


def _folders(overlays: Path | None) -> Iterator[Path]:
    """Yield all folders in which pictures are drawn."""
    for parent, *_ in os.walk(overlays) if overlays is not None else ():
        yield Path(parent)


def _settings(archive: Archive, engine: EngineSource) -> Record:
    """Return what has a part in a score."""
    return {
        "schema": 1,
        "already_cropped": archive.already_cropped,
        "detector": opened(engine).digest,
        "calibration": _digest(opened(engine).calibration),  # a checkpoint's may be fitted anew
        "runtime": opened(engine).runtime.name,
        "device": engine.device,
        "precision": engine.precision,
    }


def _digest(calibration: Calibration) -> str:
    return hashlib.sha256(calibration.model_dump_json().encode()).hexdigest()[:16]


@dataclass(frozen=True)
class _Team:
    """Who does the scoring: processes, those of a cluster, or this one for a single picture."""

    engine: EngineSource
    overlays: Path | None
    workers: int
    timeout: float
    alone: bool
    cluster: Cluster | None = None

    def assessed(
        self, items: Iterator[Item], number: int
    ) -> Generator[tuple[Item, Assessment], None, None]:
        """Yield items with their assessments, as they are done."""
        engine = opened(self.engine)
        if number == 1 and self.alone:
            item = next(items)
            if item.media_type == "image":  # a second and a half sooner than in another process
                job = Job(self.engine, item, self.overlays)
                found = run_here(assess_item, job, raised=END_ALL)
                yield item, assessment_of(item, found, engine)
                return
            items = iter([item])
        same = shared(self.engine, self.workers)
        if self.cluster is not None and self.overlays is not None:
            self.overlays.mkdir(parents=True, exist_ok=True)  # seen by all, or by none
        results = run_jobs(
            assess_item, ((item, Job(same, item, self.overlays)) for item in items),
            workers=self.workers, timeout=self.timeout, prepare=prepare_process, raised=END_ALL,
            cluster=self.cluster, needs=_needs,
        )  # fmt: skip
        with closing(results):
            for item, found in results:
                yield item, assessment_of(item, found, engine)


def _needs(job: Job) -> Iterator[Path]:
    """Yield what a machine has to see; of many pictures the first stands for all."""
    yield from (path for path in (job.engine.bundle, job.engine.checkpoint) if path is not None)
    yield from (picture.path for picture in job.item.pictures[:1])
    if job.overlays is not None:
        yield job.overlays


def assessment_of(item: Item, found: Assessment | Lost, engine: Engine) -> Assessment:
    """Return the assessment of an item; one that was lost cannot be read."""
    if not isinstance(found, Lost):
        return found
    return engine.without_score(item.name, item.media_type, "unreadable", found.reason)


def _write(
    archive: Archive,
    ledger: Ledger,
    out: Path,
    shown: int,
    progress: Callable[[Assessment | None], None],
) -> Tally:
    tally = Tally(shown)
    # The table that was asked for is written last: once it is there, all is.
    with TableWriter(out) as faces, TableWriter(items_path(out), ITEM_COLUMNS, item_rows) as items:
        for item, record in ledger.records(iter(archive)):
            tally.add(record)
            items.add(item_row(item, record))
            for row in prediction_rows(item, record):
                faces.add(row)
            progress(None)
    return tally
