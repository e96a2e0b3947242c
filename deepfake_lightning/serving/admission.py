"""How many requests are let in at a time: memory is bounded before a body is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from deepfake_lightning.serving.answers import Refusal

_WEIGHT = 0.1  # of the newest request in the mean time of all
_LONGEST_RETRY = 60


class Admission:
    """Places for requests, taken before a body is read. For one event loop.

    Args:
        places: how many there are.
        at_once: how many of them are worked on at the same time.
        on_change: told how many are taken.
    """

    def __init__(
        self, places: int, at_once: int, on_change: Callable[[int], None] = lambda taken: None
    ) -> None:
        self._places = places
        self._at_once = at_once
        self._on_change = on_change
        self._seconds = 0.1
        self.taken = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            Refusal: all are taken.
        """
        if self.taken >= self._places:
            raise Refusal(
                503,
                "busy",
                f"{self._places} requests are being worked on, which is the limit",
                "try again in a moment",
                {"Retry-After": str(self._retry_after())},
            )
        self._take(1)
        began = perf_counter()
        try:
            yield
        finally:
            self._take(-1)
            self._seconds += _WEIGHT * (perf_counter() - began - self._seconds)

    def _take(self, change: int) -> None:
        self.taken += change
        self._on_change(self.taken)

    def _retry_after(self) -> int:
        """Return in how many seconds a quarter of the places will be free, at the present pace."""
        return min(_LONGEST_RETRY, max(1, math.ceil(self._seconds / 4)))
