"""How many requests are worked on at a time, and how many may wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from deepfake_lightning.serving.answers import Refusal

T = TypeVar("T")


class Admission:
    """Places for requests, taken before a body is read: memory is bounded, too.

    Args:
        workers: how many are scored at a time, each in a thread.
        queue: how many more are let in.
    """

    def __init__(self, workers: int, queue: int) -> None:
        self._limiter = CapacityLimiter(workers)
        self._places = workers + queue
        self._taken = 0  # changed on the event loop only

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            Refusal: all are taken.
        """
        if self._taken >= self._places:
            raise Refusal(
                503,
                "busy",
                f"{self._places} requests are being worked on, which is the limit",
                "try again in a moment",
                {"Retry-After": "1"},
            )
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def run(self, function: Callable[[], T]) -> T:
        """Call a function in a thread as soon as a worker is free."""
        return await to_thread.run_sync(function, limiter=self._limiter)
