"""Delays at random where one thread wakes another, to find what only a busy machine shows.

Who wakes others (a condition, an event, a call into an event loop) is held up just afterwards, so
that the others run first; threads begin late, and event loops stand still now and then. Timings
that hold by luck do not hold then, and what is waited for without end is found::

    DELAYS_SEED=2 bash scripts/test.sh -p tests.delays -m "not slow" tests/processes
"""

from __future__ import annotations

import os
import random
import threading
import time
from asyncio import base_events
from collections.abc import Callable
from functools import wraps
from typing import Any

_SHARE, _LOOP_SHARE = 0.15, 0.02  # of the places that are held up
_SECONDS, _LOOP_SECONDS = 0.15, 0.075  # at most
_random = random.Random(int(os.environ.get("DELAYS_SEED", "1")))
_sleep = time.sleep


def _pause(share: float, seconds: float) -> None:
    if _random.random() < share:
        _sleep(_random.random() * seconds)


def _late(kind: type, name: str, *, before: bool = False) -> None:
    """Hold a method up, before or after what it does."""
    method: Callable[..., Any] = getattr(kind, name)
    share, seconds = (_LOOP_SHARE, _LOOP_SECONDS) if name == "_run_once" else (_SHARE, _SECONDS)

    @wraps(method)
    def late(*args: Any, **kwargs: Any) -> Any:
        if before:
            _pause(share, seconds)
        found = method(*args, **kwargs)
        if not before:
            _pause(share, seconds)
        return found

    setattr(kind, name, late)


def _late_conditions() -> None:
    """Hold up who has woken others at a condition, once it is let go: before, nobody could run."""
    notify, leave = threading.Condition.notify, threading.Condition.__exit__
    woke: set[int] = set()

    def noting(condition: threading.Condition, n: int = 1) -> None:
        if condition._waiters:
            woke.add(id(condition))
        notify(condition, n)

    def late(condition: threading.Condition, *failure: Any) -> None:
        is_one = id(condition) in woke
        woke.discard(id(condition))
        leave(condition, *failure)
        if is_one:
            _pause(_SHARE, _SECONDS)

    threading.Condition.notify = noting
    threading.Condition.notify_all = lambda self: noting(self, len(self._waiters))
    threading.Condition.__exit__ = late


_late_conditions()
_late(threading.Event, "set")
_late(threading.Thread, "run", before=True)
_late(base_events.BaseEventLoop, "call_soon_threadsafe")
_late(base_events.BaseEventLoop, "_run_once", before=True)
