"""Answers that are kept for a moment, so that ten who ask cost as one."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from deepfake_lightning.errors import DeepfakeLightningError

Value = TypeVar("Value")
_MOST = 512


@dataclass
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    until: float = 0.0
    value: Any = None
    error: DeepfakeLightningError | None = None


class Cached:
    """Keeps the answers to questions for some seconds, failures too.

    Those who ask for the same at the same time wait for one answer. A database that is away is
    asked once a while, not by everyone who looks.

    Args:
        clock: seconds, which never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()

    def get(self, key: Hashable, seconds: float, make: Callable[[], Value]) -> Value:
        """Return what was answered lately, or what ``make`` gives now.

        Raises:
            DeepfakeLightningError: of ``make``, now or lately.
        """
        with self._guard:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > _MOST:
                self._slots.popitem(last=False)
        with slot.lock:
            if self._clock() >= slot.until:
                try:
                    slot.value, slot.error = make(), None
                except DeepfakeLightningError as error:
                    slot.value, slot.error = None, error
                slot.until = self._clock() + seconds  # from the answer on: a slow one is no storm
            if slot.error is not None:
                raise slot.error
            value: Value = slot.value
        return value

    def clear(self) -> None:
        """Forget all: something was changed, and who did it wants to see it."""
        with self._guard:
            self._slots.clear()
