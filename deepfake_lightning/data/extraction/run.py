"""Extract many sources with several processes, and go on where an earlier run was stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from deepfake_lightning.data.extraction.journal import Entry, Journal
from deepfake_lightning.data.extraction.results import Summary, finish
from deepfake_lightning.data.extraction.sources import Source, balanced, share
from deepfake_lightning.data.extraction.worker import Job, Outcome, extract_one
from deepfake_lightning.errors import StorageError
from deepfake_lightning.processes import (
    Cluster,
    Lost,
    count_workers,
    prepare_process,
    run_jobs,
)
from deepfake_lightning.schemas import Extraction, Sampling
from deepfake_lightning.storage import lock

Task = tuple[tuple[Entry, Path], Job]


def extract(
    sources: Sequence[Source],
    inputs: Sequence[Path],
    out: Path,
    settings: Extraction,
    *,
    workers: int | None = None,
    shard: str = "1/1",
    timeout: float = 3600.0,
    prune: bool = False,
    cluster: Cluster | None = None,
    started: Callable[[int], None] = lambda todo: None,
    progress: Callable[[Outcome], None] = lambda outcome: None,
) -> Summary:
    """Write the pictures of ``sources`` to ``out``, and the manifest once all shards are done.

    The same sources and settings give the same bytes for any number of workers, shards and
    machines, also after any number of interruptions. A file that cannot be read, that crashes its
    decoder or that takes longer than ``timeout`` is noted, and the others go on.

    Args:
        sources: of all shards, as :func:`~deepfake_lightning.data.extraction.list_sources` gives
            them.
        inputs: what they were listed from; other media into the same folder are refused.
        out: folder for pictures, manifest and record.
        settings: how pictures are made.
        workers: processes; None: as many as there are cores.
        shard: which part of the work to do, ``i/n``; other processes do the others.
        timeout: seconds that one source may take.
        prune: remove the pictures of sources that are no longer there.
        cluster: of machines that all see sources and ``out``; None: this one alone.
        started: told how many sources are to be done.
        progress: told what became of each.

    Raises:
        UsageError: ``out`` holds something else, or a setting cannot work.
        StorageError: another process works on the same shard, or the disk refuses.
        ClusterError: the cluster does not do the work; what is done is kept.
    """
    own = share(sources, shard)
    samplings = _samplings(sources, settings)
    processes = count_workers(workers, timeout, cluster)
    journal = Journal(out, settings, shard)
    journal.check(inputs)
    with _typed_disk_errors(out):
        with lock(journal.path.with_suffix(""), timeout=2.0):
            done, todo = _begun(journal, inputs, own, samplings)
            started(len(todo))
            try:
                tasks = (_task(source, samplings[source.key], journal) for source in todo)
                results = run_jobs(
                    extract_one, tasks, workers=processes, timeout=timeout,
                    prepare=prepare_process, raised=(StorageError,), cluster=cluster,
                    needs=lambda job: (job.file, job.folder),
                )  # fmt: skip
                with closing(results):
                    for (entry, folder), outcome in results:
                        if isinstance(outcome, Lost):
                            outcome = Outcome("unreadable", outcome.reason)
                        journal.write(replace(entry, outcome=outcome), folder)
                        progress(outcome)
            finally:
                journal.close()
        with lock(journal.state / "manifest"):
            done = journal.entries()
            missing = sum(
                not journal.is_noted(done.get(source.key), source, str(samplings[source.key]))
                for source in sources
            )
            manifest, gone = None, 0
            if not missing and not journal.others_at_work():
                manifest, gone = finish(journal, sources, prune=prune)
    return Summary([done[source.key] for source in own], len(todo), missing, gone, manifest)


def _begun(
    journal: Journal, inputs: Sequence[Path], own: list[Source], samplings: dict[str, Sampling]
) -> tuple[dict[str, Entry], list[Source]]:
    """Open the journal; return what is done, and which sources are to be done."""
    journal.open(inputs)
    done = journal.entries()
    return done, [
        source
        for source in own
        if not journal.is_current(done.get(source.key), source, str(samplings[source.key]))
    ]


@contextmanager
def _typed_disk_errors(out: Path) -> Iterator[None]:
    """Turn what the disk refuses into a :class:`StorageError`."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{out} could not be written: {error.strerror or error}",
            why="what is done is kept",
            next_step="free space or fix permissions there, then run the command again",
        ) from error


def _samplings(sources: Sequence[Source], settings: Extraction) -> dict[str, Sampling]:
    """Return the sampling of each source, by key."""
    plain = Sampling.parse(settings.sampling)
    by_label = balanced(sources, plain) if settings.balance else {}
    return {source.key: by_label.get(source.fields["label"], plain) for source in sources}


def _task(source: Source, sampling: Sampling, journal: Journal) -> Task:
    """Return a source's entry but for its outcome, its folder, and what a process needs."""
    is_video = source.fields["media_type"] == "video"
    job = Job(source.file, is_video, journal.new_folder(), journal.settings, sampling)
    try:
        stat = source.file.stat()
        size, modified = stat.st_size, stat.st_mtime_ns
    except OSError:  # the worker says what is wrong with it
        size, modified = 0, 0
    entry = Entry(source.key, size, modified, str(sampling), Outcome("unreadable"))
    return (entry, job.folder), job
