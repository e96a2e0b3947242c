"""How much may be sent: ASGI middleware that acts before a body is in memory."""

from __future__ import annotations

import math

from anyio import current_time, fail_after, move_on_after
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepfake_lightning.serving.access.doors import door_of
from deepfake_lightning.serving.access.request_headers import header
from deepfake_lightning.serving.answers import Refusal, exchange_of

MAX_BYTES = 16 * 1024 * 1024
MAX_JOB_BYTES = 1024 * 1024 * 1024
MAX_FORM_BYTES = 64 * 1024  # of all that is no picture or clip
FORM_SECONDS = 10.0  # that sending it may take; media have the spool's longer time
_SMALLER = {
    "/v1/predict": "send less; long clips go to POST /v1/jobs",
    "/v1/jobs": "send a shorter or smaller clip",
}
_LINGER_SECONDS = 2.0
_MOST_LINGERED = 64 * 1024 * 1024
_LARGEST_LOGGED = 2**63 - 1  # any number can be announced; a column has 64 bits


class BodyLimit:
    """Refuses bodies over a limit: at once where the length is announced, else as they come.

    Many clients send all of a body before they read the answer, and never see it where the
    connection is closed under them. So a limited part of the rest is thrown away first, chunk by
    chunk: none of it stays in memory.

    Args:
        app: what answers. Its ``receive`` raises :class:`Refusal` at the limit.
        max_bytes: the limit of ``/v1/predict``.
        max_job_bytes: the limit of ``/v1/jobs``. All other paths take 65,536 bytes.
    """

    def __init__(
        self, app: ASGIApp, *, max_bytes: int = MAX_BYTES, max_job_bytes: int = MAX_JOB_BYTES
    ) -> None:
        self._app = app
        self._limits = {"/v1/predict": max_bytes, "/v1/jobs": max_job_bytes}
        self._linger = min(2 * max_bytes, _MOST_LINGERED)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = door_of(scope["path"]).route
        limit = self._limits.get(route, MAX_FORM_BYTES)
        announced = int(header(scope, b"content-length") or 0)  # the server has checked it
        chunked = bool(header(scope, b"transfer-encoding"))
        unread = announced > 0 or chunked
        # Who stands before this server may have read another length (RFC 9112, 6.1).
        is_ambiguous = chunked and bool(header(scope, b"content-length"))
        ends = current_time() + (FORM_SECONDS if limit == MAX_FORM_BYTES else math.inf)
        exchange = exchange_of(scope)

        async def receive_limited() -> Message:
            nonlocal unread
            if announced > limit:
                exchange.size = min(announced, _LARGEST_LOGGED)
                raise _too_large(limit, route)
            try:
                if unread and ends < math.inf:
                    with fail_after(ends - current_time()):
                        message = await receive()
                else:
                    message = await receive()
            except TimeoutError:
                raise _too_slow() from None
            unread = unread and message.get("more_body", False)
            exchange.size += len(message.get("body", b""))
            if exchange.size > limit:
                raise _too_large(limit, route)
            return message

        async def send_and_linger(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The rest of a small body is there already, as a rule: the connection is kept.
                large = unread and not 0 < announced <= MAX_FORM_BYTES
                if large or is_ambiguous:
                    MutableHeaders(scope=message)["Connection"] = "close"
            elif unread and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await self._throw_away(receive)
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        await self._app(scope, receive_limited, send_and_linger)

    async def _throw_away(self, receive: Receive) -> None:
        thrown, more = 0, True
        with move_on_after(_LINGER_SECONDS):
            while more and thrown < self._linger:  # whole, where it is not far too large
                message = await receive()
                thrown += len(message.get("body", b""))
                more = message.get("more_body", False)


def _too_large(limit: int, route: str) -> Refusal:
    return Refusal(
        413,
        "too_large",
        f"the body has more than the limit of {limit:,} bytes",
        _SMALLER.get(route, "send less"),
    )


def _too_slow() -> Refusal:
    fault = f"the body was not sent within {FORM_SECONDS:g} seconds"
    return Refusal(408, "slow", fault, "send it again")
