"""Many transfers at once, each tried again where the way is at fault."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Progress = Callable[[str, int, int], None]
In = TypeVar("In")
Out = TypeVar("Out")
AT_ONCE = 16
WAITS = [0.2, 0.8, 2.0, 5.0]
"""Seconds between the tries of a request."""
_WINDOW = 2048  # a future for each of a million files would take a gigabyte
_FINAL = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError)
_CLIENTS = ("botocore", "aiobotocore", "aiohttp", "s3fs")


def in_parallel(
    do: Callable[[In], Out], items: Sequence[In], done: Callable[[In], None] = lambda one: None
) -> list[Out]:
    """Return what comes of each item, in order.

    Args:
        do: what is done, in threads.
        items: with what.
        done: told of each that is done, in this thread.

    Raises:
        Exception: the first that ``do`` raises; what has not begun by then is not done.
    """
    found: list[Out] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, len(items), _WINDOW):
            part = items[start : start + _WINDOW]
            for one, result in zip(part, pool.map(do, part), strict=True):
                found.append(result)
                done(one)
    return found


def retried(call: Callable[[], Out]) -> Out:
    """Return what a call to a storage gives, called again after faults that pass.

    Args:
        call: what is done; it may be done twice.

    Raises:
        Exception: what the last call raises, or one that no further call would put right.
    """
    for wait in WAITS:
        try:
            return call()
        except Exception as error:
            if not _passes(error):
                raise
            time.sleep(wait * random.uniform(0.5, 1.0))
    return call()


def _passes(error: Exception) -> bool:
    """Return whether a fault may be gone a moment later."""
    if isinstance(error, _FINAL) or "Credentials" in type(error).__name__:
        return False
    return isinstance(error, OSError) or type(error).__module__.startswith(_CLIENTS)
