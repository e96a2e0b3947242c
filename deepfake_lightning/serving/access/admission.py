"""How many requests are let in at a time: memory is bounded before a body is read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepfake_lightning.serving.access.callers import LOCAL, Caller
from deepfake_lightning.serving.access.fairness import leaves_room
from deepfake_lightning.serving.answers import PREDICT, Refusal, exchange_of, refuse

_WEIGHT = 0.1  # of the newest request in the mean time of all
_LONGEST_RETRY = 60


class Admission:
    """Places for requests, taken before a body is read. For one event loop.

    Callers with tokens leave room for each other
    (:func:`~deepfake_lightning.serving.access.fairness.leaves_room`); who asks without a token is
    this machine's operator alone, and may have all.

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
        self._held: Counter[str] = Counter()

    @contextmanager
    def place(self, caller: Caller | None = None) -> Iterator[None]:
        """Hold a place.

        Args:
            caller: for whom; None: for one of whom there are no others.

        Raises:
            Refusal: all are taken, or the caller has as many as leave room for others.
        """
        name = None if caller is None or caller == LOCAL else caller.name
        self._check(name)
        self._take(1, name)
        began = perf_counter()
        try:
            yield
        finally:
            self._take(-1, name)
            self._seconds += _WEIGHT * (perf_counter() - began - self._seconds)

    def _check(self, name: str | None) -> None:
        free = self._places - self.taken
        if free > 0 and (name is None or leaves_room(self._held[name], free)):
            return
        said = f"{self._places} requests are being worked on, which is the limit"
        if free > 0 and name is not None:
            said = f"{self._held[name]} requests of {name} are being worked on; others need room"
        raise Refusal(
            503, "busy", said, "try again in a moment", {"Retry-After": str(self._retry_after())}
        )

    def _take(self, change: int, name: str | None) -> None:
        if name is not None:
            self._held[name] += change
            if not self._held[name]:
                del self._held[name]
        self.taken += change
        self._on_change(self.taken)

    def _retry_after(self) -> int:
        """Return in how many seconds a quarter of the places will be free, at the present pace."""
        return min(_LONGEST_RETRY, max(1, math.ceil(self._seconds / 4)))


class Places:
    """ASGI middleware: a request to predict has a place until its answer is made, or gets 503.

    It stands before the routes, so that a server under a flood spends little on each refusal.

    Args:
        app: what answers; ``app.state.service`` has the places.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http" or scope["path"] != PREDICT or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        admission: Admission = scope["app"].state.service.admission
        with ExitStack() as stack:
            try:
                stack.enter_context(admission.place(exchange_of(scope).caller))
            except Refusal as refusal:
                await refuse(scope, refusal)(scope, receive, send)
                return

            async def send_and_leave(message: Message) -> None:
                # What comes after takes none: shadow versions, and the rest of a refused body.
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    stack.close()
                await send(message)

            await self._app(scope, receive, send_and_leave)
