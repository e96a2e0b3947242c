"""How often a caller may ask: ASGI middleware."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from limits import (
    RateLimitItem,
    RateLimitItemPerDay,
    RateLimitItemPerHour,
    RateLimitItemPerMinute,
    RateLimitItemPerSecond,
)
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepfake_lightning.serving.access.callers import Rate
from deepfake_lightning.serving.answers import Refusal, exchange_of, refuse

_ITEMS: dict[str, type[RateLimitItem]] = {
    "second": RateLimitItemPerSecond,
    "minute": RateLimitItemPerMinute,
    "hour": RateLimitItemPerHour,
    "day": RateLimitItemPerDay,
}
_FREE_METHODS = frozenset({"GET", "HEAD"})  # asking how a job goes costs next to nothing
_COUNTED_PATHS = "/v1/"


@dataclass(frozen=True)
class _Left:
    rate: Rate
    is_let_in: bool
    requests: int
    seconds: int  # until the first that counts no longer does


class RateLimit:
    """Lets each caller ask so often, in a window that moves; what comes too soon gets 429.

    All of ``/v1/`` but reading counts. Each process of a server counts what it answers and lets
    through its share of the rate, so all together never let through more. A client that keeps one
    connection is answered by one process, and so gets that process' share.

    Answers say what is left in the fields ``RateLimit-Policy`` and ``RateLimit``
    (draft-ietf-httpapi-ratelimit-headers, as of its revision 08).

    Args:
        app: what answers. The guard stands before this: it names the caller.
        default: rate of callers without one; None lets them ask as often as they like.
        processes: of the server.
        on_limited: is called for each request that came too soon.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        default: Rate | None = None,
        processes: int = 1,
        on_limited: Callable[[], None] = lambda: None,
    ) -> None:
        self._app = app
        self._default = default
        self._processes = processes
        self._on_limited = on_limited
        self._counts = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        left = self._count(scope) if _counts(scope) else None
        if left is None:
            await self._app(scope, receive, send)
            return

        async def send_what_is_left(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_fields(left))
            await send(message)

        if not left.is_let_in:
            self._on_limited()
        answer = self._app if left.is_let_in else refuse(scope, _too_often(left))
        await answer(scope, receive, send_what_is_left)

    def _count(self, scope: Scope) -> _Left | None:
        caller = exchange_of(scope).caller
        if caller is None or (whole := caller.rate or self._default) is None:
            return None
        rate = whole.share(self._processes)
        item = _ITEMS[rate.unit](rate.amount)
        is_let_in = self._counts.hit(item, caller.name)
        found = self._counts.get_window_stats(item, caller.name)
        seconds = min(rate.seconds, max(1, math.ceil(found.reset_time - time.time())))
        return _Left(rate, is_let_in, max(0, found.remaining), seconds)


def _counts(scope: Scope) -> bool:
    return (
        scope["type"] == "http"
        and scope["path"].startswith(_COUNTED_PATHS)
        and scope["method"] not in _FREE_METHODS
    )


def _fields(left: _Left) -> dict[str, str]:
    return {
        "RateLimit-Policy": f'"caller";q={left.rate.amount};w={left.rate.seconds}',
        "RateLimit": f'"caller";r={left.requests};t={left.seconds}',
    }


def _too_often(left: _Left) -> Refusal:
    return Refusal(
        429,
        "rate",
        f"more than {left.rate.amount} requests came in a {left.rate.unit}, which is the limit",
        f"try again in {left.seconds} s",
        {"Retry-After": str(left.seconds)},
    )
