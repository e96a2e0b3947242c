"""How long each stage of an assessment takes, though one pulls the next frame out of another."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeVar

Stage = Literal["decode", "faces", "network"]
Thing = TypeVar("Thing")


class StageClock:
    """Adds up the time of each stage; one within another is not counted twice.

    Faces are found frame by frame, and a frame is decoded when its faces are asked for: while an
    inner stage runs, the clock of the outer one stands still. For one thread and one assessment.

    Attributes:
        seconds: of each stage, wall clock. ``decode``: reading and decoding. ``faces``: finding,
            following and cutting out faces. ``network``: running the network.
    """

    def __init__(self) -> None:
        self.seconds: dict[Stage, float] = {"decode": 0.0, "faces": 0.0, "network": 0.0}
        self._within: list[Stage] = []
        self._since = 0.0

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Count what happens within as this stage's."""
        self._charge()
        self._within.append(name)
        try:
            yield
        finally:
            self._charge()
            self._within.pop()

    def each(self, name: Stage, things: Iterable[Thing]) -> Iterator[Thing]:
        """Yield things, and count the making of each as this stage's."""
        iterator = iter(things)
        while True:
            with self.stage(name):
                try:
                    thing = next(iterator)
                except StopIteration:
                    return
            yield thing

    def _charge(self) -> None:
        """Give the time since the last change to the stage that is under way."""
        now = time.perf_counter()
        if self._within:
            self.seconds[self._within[-1]] += now - self._since
        self._since = now
