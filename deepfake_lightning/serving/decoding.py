"""Decoding and finding faces in processes of their own: a bad file costs itself and no other."""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import os
import pickle
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from deepfake_lightning.inference.overlays import SENT_PIXELS, draw_media
from deepfake_lightning.inference.seeing import Viewer
from deepfake_lightning.inference.sighting import Sighting, sight
from deepfake_lightning.media import Limits
from deepfake_lightning.processes import prepare_process
from deepfake_lightning.schemas import Assessment, Preprocess
from deepfake_lightning.schemas.calibration import ItemCalibration, MediaType
from deepfake_lightning.serving.confining import TOO_MUCH, confine_process
from deepfake_lightning.serving.task_process import ProcessDied, TaskProcess

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

_JOBS = "deepfake_lightning.serving.jobs.worker"  # forked from the same server

_START_SECONDS = 60.0
_TOLD = 1  # times that a task is begun anew whose process was told to end
_PAUSE = 1.0  # seconds before a process that could not be started is tried again


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
        ahead: pictures that are decoded or have been, and are not scored yet, at most. What was
            decoded long before has left the cores' caches: with more, each takes longer.
    """

    def __init__(
        self,
        workers: int,
        limits: Limits,
        on_change: Callable[[int], None] = lambda length: None,
        *,
        ahead: int = 64,
    ) -> None:
        self._workers = workers
        self._limits = limits
        self._on_change = on_change
        self._length = 0
        self._ahead = asyncio.Semaphore(ahead)
        self._free_for_clips = asyncio.Semaphore(max(1, workers - 1))
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__, _JOBS])
        # The one that was used last is given out first: it is still in a core's cache.
        self._free: asyncio.LifoQueue[TaskProcess] = asyncio.LifoQueue()
        self._all: set[TaskProcess] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._is_open = True

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
        how = _pickled(preprocess, self._limits)
        if media.kind == "video":
            async with self._free_for_clips:
                return await self._run(seconds, _sight, media, how)
        return await self._run(seconds, _sight, media, how)

    @asynccontextmanager
    async def place(self, kind: MediaType) -> AsyncIterator[None]:
        """Hold a picture's place from before it is decoded until it is scored; clips need none."""
        if kind == "video":  # few are decoded at a time, and each is scored for long
            yield
            return
        self._count(1)
        try:
            await self._ahead.acquire()
        finally:
            self._count(-1)
        try:
            yield
        finally:
            self._ahead.release()

    async def draw(
        self,
        media: Media,
        found: Assessment,
        calibration: ItemCalibration | None,
        seconds: float,
    ) -> bytes:
        """Return a JPEG of media with the boxes and scores of what was found, small enough to send.

        Raises:
            DecoderCrashed, TimeoutError: as :meth:`sight`.
        """
        draw = partial(draw_media, most=SENT_PIXELS)
        return await self._run(seconds, draw, media.content, media.kind, found, calibration)

    async def start(self) -> None:
        """Start the processes, and wait until one works.

        Raises:
            TimeoutError: none does.
        """
        for _ in range(self._workers):
            self._begin_one()
        async with asyncio.timeout(_START_SECONDS):
            await self._run(_START_SECONDS, os.getpid)

    def stop(self) -> None:
        """End the processes; what they work on is given up."""
        self._is_open = False
        for task in self._starting:
            task.cancel()
        while self._all:
            self._all.pop().end()

    async def _run(
        self, seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        self._count(1)
        told_to_end = 0
        try:
            while True:
                process = await self._free.get()
                try:
                    if not process.has_ended():
                        async with asyncio.timeout(seconds):
                            return await process.run(function, *args, **kwargs)
                except ProcessDied as error:
                    # Told to end, as all processes of a service may be, is no file's fault; but who
                    # watches over the memory tells that to the one that takes too much.
                    told_to_end += error.exit_code == -signal.SIGTERM
                    if error.exit_code != -signal.SIGTERM or told_to_end > _TOLD:
                        raise DecoderCrashed(f"exit code {error.exit_code}") from error
                finally:
                    self._give_back(process)
        finally:
            self._count(-1)

    def _give_back(self, process: TaskProcess) -> None:
        """Take a process that has done its task; another one in its place where it has not."""
        if process.is_free and not process.has_ended():
            self._free.put_nowait(process)
            return
        self._all.discard(process)
        self._begin_one(process)

    def _begin_one(self, gone: TaskProcess | None = None) -> None:
        if gone is not None:
            gone.hang_up()
        if self._is_open:
            task = asyncio.create_task(self._begin(gone))
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _begin(self, gone: TaskProcess | None) -> None:
        """Start a process, in place of another one that is ended."""
        while True:
            try:
                process = await asyncio.to_thread(self._replaced, gone)
                await process.connect()
            except Exception as error:  # no memory for now: the others work on
                logger.error("a decoder could not be started: %s", error)
                gone = None
                await asyncio.sleep(_PAUSE)
            else:
                self._free.put_nowait(process)
                return

    def _replaced(self, gone: TaskProcess | None) -> TaskProcess:
        if gone is not None:
            gone.end()
        process = TaskProcess.start(self._context, _prepare)
        self._all.add(process)
        if not self._is_open:
            process.end()
        return process

    def _count(self, change: int) -> None:
        self._length += change
        self._on_change(self._length)


def _prepare() -> None:
    prepare_process()
    confine_process()


@lru_cache(maxsize=16)
def _pickled(preprocess: Preprocess, limits: Limits) -> bytes:
    """Return how media are looked at, as it crosses: the same for thousands, it is made once."""
    return pickle.dumps((preprocess, limits))


def _sight(media: Media, how: bytes) -> Sighting:
    viewer, limits = _viewer(how)
    try:
        found = sight(
            viewer, media.content, kind=media.kind, limits=limits,
            already_cropped=media.already_cropped,
        )  # fmt: skip
        return _without_place(found, media)
    except MemoryError:
        return Sighting(media.kind, fault=TOO_MUCH)
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
def _viewer(how: bytes) -> tuple[Viewer, Limits]:
    preprocess, limits = pickle.loads(how)
    return Viewer(preprocess), limits
