"""Faces of many requests in one run of the network, without anyone waiting for a full batch."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from deepfake_lightning.inference import Engine

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class NetworkResult:
    """What the network says of the faces of one request.

    Attributes:
        logits: float32 [N].
        features: float32 [N, F].
        seconds: from the first face's turn to the last one's result.
        queued: waiting for the first turn, seconds.
    """

    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    seconds: float
    queued: float


@dataclass
class _Request:
    images: Sequence[Image]
    done: asyncio.Future[NetworkResult]
    came: float
    began: float = 0.0
    next: int = 0
    missing: int = 0

    def __post_init__(self) -> None:
        self.missing = len(self.images)
        self.rows: list[tuple[np.float32, NDArray[np.float32]] | None] = [None] * self.missing


class Batcher:
    """Runs an engine's network: what comes while it runs is the next batch.

    An idle network takes a face at once, so a batch costs no wait. Requests that wait take turns,
    a face each, so that a picture behind a clip waits for the batch that runs and not for the
    clip. Used on one event loop; the network runs in threads.

    Args:
        engine: whose network.
        threads: where it runs; several engines may share them.
        slots: runs at a time.
        most: faces in a run, at most.
        on_batch: told how many faces a batch has.
        on_change: told how many faces wait.
    """

    def __init__(
        self,
        engine: Engine,
        threads: ThreadPoolExecutor,
        *,
        slots: int,
        most: int,
        on_batch: Callable[[int], None] = lambda size: None,
        on_change: Callable[[int], None] = lambda length: None,
    ) -> None:
        self._engine = engine
        self._threads = threads
        self._free = slots
        self._most = most
        self._on_batch = on_batch
        self._on_change = on_change
        self._waiting: deque[_Request] = deque()

    def __len__(self) -> int:
        """Return how many faces wait."""
        return sum(len(each.images) - each.next for each in self._waiting if not each.done.done())

    async def run(self, images: Sequence[Image]) -> NetworkResult:
        """Return what the network says of crops, uint8 [S, S, 3], one or more, in their order.

        Raises:
            Exception: whatever the network raises; other requests of the batch get it, too.
        """
        loop = asyncio.get_running_loop()
        request = _Request(images, loop.create_future(), time.perf_counter())
        self._waiting.append(request)
        self._start(loop)
        self._on_change(len(self))
        return await request.done

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._free and (batch := self._next_batch()):
            self._free -= 1
            self._on_batch(len(batch))
            now = time.perf_counter()
            for request, _ in batch:
                request.began = request.began or now
            images = [request.images[place] for request, place in batch]
            run = loop.run_in_executor(self._threads, self._engine.outputs, images)
            run.add_done_callback(partial(self._finish, loop, batch))

    def _next_batch(self) -> list[tuple[_Request, int]]:
        batch: list[tuple[_Request, int]] = []
        while self._waiting and len(batch) < self._most:
            request = self._waiting.popleft()
            if request.done.done():  # it has failed, or its deadline has passed
                continue
            batch.append((request, request.next))
            request.next += 1
            if request.next < len(request.images):
                self._waiting.append(request)
        return batch

    def _finish(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: list[tuple[_Request, int]],
        run: asyncio.Future[tuple[NDArray[np.float32], NDArray[np.float32]]],
    ) -> None:
        self._free += 1
        error = run.exception()
        for row, (request, place) in enumerate(batch):
            if request.done.done():
                continue
            if error is not None:
                request.done.set_exception(error)
                continue
            logits, features = run.result()
            request.rows[place] = (logits[row], features[row])
            request.missing -= 1
            if not request.missing:
                request.done.set_result(_result(request))
        self._start(loop)
        self._on_change(len(self))


def _result(request: _Request) -> NetworkResult:
    rows = [row for row in request.rows if row is not None]
    return NetworkResult(
        np.array([logit for logit, _ in rows], np.float32),
        np.stack([features for _, features in rows]),
        time.perf_counter() - request.began,
        request.began - request.came,
    )
