"""Statistics of many files, with several processes; one that crashes its decoder costs itself."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake_lightning.data.audit.fingerprints import WORDS
from deepfake_lightning.data.audit.measure import Measured, measure_files
from deepfake_lightning.processes import Lost, count_workers, prepare_process, run_jobs

Job = tuple[list[Path], bool]
Results = Generator[tuple[list[int], list[Measured] | Lost], None, None]
About = Literal["file", "picture", "source"]


@dataclass(frozen=True)
class Feature:
    """A statistic of a file.

    Attributes:
        about: ``file``, ``picture`` or ``source``; see ``findings.FeatureResult``.
        scale: ``linear`` or ``log`` for numbers, ``word`` for all else.
    """

    about: About
    scale: Literal["linear", "log", "word"]


FEATURES: dict[str, Feature] = {
    **{name: Feature("file", "log") for name in (
        "file_size", "bits_per_pixel", "bitrate", "width", "height", "duration", "frames",
        "keyframe_interval")},
    **{name: Feature("file", "linear") for name in ("aspect", "fps")},
    **{name: Feature("file", "word") for name in (
        "media_type", "suffix", "format", "codec", "profile", "mode", "subsampling",
        "quantisation", "progressive", "exif", "software", "camera", "colour_profile", "rotation",
        "sound")},
    **{name: Feature("picture", "linear") for name in ("brightness", "contrast", "saturation")},
    **{name: Feature("picture", "log") for name in ("sharpness", "noise", "blockiness")},
    **{name: Feature("source", "word") for name in ("dataset", "compression", "licence")},
}  # fmt: skip
_PICTURES_A_JOB = 32  # a job's way to its process and back costs as much as a picture or two


@dataclass(frozen=True)
class Statistics:
    """What was measured.

    Attributes:
        table: a row for each measured file, in the order of ``paths``; columns as in
            :data:`FEATURES`, missing where a file has no such thing.
        fingerprints: uint64 [files, 4].
        has_fingerprint: bool [files].
        faults: path -> why it could not be measured.
    """

    table: pd.DataFrame
    fingerprints: NDArray[np.uint64]
    has_fingerprint: NDArray[np.bool_]
    faults: dict[Path, str]


def measure(
    paths: Sequence[Path],
    is_video: Sequence[bool],
    *,
    workers: int | None = None,
    timeout: float = 600.0,
    processes: bool = True,
    started: Callable[[int], None] = lambda todo: None,
    progress: Callable[[], None] = lambda: None,
) -> Statistics:
    """Measure files.

    Args:
        paths: the files.
        is_video: whether each is a video.
        workers: how many are measured at a time; None: as many as there are cores.
        timeout: seconds that one job may take.
        processes: with processes; otherwise with threads, which know no timeout and end with
            what crashes a decoder, but need nothing of the program that they are started from.
        started: told how many files there are.
        progress: told of each file that is done.
    """
    count = count_workers(workers, timeout)
    started(len(paths))
    found: dict[int, Measured] = {}

    def work(chunks: list[list[int]]) -> None:
        jobs: Iterator[tuple[list[int], Job]] = (
            (chunk, ([paths[n] for n in chunk], is_video[chunk[0]])) for chunk in chunks
        )
        several = min(count, len(chunks))
        results = _in_processes(jobs, several, timeout) if processes else _in_threads(jobs, several)
        with closing(results):
            for chunk, result in results:
                if isinstance(result, Lost):
                    if len(chunk) > 1:
                        continue
                    result = [Measured(fault=result.reason)]
                for number, one in zip(chunk, result, strict=True):
                    found[number] = one
                    progress()

    clips = np.array(is_video, bool)
    todo = [[n] for n in np.flatnonzero(clips).tolist()] + _chunks(np.flatnonzero(~clips))
    while todo:  # what was lost together with others is tried again alone
        work(todo)
        todo = [[n] for n in range(len(paths)) if n not in found]
    return _tabled(paths, [found[n] for n in range(len(paths))])


def _in_processes(jobs: Iterator[tuple[list[int], Job]], workers: int, timeout: float) -> Results:
    return run_jobs(
        measure_files, jobs, workers=workers, timeout=timeout, prepare=prepare_process, raised=()
    )


def _in_threads(jobs: Iterator[tuple[list[int], Job]], workers: int) -> Results:
    with ThreadPoolExecutor(workers) as pool:  # decoding and measuring release the lock
        yield from pool.map(lambda job: (job[0], measure_files(job[1])), jobs)


def _chunks(numbers: NDArray[np.int64]) -> list[list[int]]:
    starts = range(0, len(numbers), _PICTURES_A_JOB)
    return [numbers[start : start + _PICTURES_A_JOB].tolist() for start in starts]


def _tabled(paths: Sequence[Path], found: list[Measured]) -> Statistics:
    table = pd.DataFrame([one.values for one in found], index=range(len(found)))
    table = table.reindex(columns=[n for n, f in FEATURES.items() if f.about != "source"])
    none = np.zeros(WORDS, np.uint64)
    return Statistics(
        table,
        np.array([none if o.fingerprint is None else o.fingerprint for o in found], np.uint64)
        .reshape(len(found), WORDS),
        np.array([one.fingerprint is not None for one in found], bool),
        {path: one.fault for path, one in zip(paths, found, strict=True) if one.fault is not None},
    )  # fmt: skip
