"""Middleware that gives each request an id and writes it to the prediction log."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable

from anyio import CapacityLimiter, to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepfake_lightning.monitoring import LoggedRequest, PredictionLog
from deepfake_lightning.serving.answers import PREDICT, Exchange
from deepfake_lightning.serving.assessor import Assessor

logger = logging.getLogger(__name__)

_NOT_LOGGED = frozenset({401, 403})  # strangers cannot fill the disk
_WRITERS = 4


class RequestLog:
    """ASGI middleware: each request to predict becomes a row before its answer is sent.

    Requests that were turned away at the door (a wrong token or host) are not logged. A log that
    fails is reported once for each kind of failure, and the request is answered all the same.

    Args:
        app: what answers.
        log: where rows go.
        detector: whose version and digest are noted.
        clock: the time in microseconds since 1970, UTC.
    """

    def __init__(
        self, app: ASGIApp, *, log: PredictionLog, detector: Assessor, clock: Callable[[], int]
    ) -> None:
        self._app = app
        self._log = log
        self._detector = detector
        self._clock = clock
        self._limiter = CapacityLimiter(_WRITERS)  # of its own: scoring must not hold it up
        self._reported: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(uuid.uuid4().hex)
        scope.setdefault("state", {})["exchange"] = exchange
        came, began = self._clock(), time.perf_counter_ns()

        async def log_and_send(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["path"] == PREDICT:
                latency = (time.perf_counter_ns() - began) // 1000
                await self._write(exchange, came, message["status"], latency)
            await send(message)

        await self._app(scope, receive, log_and_send)

    async def _write(self, exchange: Exchange, came: int, status: int, latency: int) -> None:
        if status in _NOT_LOGGED:
            return
        row = LoggedRequest(
            id=exchange.request_id,
            ts_us=came,
            version=self._detector.version,
            bundle=self._detector.digest,
            route=PREDICT,
            http_status=status,
            bytes=exchange.size,
            latency_us=latency,
            error=exchange.error,
        )
        try:
            await to_thread.run_sync(
                self._log.append, row, exchange.assessment, limiter=self._limiter
            )
        except Exception as error:  # whatever it is, the answer is worth more than its row
            self._report(error)

    def _report(self, error: Exception) -> None:
        fault = str(error)
        if fault not in self._reported:
            self._reported.add(fault)
            logger.error("requests are answered and not logged: %s", fault)
