"""Decoding and finding faces in processes of their own: a bad file costs itself and no other."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool

from deepfake_lightning.inference.overlays import draw_media
from deepfake_lightning.inference.seeing import Viewer
from deepfake_lightning.inference.sighting import Sighting, sight
from deepfake_lightning.media import Limits
from deepfake_lightning.processes import prepare_process
from deepfake_lightning.schemas import Assessment, Preprocess
from deepfake_lightning.schemas.calibration import ItemCalibration, MediaType

P = ParamSpec("P")
T = TypeVar("T")

_JOBS = "deepfake_lightning.serving.jobs.worker"  # forked from the same server

_ATTEMPTS = 2
_MEMORY = 6 << 30  # bytes of addresses; libraries take one of these six before any file is read


class DecoderCrashed(Exception):
    """A file ended the process that decoded it."""


@dataclass(frozen=True)
class Media:
    """A file to be looked at.

    Attributes:
        content: its bytes, or where they are.
        kind: of the media.
        already_cropped: as for :meth:`~deepfake_lightning.inference.Engine.assess`.
    """

    content: bytes | Path
    kind: MediaType
    already_cropped: bool | None = None


class DecodingPool:
    """Processes that decode media and cut faces out; one that crashes or hangs is replaced.

    Clips have all processes but one at most, so that pictures need not wait for them.

    Args:
        workers: processes; with one alone a picture may have to wait for a clip.
        limits: of one clip; of a picture its pixels.
        on_change: told how many files are decoded or wait for it.
    """

    def __init__(
        self,
        workers: int,
        limits: Limits,
        on_change: Callable[[int], None] = lambda length: None,
    ) -> None:
        self._workers = workers
        self._limits = limits
        self._on_change = on_change
        self._length = 0
        self._free = asyncio.Semaphore(workers)
        self._free_for_clips = asyncio.Semaphore(max(1, workers - 1))
        self._pool = self._open()

    async def sight(self, media: Media, preprocess: Preprocess, seconds: float) -> Sighting:
        """Look at media as a detector's preprocessing has it.

        Args:
            media: what to look at.
            preprocess: of the detector.
            seconds: that it may take once a process is free; the process is stopped then.

        Raises:
            DecoderCrashed: the file ended its process.
            TimeoutError: it takes longer.
        """
        if media.kind == "video":
            async with self._free_for_clips:
                return await self._run(seconds, _sight, media, preprocess, self._limits)
        return await self._run(seconds, _sight, media, preprocess, self._limits)

    async def draw(
        self,
        media: Media,
        found: Assessment,
        calibration: ItemCalibration | None,
        seconds: float,
    ) -> bytes:
        """Return a JPEG of media with the boxes and scores of what was found.

        Raises:
            DecoderCrashed, TimeoutError: as :meth:`sight`.
        """
        return await self._run(seconds, draw_media, media.content, media.kind, found, calibration)

    async def start(self) -> None:
        """Start the processes, and wait until one works."""
        await self._run(60.0, os.getpid)

    def stop(self) -> None:
        """End the processes; what they work on is given up."""
        _end(self._pool)

    async def _run(
        self, seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        self._count(1)
        try:
            await self._free.acquire()
        except BaseException:
            self._count(-1)
            raise
        try:
            for _ in range(_ATTEMPTS):
                task = self._schedule(seconds, function, *args, **kwargs)
                try:
                    return await asyncio.wrap_future(task)
                except BrokenProcessPool:  # by this file, or by another one
                    continue
                except ProcessExpired as error:
                    # Told to end, as all processes of a service may be, is no file's fault.
                    if error.exitcode != -signal.SIGTERM:
                        raise DecoderCrashed(f"exit code {error.exitcode}") from error
            raise DecoderCrashed("its process ended again and again")
        finally:
            self._free.release()
            self._count(-1)

    def _schedule(
        self, seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Give a task to the pool; to another one where the pool is broken.

        Pebble gives a pool up for good when a process ends of which it knows no task: while it
        waits for one, or at the very beginning of one.
        """
        try:
            return self._pool.schedule(function, args, kwargs, timeout=seconds)
        except RuntimeError:
            threading.Thread(target=_end, args=(self._pool,)).start()  # takes a while
            self._pool = self._open()
            return self._pool.schedule(function, args, kwargs, timeout=seconds)

    def _open(self) -> ProcessPool:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__, _JOBS])
        return ProcessPool(self._workers, context=context, initializer=_prepare)

    def _count(self, change: int) -> None:
        self._length += change
        self._on_change(self._length)


def _end(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


def _prepare() -> None:
    prepare_process()
    with Path(os.devnull).open("wb") as nowhere:  # decoders quote there what people send
        os.dup2(nowhere.fileno(), 2)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # what people send is not left on the disk


def _sight(media: Media, preprocess: Preprocess, limits: Limits) -> Sighting:
    try:
        found = sight(
            _viewer(preprocess), media.content, kind=media.kind, limits=limits,
            already_cropped=media.already_cropped,
        )  # fmt: skip
        return _without_place(found, media)
    except MemoryError:
        return Sighting(media.kind, fault="it takes more memory than a file may")
    finally:
        # A decoder is part of a cycle, and holds megabytes that Python does not know of.
        if media.kind == "video":
            gc.collect()


def _without_place(found: Sighting, media: Media) -> Sighting:
    """Return it without a word of where the file lies on this machine."""
    if found.fault is None or isinstance(media.content, bytes):
        return found
    return replace(found, fault=found.fault.replace(str(media.content), "the upload"))


@lru_cache(maxsize=4)
def _viewer(preprocess: Preprocess) -> Viewer:
    return Viewer(preprocess)
