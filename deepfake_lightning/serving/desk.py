"""What people say of requests, or want erased: it waits for rows that are on their way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from anyio import sleep, to_thread

from deepfake_lightning.errors import StorageError
from deepfake_lightning.monitoring.log.request_ids import time_of
from deepfake_lightning.serving.access.callers import Caller
from deepfake_lightning.serving.answers import Refusal
from deepfake_lightning.serving.service import Service

logger = logging.getLogger(__name__)

_LATE_SECONDS = 5.0  # after an answer, while its row may not be written yet
_AHEAD_US = 60_000_000  # that clocks differ by, at most
_LOOK_AGAIN, _LOOKS = 0.25, 8  # seconds between looks, and how many come after the first
_FLUSH_SECONDS = 3.0


@asynccontextmanager
async def at_desk(service: Service, caller: Caller | None) -> AsyncIterator[None]:
    """Hold a place for a bounded time, after what this process has to log is written.

    Args:
        service: of this process.
        caller: for whom; each leaves room for others.

    Raises:
        Refusal: all places are taken, the log cannot be written, or the time is over.
    """
    try:
        with service.desk.place(caller):
            async with asyncio.timeout(service.settings.bounds.deadline):
                if not await stored(service, lambda: service.writer.flush(_FLUSH_SECONDS)):
                    raise _no_storage()
                yield
    except TimeoutError:
        raise _no_storage() from None


async def found(service: Service, request_id: str, look: Callable[[], bool]) -> bool:
    """Look for a request, again and again while another process may be about to log it.

    Args:
        service: of this process.
        request_id: of which; how old it is shows whether its row may come yet.
        look: says whether it is there, in a thread.

    Raises:
        Refusal: the log cannot be used.
    """
    for left in reversed(range(_LOOKS + 1)):
        if await stored(service, look):
            return True
        if not left or not _is_young(service, request_id):
            break
        await sleep(_LOOK_AGAIN)  # no thread is held
    return False


def is_made_up(service: Service, request_id: str) -> bool:
    """Return whether an id is of a time to come: the log keeps erasures by the newest of them."""
    age = _age_us(service, request_id)
    return age is not None and age < -_AHEAD_US


async def stored(service: Service, change: Callable[[], bool]) -> bool:
    """Do what may wait for a disk in a thread.

    Raises:
        Refusal: the disk cannot be used.
    """
    try:
        return await to_thread.run_sync(change, limiter=service.storage)
    except StorageError as error:
        logger.error("%s", error.what)
        raise _no_storage() from error


def _is_young(service: Service, request_id: str) -> bool:
    # An id is made before the body comes.
    age, bounds = _age_us(service, request_id), service.settings.bounds
    longest_us = (bounds.body_seconds + bounds.deadline + _LATE_SECONDS) * 1e6
    return age is not None and -_AHEAD_US <= age < longest_us


def _age_us(service: Service, request_id: str) -> int | None:
    made = time_of(request_id)
    return None if made is None else service.clock() - made


def _no_storage() -> Refusal:
    return Refusal(
        503, "storage", "the prediction log cannot be written now", "try again in a moment",
        {"Retry-After": "10"},
    )  # fmt: skip
