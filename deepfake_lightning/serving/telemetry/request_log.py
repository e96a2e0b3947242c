"""Middleware that gives each request an id, and notes what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepfake_lightning.monitoring.log import LoggedRequest, new_request_id, with_result
from deepfake_lightning.serving.access.doors import door_of
from deepfake_lightning.serving.answers import PREDICT, Exchange
from deepfake_lightning.serving.service import Service
from deepfake_lightning.serving.telemetry.json_logs import REQUEST_ID, log_request

_NOT_LOGGED = frozenset({401, 403, 429})  # strangers cannot fill the disk
_UNROUTED = "none"


class RequestLog:
    """ASGI middleware: a line in the server's log for each request, and a row for each prediction.

    Both are written off the request's path. Requests that were turned away at the door (a wrong
    token or host, too many) get no row.

    Args:
        app: what answers.
        clock: the time in microseconds since 1970, UTC.
    """

    def __init__(self, app: ASGIApp, *, clock: Callable[[], int]) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        came, began = self._clock(), time.perf_counter()
        exchange = Exchange(new_request_id(came))
        scope.setdefault("state", {})["exchange"] = exchange
        REQUEST_ID.set(exchange.request_id)

        async def note_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = exchange.request_id
                seconds = time.perf_counter() - began
                self._note(scope, exchange, came, message["status"], seconds)
            await send(message)

        await self._app(scope, receive, note_and_send)

    def _note(
        self, scope: Scope, exchange: Exchange, came: int, status: int, seconds: float
    ) -> None:
        route = door_of(scope["path"]).route
        found = exchange.assessment
        log_request(
            exchange.request_id,
            route=route,
            status=status,
            milliseconds=1000 * seconds,
            size=exchange.size,
            caller=exchange.caller.name if exchange.caller else None,
            version=exchange.version,
            verdict=found.verdict if found else None,
            error=exchange.error,
        )
        app: Starlette = scope["app"]
        if route == PREDICT and scope["method"] == "POST" and status not in _NOT_LOGGED:
            _predicted(app.state.service, exchange, came, status, seconds)


def _predicted(
    service: Service, exchange: Exchange, came: int, status: int, seconds: float
) -> None:
    row = LoggedRequest(
        id=exchange.request_id,
        ts_us=came,
        version=exchange.version or _UNROUTED,
        bundle=exchange.digest or "",
        route=PREDICT,
        http_status=status,
        bytes=exchange.size,
        latency_us=round(1e6 * seconds),
        error=exchange.error,
        environment=exchange.environment or service.settings.environment,
        experiment=exchange.experiment,
        client=exchange.caller.name if exchange.caller else None,
        variant="serving",
        already_cropped=exchange.already_cropped,
    )
    found = exchange.assessment
    if found is not None:
        row = with_result(row, found, projection=exchange.projection)
        service.metrics.observe_stages(
            {name: took for name, took in found.milliseconds.items() if name != "total"}
        )
        service.metrics.count_verdict(found.version, "serving", found.verdict)
    service.metrics.count_prediction(row.environment, row.version, row.media_type, status, seconds)
    if not service.writer.put(row):
        service.metrics.count_rows_dropped()
